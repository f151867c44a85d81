"""Limits: the strictest verdict wins, nothing loosens, expired ones are silent."""

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.lessons import sentences_of
from memory.limits import Limits, combine
from memory.verdict import Effect, Scope, Verdict, as_json

NOW = 1_000


def verdict(effect: Effect, *, until_ms: int | None = None, scope: Scope | None = None) -> Verdict:
    """A verdict with that effect."""
    return Verdict(
        rule="any",
        scope=scope or Scope(),
        effect=effect,
        reason="three lost",
        evidence=(),
        until_ms=until_ms,
    )


ADA = Scope(symbol="ADAUSDT")
effects = st.one_of(
    st.builds(Effect, threshold_add=st.integers(0, 20)),
    st.builds(Effect, signals_per_day_max=st.integers(0, 9)),
    st.builds(Effect, risk_pct_max=st.decimals("0.1", "2", places=1)),
    st.builds(Effect, model_off=st.sampled_from(["reversal", "continuation"])),
)
timed = st.builds(
    verdict,
    effects,
    until_ms=st.none() | st.integers(0, 2 * NOW),
    scope=st.sampled_from([None, ADA]),
)
pauses = st.builds(
    verdict,
    st.just(Effect(pause_entries=True)),
    until_ms=st.integers(0, 2 * NOW),
    scope=st.sampled_from([None, ADA]),
)
verdict_lists = st.lists(timed | pauses, max_size=8)


def is_tighter(a: Limits, b: Limits) -> bool:
    """Whether `a` allows nothing that `b` does not."""

    def at_most(x: Decimal | int | None, y: Decimal | int | None) -> bool:
        return y is None or (x is not None and x <= y)

    def covers(x: tuple[tuple[str, int], ...], y: tuple[tuple[str, int], ...]) -> bool:
        return all(dict(x).get(symbol, -1) >= value for symbol, value in y)

    return (
        (a.pause_until_ms or 0) >= (b.pause_until_ms or 0)
        and a.threshold_add >= b.threshold_add
        and at_most(a.signals_per_day_max, b.signals_per_day_max)
        and at_most(a.risk_pct_max, b.risk_pct_max)
        and a.models_off >= b.models_off
        and covers(a.symbol_pause_until_ms, b.symbol_pause_until_ms)
        and covers(a.symbol_threshold_add, b.symbol_threshold_add)
    )


def test_nothing_said_allows_everything() -> None:
    """No verdicts, no limits."""
    assert combine((), NOW) == Limits()


@given(verdict_lists, timed | pauses)
def test_one_more_verdict_never_loosens(verdicts: list[Verdict], more: Verdict) -> None:
    """Whatever is added, wherever, every limit stays or tightens."""
    assert is_tighter(combine([*verdicts, more], NOW), combine(verdicts, NOW))


@given(verdict_lists, st.randoms(use_true_random=False))
def test_the_order_of_verdicts_does_not_matter(verdicts: list[Verdict], dice: Random) -> None:
    """Limits are a function of the set."""
    mixed = verdicts.copy()
    dice.shuffle(mixed)
    assert combine(mixed, NOW) == combine(verdicts, NOW)


@given(verdict_lists)
def test_expired_verdicts_are_silent(verdicts: list[Verdict]) -> None:
    """Those whose end has come change nothing."""
    alive = [v for v in verdicts if v.until_ms is None or v.until_ms > NOW]
    assert combine(verdicts, NOW) == combine(alive, NOW)


def test_the_strictest_wins() -> None:
    """Longest pause, highest threshold, fewest signals, least risk, every model that is off."""
    limits = combine(
        [
            verdict(Effect(pause_entries=True), until_ms=1_500),
            verdict(Effect(pause_entries=True), until_ms=1_700),
            verdict(Effect(pause_entries=True), until_ms=1_900, scope=ADA),
            verdict(Effect(threshold_add=5)),
            verdict(Effect(threshold_add=3)),
            verdict(Effect(threshold_add=5), scope=ADA),
            verdict(Effect(signals_per_day_max=2)),
            verdict(Effect(signals_per_day_max=3)),
            verdict(Effect(risk_pct_max=Decimal("0.5"))),
            verdict(Effect(model_off="reversal"), until_ms=1_001),
            verdict(Effect(model_preferred="continuation")),
        ],
        NOW,
    )
    assert limits == Limits(
        pause_until_ms=1_700,
        symbol_pause_until_ms=(("ADAUSDT", 1_900),),
        threshold_add=5,
        symbol_threshold_add=(("ADAUSDT", 5),),
        signals_per_day_max=2,
        risk_pct_max=Decimal("0.5"),
        models_off=frozenset({"reversal"}),
        models_preferred=frozenset({"continuation"}),
    )


@pytest.mark.parametrize(
    ("effect", "printed", "sentence"),
    [
        (Effect(pause_entries=True), {"pause_entries": True}, "No entries while"),
        (Effect(threshold_add=5), {"threshold_add": 5}, "Demand 5 more points of score while"),
        (
            Effect(signals_per_day_max=2),
            {"signals_per_day_max": 2},
            "At most 2 signals a day while",
        ),
        (Effect(risk_pct_max=Decimal("0.5")), {"risk_pct_max": 0.5}, "Risk at most 0.5 % while"),
        (Effect(model_off="reversal"), {"model_off": "reversal"}, "The reversal model is off"),
        (
            Effect(model_preferred="continuation"),
            {"model_preferred": "continuation"},
            "Prefer the continuation model while",
        ),
    ],
)
def test_every_effect_has_its_print_and_its_sentence(
    effect: Effect, printed: dict[str, object], sentence: str
) -> None:
    """The command line prints an effect as the sheet spells it; a prompt reads it in words."""
    (row,) = as_json((verdict(effect),))
    assert row["effect"] == printed
    (words,) = sentences_of([verdict(effect)])
    assert words.startswith(sentence)
    assert words.endswith("this holds: three lost.")


def test_a_sentence_names_its_subject_and_its_end() -> None:
    """A symbol's verdict names the symbol; a timed one says that it runs out."""
    (words,) = sentences_of([verdict(Effect(pause_entries=True), until_ms=2_000, scope=ADA)])
    assert words == "No entries for ADAUSDT until it expires: three lost."
