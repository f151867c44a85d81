"""The pure, synchronous core: (state, event, now_ms) -> (state, commands)."""
