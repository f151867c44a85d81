"""Strategies, one pure file each: window -> Signal with the parts of its score."""
