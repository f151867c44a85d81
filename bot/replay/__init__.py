"""The engine over a tape on a virtual clock: backtests and recorded days."""
