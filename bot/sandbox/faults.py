"""Seeded bad luck: what is lost, delayed, repeated, reordered, refused or cut.

Pure: the plan draws from its own seeded Random and never acts; whoever carries messages (the
exchange server, the simulation) asks for each one and does as told. The same seed and the same
questions give the same answers. `heal()` ends all faults, for the phase in which everything must
come right. Must not know: what a message means beyond its kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Final

from bot.sandbox.exchange_records import Refusal


class Fault(StrEnum):
    """What may happen to one message. `NONE`: it passes."""

    NONE = "none"
    LOSE_REQUEST = "lose_request"  # never reached the exchange; the caller sees silence
    LOSE_ANSWER = "lose_answer"  # carried out; the caller sees silence
    DELAY = "delay"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    DROP = "drop"  # an event that never comes
    REFUSE = "refuse"
    CUT = "cut"  # the stream ends here


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """Chances (0..1) a message, and the longest delay."""

    lose_request: float = 0.0
    lose_answer: float = 0.0
    delay_answer: float = 0.0
    refuse: float = 0.0
    delay_event: float = 0.0
    duplicate_event: float = 0.0
    reorder_event: float = 0.0
    drop_event: float = 0.0
    cut_stream: float = 0.0
    delay_ms_max: int = 3_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultDraw:
    """One decision. `delay_ms` is set for DELAY, `refusal` for REFUSE."""

    fault: Fault
    delay_ms: int = 0
    refusal: Refusal | None = None


PASS: Final = FaultDraw(fault=Fault.NONE)

# Refusals that may hit any write without a reason of the caller's; all mean "not executed" but for
# -1007 and the first 503, which say nothing (the server carries those out half of the time).
REFUSALS: Final = (
    Refusal(code=-1008, text="Request throttled by system-level protection.", http_status=503),
    Refusal(code=-1001, text="Internal error; unable to process your request. Please try again."),
    Refusal(code=-1021, text="Timestamp for this request is outside of the recvWindow."),
    Refusal(code=-1015, text="Too many new orders.", http_status=429),
    Refusal(code=-2019, text="Margin is insufficient."),
)

PROFILES: Final[Mapping[str, FaultRates]] = MappingProxyType(
    {
        "none": FaultRates(),
        "light": FaultRates(
            lose_answer=0.01,
            delay_answer=0.05,
            delay_event=0.05,
            duplicate_event=0.02,
            cut_stream=0.001,
            delay_ms_max=800,
        ),
        "rough": FaultRates(
            lose_request=0.04,
            lose_answer=0.06,
            delay_answer=0.10,
            refuse=0.03,
            delay_event=0.10,
            duplicate_event=0.08,
            reorder_event=0.05,
            drop_event=0.02,
            cut_stream=0.005,
        ),
        "storm": FaultRates(
            lose_request=0.12,
            lose_answer=0.18,
            delay_answer=0.20,
            refuse=0.08,
            delay_event=0.20,
            duplicate_event=0.20,
            reorder_event=0.15,
            drop_event=0.10,
            cut_stream=0.02,
            delay_ms_max=8_000,
        ),
    }
)


class FaultPlan:
    """Decides, message by message, what goes wrong. One plan a run."""

    def __init__(self, seed: int, rates: FaultRates) -> None:
        self._rng = Random(seed)
        self._rates = rates
        self._healed = False

    @classmethod
    def named(cls, name: str, seed: int) -> "FaultPlan":
        """A plan by profile: none, light, rough or storm. KeyError on another name."""
        return cls(seed, PROFILES[name])

    @property
    def healed(self) -> bool:
        """Whether all faults have ended."""
        return self._healed

    def heal(self) -> None:
        """From now on everything passes."""
        self._healed = True

    def request(self) -> FaultDraw:
        """What happens to a request on its way in: NONE, LOSE_REQUEST or REFUSE."""
        rates = self._rates
        chosen = self._draw((Fault.LOSE_REQUEST, rates.lose_request), (Fault.REFUSE, rates.refuse))
        if chosen is Fault.REFUSE:
            return FaultDraw(fault=chosen, refusal=self._rng.choice(REFUSALS))
        return self._made(chosen)

    def answer(self) -> FaultDraw:
        """What happens to an answer on its way out: NONE, LOSE_ANSWER or DELAY."""
        rates = self._rates
        return self._made(
            self._draw((Fault.LOSE_ANSWER, rates.lose_answer), (Fault.DELAY, rates.delay_answer))
        )

    def event(self) -> FaultDraw:
        """What happens to a stream event: NONE, DROP, DUPLICATE, REORDER, DELAY or CUT."""
        rates = self._rates
        return self._made(
            self._draw(
                (Fault.CUT, rates.cut_stream),
                (Fault.DROP, rates.drop_event),
                (Fault.DUPLICATE, rates.duplicate_event),
                (Fault.REORDER, rates.reorder_event),
                (Fault.DELAY, rates.delay_event),
            )
        )

    def _made(self, fault: Fault) -> FaultDraw:
        if fault is Fault.DELAY:
            return FaultDraw(fault=fault, delay_ms=self._rng.randint(1, self._rates.delay_ms_max))
        return PASS if fault is Fault.NONE else FaultDraw(fault=fault)

    def _draw(self, *chances: tuple[Fault, float]) -> Fault:
        if self._healed:
            return Fault.NONE
        point = self._rng.random()
        for fault, chance in chances:
            if point < chance:
                return fault
            point -= chance
        return Fault.NONE
