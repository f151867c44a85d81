"""One REST call of the pretend exchange, what an endpoint is, and the parameters many share.

Must not know: any endpoint.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from bot.sandbox.exchange_dialect import BadParameter, Json, Params, symbol_of, whole_of
from bot.sandbox.exchange_floor import Floor
from bot.sandbox.exchange_gate import ListenKeys
from bot.sandbox.exchange_records import Refusal
from bot.sandbox.exchange_rules import BAD_SYMBOL
from data.model import Instrument

Result = Json | list[Any] | Refusal
ROWS_MAX: Final = 1_000


class Security(StrEnum):
    """What a call must carry."""

    NONE = "none"
    KEY = "key"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as its endpoint sees it."""

    params: Params
    now_ms: int
    account: str
    floor: Floor
    keys: ListenKeys
    permissions: Mapping[str, object]
    young_ms: int = 0  # how old an order must be to be found

    def too_young(self, created_ms: int) -> bool:
        """Whether an order this new cannot be found yet."""
        return self.now_ms - created_ms < self.young_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint: what it does, needs and costs. `wide_weight` applies without a symbol."""

    act: Callable[[Call], Result]
    security: Security
    weight: int
    wide_weight: int = 0
    by_limit: tuple[tuple[int, int], ...] = ()  # (rows at most, weight), measured
    orders: int = 0
    orders_10s: int = 0  # where it is charged otherwise in the short window

    def cost(self, params: Params) -> int:
        """Its IP weight with these parameters."""
        if self.by_limit:
            return next((w for most, w in self.by_limit if _rows(params) <= most), 10)
        return self.weight if not self.wide_weight or params.get("symbol") else self.wide_weight


def instrument_of(call: Call) -> Instrument:
    """The named symbol's instrument; -1121 for a stranger."""
    found = call.floor.instruments.get(symbol_of(call.params))
    if found is None:
        raise BadParameter(BAD_SYMBOL.code, BAD_SYMBOL.text)
    return found


def maybe_symbol(call: Call) -> str | None:
    """The symbol when one was named; -1121 for a stranger."""
    return instrument_of(call).symbol if call.params.get("symbol") else None


def window_of(call: Call) -> tuple[int, int]:
    """startTime and endTime, open ends filled; -1023 when they are the wrong way round."""
    since_ms, until_ms = whole_of(call.params, "startTime"), whole_of(call.params, "endTime")
    if since_ms is not None and until_ms is not None and since_ms > until_ms:
        raise BadParameter(-1023, "Start time is greater than end time.")
    return since_ms or 0, 1 << 62 if until_ms is None else until_ms


def limit_of(params: Params, default: int, largest: int) -> int:
    """How many rows; -1130 when it is out of range."""
    limit = whole_of(params, "limit")
    if limit is None:
        return default
    if not 1 <= limit <= largest:
        raise BadParameter(-1130, "Data sent for parameter 'limit' is not valid.")
    return limit


def _rows(params: Params) -> int:
    text = params.get("limit", "")
    return int(text) if text.isdecimal() else ROWS_MAX
