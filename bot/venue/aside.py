"""Symbols set aside: watched, not to be traded on, each with its reasons in words.

Must not know: what finds the reasons.
"""

import structlog

log = structlog.get_logger(__name__)


class Aside:
    """Reasons by symbol and cause; a symbol is back when its last cause has gone."""

    def __init__(self) -> None:
        self._causes: dict[str, dict[str, str]] = {}

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._causes

    def put(self, symbol: str, cause: str, reason: str) -> None:
        """Set a symbol aside for a cause; said in the log once."""
        causes = self._causes.setdefault(symbol, {})
        if cause not in causes:
            log.warning("symbol_set_aside", symbol=symbol, reason=reason)
        causes[cause] = reason

    def clear(self, symbol: str, cause: str) -> None:
        """A cause is gone."""
        causes = self._causes.get(symbol, {})
        if causes.pop(cause, None) is not None and not causes:
            del self._causes[symbol]
            log.info("symbol_is_back", symbol=symbol)

    def forget(self, symbol: str) -> None:
        """Nobody watches it any more."""
        self._causes.pop(symbol, None)

    def reasons(self) -> dict[str, str]:
        """Each symbol's reasons, as one text."""
        return {symbol: "; ".join(causes.values()) for symbol, causes in self._causes.items()}
