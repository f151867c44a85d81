"""LESSONS: (history, now_ms) -> limits. Pure; no I/O."""
