"""Hedge mode, where a symbol has a long and a short position side by side: which one is meant.

A trade is about one side; the other is somebody else's, shown and never touched. In one-way mode
nothing names a side, and everything about a symbol is about its trade. Must not know: orders.
"""

from bot.core.trade import Trade
from data.model import Direction, Position


def is_about(trade: Trade, side: Direction | None) -> bool:
    """Whether a word about that side of the trade's symbol is about the trade."""
    return side is None or trade.direction in (None, side)


def key_of(symbol: str, side: Direction | None) -> str:
    """What a position is kept under: its symbol, and its side where there are two."""
    return symbol if side is None else f"{symbol} {side.value}"


def is_foreign(foreign: dict[str, Position], symbol: str) -> bool:
    """Whether any position of that symbol is not ours."""
    return any(position.symbol == symbol for position in foreign.values())


def held_both_ways(positions: tuple[Position, ...]) -> frozenset[str]:
    """The symbols of which both sides are held."""
    symbols = [position.symbol for position in positions]
    return frozenset(symbol for symbol in symbols if symbols.count(symbol) > 1)
