"""The composition root: builds a world, starts and stops it, and the commands that look at it."""
