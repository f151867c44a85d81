"""What strangers and models may write to mislead: one corpus for every room's tests."""
