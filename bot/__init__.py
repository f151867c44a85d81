"""DECISIONS AND ACTIONS: a pure core that decides, thin shells that touch the world."""
