"""What is kept: tables, queries and migrations behind one writer. Knows no rules."""
