"""A pretend world that ships: exchange, Telegram and Gemini. Knows no adapter of ours."""
