"""What every adapter stands on: clock, errors, ports, the engine loop, logs."""
