"""The only room that knows Binance."""
