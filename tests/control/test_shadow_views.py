"""/shadow: every judge's score in words, in both languages, and too little said as such."""

from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from bot.control.html import TEXT_LENGTH_MAX, length, plain_text
from bot.control.outbox import Outbox
from bot.control.scores import shadows
from bot.control.spoken import Said, World
from bot.control.tokens import Tokens
from bot.control.views.shadow import shadow
from bot.shell.clock import VirtualClock
from bot.shell.recorder import Recorder
from data.store.store import Store
from memory.calibration import Outcome, calibrations_of
from memory.scores import Judge, Miss, Report, scores_of
from memory.shadow import ShadowEnd
from tests.control.samples import NOW_MS, USER, Stage, desk, look, open_store


def missed(judge: Judge, name: str, *values: float) -> list[Miss]:
    """Shadows of one judge that made so many risks each."""
    return [
        Miss(
            judges=((judge, name), (Judge.STRATEGY, "continuation")),
            end=ShadowEnd.TARGET,
            risk_multiple=value,
            pnl_usdt=Decimal(str(value)) * 10,
        )
        for value in values
    ]


FULL = Report(
    since_ms=0,
    followed=7,
    ended=65,
    scores=scores_of(
        [
            *missed(Judge.PERSON, USER, *[2.0, 1.0] * 10),
            *missed(Judge.PERSON, "nobody", 1.0),
            *missed(Judge.MEMORY, "loss_streak_pause", *[-1.0] * 20),
            *missed(Judge.LIMIT, "daily_loss", *[1.0, -1.1] * 10),
            *missed(Judge.ADVISER, "gemini <b>x</b> http://evil.example", 1.0, -1.0),
            *missed(Judge.MODE, "signal-only", 1.0),
            Miss(judges=((Judge.LIMIT, "daily_loss"),), end=ShadowEnd.UNKNOWN),
            Miss(judges=((Judge.LIMIT, "daily_loss"),), end=ShadowEnd.UNFILLED),
        ]
    ),
    calibrations=calibrations_of(
        [
            *(Outcome(model="gemini m", confidence=75.0, won=n % 4 != 0) for n in range(24)),
            Outcome(model="rules", confidence=90.0, won=True),
        ]
    ),
)


def test_each_judge_gets_a_sentence() -> None:
    """What it cost or saved with its interval, how often alone, what is not known."""
    said = plain_text(shadow(look(), FULL, 90))
    for part in (
        "Shadows · the last 90 days",
        "7 are still followed.",
        "• Lan <b>&: it cost: +1.50 R a signal (+1.26 to +1.74), 20 of 20 would have won, "
        "+300.00 USDT",
        "• nobody answered: too few to say (1 of 20)",
        "• loss_streak_pause: it saved: -1.00 R a signal (-1.00 to -1.00), 0 of 20 would have won, "
        "-200.00 USDT, 20 by it alone",
        "• daily_loss: unclear: -0.05 R a signal",
        "22 by it alone, 1 not filled, 1 unknown",
        "Told, not traded",
        "How sure gemini m is, of 24 answers",
        # (6 x .75^2 + 18 x .25^2) / 24
        "Brier score 0.188; always saying its own rate would be 0.188",
        "70-80 %",
        "How sure rules is, of 1 answers: too few to say (1 of 20)",
    ):
        assert part in said, f"{part!r} is not in:\n{said}"
    assert "http" not in said


@pytest.mark.parametrize("language", ["en", "vi"])
def test_both_languages_say_it_in_one_message(language: str) -> None:
    """No placeholder is left, and it fits."""
    for report in (FULL, Report(since_ms=0)):
        drawn = shadow(look(language), report, 90)
        assert "{" not in plain_text(drawn)
        assert length(drawn) <= TEXT_LENGTH_MAX
    assert "quá ít để kết luận" in plain_text(shadow(look("vi"), FULL, 90))


def test_without_an_end_there_is_nothing_to_say() -> None:
    """Nothing ended: one sentence."""
    said = plain_text(shadow(look(), Report(since_ms=0, followed=2), 90))
    assert "No signal that was kept out has come to its end yet." in said


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("", "the last 90 days"),
        ("7", "the last 7 days"),
        ("0", "0 is no number of days; allowed is 1 to 3650."),
        ("soon", "soon is no number of days"),
        ("99999", "99999 is no number of days"),
        ("²", "² is no number of days"),
    ],
)
async def test_a_person_says_how_far_back(tmp_path: Path, argument: str, words: str) -> None:
    """Days from 1 to 3650, ninety without a number; anything else is refused with the range."""
    store = await open_store(tmp_path)
    try:
        [owner] = await store.users()
        heard = Said(user=owner, command="shadow", argument=argument, sent_ms=NOW_MS, message_id=1)
        view = await shadows(_world(store), heard)
        assert words in plain_text(view.html)
    finally:
        await store.close()


def _world(store: Store) -> World:
    stage, clock = Stage(desk()), VirtualClock(NOW_MS)

    async def seen(_user: object):  # type: ignore[no-untyped-def]
        return look()

    return World(
        store=store,
        outbox=Outbox(None, store, clock=clock, pace=1.0),  # type: ignore[arg-type]  # says nothing
        tokens=Tokens(store, Random(1).randbytes),
        sink=stage.sink,
        market=stage.market,
        desk_of=stage.desk_of,
        clock=clock,
        lights=list,
        look=seen,
        read_trade=Recorder.read_trade,
        universe=lambda: None,
    )
