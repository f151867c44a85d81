"""One trade's life: what becomes of a fact, the duty of each phase, stops and how they move."""
