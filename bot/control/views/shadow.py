"""/shadow: what each no was worth, and whether a model knows how sure it is.

Must not know: how a shadow was followed, or where ends are kept. The units are risks (entry to
stop) a signal, after fees and slippage; below twenty nothing is said of a group.
"""

from collections.abc import Sequence
from typing import Final

from bot.control.html import NOTHING, Html, bold, cut, join, pre, untrusted
from bot.control.views.look import Look, mark, signed_money, table
from bot.core.ruling.shadowing import NOBODY, SILENT, UNASKED, UNNAMED
from memory.calibration import Bin, Calibration
from memory.scores import ENOUGH, Finding, Judge, Report, Score

GROUP_MAX: Final = 8  # lines a judge
MODELS_MAX: Final = 4
BRIEF: Final = (Judge.PERSON, Judge.ADVISER, Judge.MEMORY, Judge.LIMIT)

_TITLES: Final = {
    Judge.PERSON: mark("People who said no"),
    Judge.ADVISER: mark("The adviser said no"),
    Judge.MEMORY: mark("Memory's rules"),
    Judge.LIMIT: mark("Limits"),
    Judge.MODE: mark("Told, not traded"),
    Judge.STRATEGY: mark("By strategy"),
}
_NAMES: Final = {
    NOBODY: mark("nobody answered"),
    SILENT: mark("no answer"),
    UNASKED: mark("not asked"),
    UNNAMED: mark("other"),
}
_FINDINGS: Final = {
    Finding.SAVED: mark("it saved"),
    Finding.COST: mark("it cost"),
    Finding.UNCLEAR: mark("unclear"),
}


def shadow(look: Look, report: Report, days: int) -> Html:
    """The whole report; `days` 0: since the beginning."""
    since = look.words.say("the last {days} days", days=days) if days else NOTHING
    title = join([bold(look.words.label("Shadows")), since], " · ")
    if not report.ended:
        nothing = look.words.say("No signal that was kept out has come to its end yet.")
        return join([title, _open(look, report), nothing])
    intro = look.words.say(
        "What {count} signals that were kept out would have made, in risks (R) after fees and "
        "slippage. One may count for several.",
        count=report.ended,
    )
    groups = [
        _group(look, judge, [s for s in report.scores if s.judge is judge]) for judge in Judge
    ]
    shown = [_calibration(look, one) for one in report.calibrations[:MODELS_MAX]]
    return cut(join([join([title, _open(look, report), intro]), *groups, *shown], "\n\n"))


def brief(look: Look, report: Report) -> Html:
    """A line a judge that a person can change: of each the name with the most signals."""
    lines = []
    for judge in BRIEF:
        score = next((s for s in report.scores if s.judge is judge), None)
        if score is not None:
            title = look.words.label(_TITLES[judge])
            lines.append(join([title, _score(look, score)], " "))
    return join([bold(look.words.label("Shadows")), *lines]) if lines else NOTHING


def _open(look: Look, report: Report) -> Html:
    return look.words.say("{count} are still followed.", count=report.followed)


def _group(look: Look, judge: Judge, scores: Sequence[Score]) -> Html:
    if not scores:
        return NOTHING
    lines = [_score(look, score) for score in scores[:GROUP_MAX]]
    if len(scores) > GROUP_MAX:
        lines.append(look.words.say("… and {count} more", count=len(scores) - GROUP_MAX))
    return join([bold(look.words.label(_TITLES[judge])), *lines])


def _score(look: Look, score: Score) -> Html:
    name = bold(_name(look, score))
    unsure = _unsure(look, score)
    if score.finding is Finding.TOO_FEW:
        said = look.words.say(
            "too few to say ({scored} of {enough})", scored=score.scored, enough=ENOUGH
        )
        return join([join(["•", name], " "), join([said, unsure], ", ")], ": ")
    assert score.mean_r is not None, "enough of them have a mean"
    assert score.low_r is not None, "and an interval"
    assert score.high_r is not None, "and an interval"
    found = look.words.label(_FINDINGS[score.finding])
    said = look.words.say(
        "<b>{found}</b>: {mean} R a signal ({low} to {high}), {won} of {scored} would have won, "
        "{pnl} USDT",
        found=found,
        mean=f"{score.mean_r:+.2f}",
        low=f"{score.low_r:+.2f}",
        high=f"{score.high_r:+.2f}",
        won=score.won,
        scored=score.scored,
        pnl=signed_money(score.pnl_usdt),
    )
    alone = NOTHING
    if score.judge in (Judge.MEMORY, Judge.LIMIT):
        alone = look.words.say("{count} by it alone", count=score.alone)
    return join([join(["•", name], " "), join([said, alone, unsure], ", ")], ": ")


def _unsure(look: Look, score: Score) -> Html:
    unfilled = look.words.say("{count} not filled", count=score.unfilled)
    unknown = look.words.say("{count} unknown", count=score.unknown)
    return join(
        [unfilled if score.unfilled else NOTHING, unknown if score.unknown else NOTHING], ", "
    )


def _name(look: Look, score: Score) -> str:
    if score.name in _NAMES:
        return look.words.label(_NAMES[score.name])
    if score.judge is Judge.PERSON:
        return untrusted(look.name_of(score.name), 40)
    return untrusted(score.name, 60)


def _calibration(look: Look, one: Calibration) -> Html:
    head = look.words.say(
        "How sure <b>{model}</b> is, of {count} answers",
        model=untrusted(one.model, 60),
        count=one.count,
    )
    if not one.is_enough:
        few = look.words.say(
            "too few to say ({scored} of {enough})", scored=one.count, enough=ENOUGH
        )
        return join([head, few], ": ")
    brier = look.words.say(
        "Brier score {brier}; always saying its own rate would be {base}",
        brier=f"{one.brier:.3f}",
        base=f"{one.base_brier:.3f}",
    )
    heads = (
        look.words.label("said"),
        look.words.label("won"),
        look.words.label("answers"),
    )
    return join([head, brier, pre(table([heads, *map(_bin, one.bins)]))])


def _bin(found: Bin) -> tuple[str, str, str]:
    return f"{found.low}-{found.high} %", f"{found.won_pct:.0f} %", str(found.count)
