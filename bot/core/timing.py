"""Each deadline of the core, once, in one place.

Two families. *Network* deadlines say how long a request may take; against a sandbox that runs X
times faster than the wall they are multiplied by X, because one wall millisecond is X market
milliseconds. *Trading* deadlines (card, entry, position) belong to a bot's configuration.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Network deadlines in milliseconds of exchange time."""

    receive_window_ms: int = 5_000  # the exchange refuses a request older than this
    settle_margin_ms: int = 1_000  # on top of it, before "does not exist" counts
    reading_lag_ms: int = 2_000  # how old a reading of positions, fills or open orders may be
    young_order_ms: int = 40_000  # queries by id may not find an order younger than this
    ask_after_ms: int = 1_500  # an order unheard of for this long is asked about
    ask_backoff_max_ms: int = 8_000  # asks grow 1, 2, 4, 8 ... up to this
    cancel_again_ms: int = 2_000
    close_again_ms: int = 500  # between a close that failed and the next; doubles
    decide_within_ms: int = 30_000  # a trade waits so long for the adviser
    answer_margin_ms: int = 500  # the adviser's own deadline lies this long before that
    unprotected_alarm_ms: int = 3_000  # a bare position older than this is told to the owner
    unprotected_max_ms: int = 12_000  # and older than this it is closed at market
    protect_again_ms: int = 500  # after a passing refusal of a stop or target; doubles
    move_again_ms: int = 2_000  # between two moves of a stop; thirty times it after a refusal
    unknown_alarm_ms: int = 30_000  # an order unheard of for this long is told to the owner
    audit_every_ms: int = 60_000  # the whole account is read this often while anything is open
    snapshot_again_ms: int = 3_000  # after a snapshot that failed

    @property
    def answer_within_ms(self) -> int:
        """How long an adviser may take: its word comes before the trade stops waiting for it."""
        return max(1, self.decide_within_ms - self.answer_margin_ms)

    def at_speed(self, speed: float) -> "Timing":
        """The same wall-clock patience on a clock that runs `speed` times faster."""
        if speed == 1:
            return self
        return Timing(
            **{name: round(getattr(self, name) * speed) for name in Timing.__dataclass_fields__}
        )
