"""What the desk rules about an entry: signals, answers, taps, limits, plans."""
