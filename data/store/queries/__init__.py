"""What is asked of the tables, by idea: steps, people, chat, keepsakes."""
