"""The only room that knows Gemini."""
