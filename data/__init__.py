"""FACTS: the vocabulary every room speaks, and what is kept. Imports nothing of ours."""
