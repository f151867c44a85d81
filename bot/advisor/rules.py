"""The adviser without a model: the score alone opens, the newest bars alone close.

Must not know: the network or the clock. It answers when no model key is set, and when the model's
budget is spent.

Opening: a signal whose score reaches the threshold is opened as proposed; the confidence is the
score. Managing: a position is closed when the last two closes both lie beyond the mean of the last
20 closes on the losing side and the newest is the worse of the two; a shorter history holds.
"""

from typing import Final

from bot.advisor.answer import Doubt, Receipt, abstain
from bot.advisor.prompt import REASON_LENGTH_MAX, REASONS_MAX, snapshot_id_of
from bot.core.messages import Question
from data.model import Action, Decision
from data.money import plain

NAME: Final = "rules"
SCORE_THRESHOLD: Final = 75.0  # when the question names no limit of its own
INVALIDATION_BARS: Final = 20
THRESHOLD_LIMIT: Final = "score_threshold"


def decide_by_rules(
    question: Question, *, now_ms: int, score_threshold: float = SCORE_THRESHOLD
) -> Decision:
    """One decision, a function of the question alone. `limits["score_threshold"]` goes first."""
    if question.purpose == "manage":
        return _manage(question, now_ms)
    if question.purpose == "open" and question.signal is not None:
        return _open(question, _threshold_of(question, score_threshold), now_ms)
    if question.purpose == "open":
        reason = "The rules open nothing without a strategy's signal."
        return _answer(question, Action.DO_NOTHING, (reason,), now_ms)
    return abstain(
        question,
        Doubt.MALFORMED,
        "the question asks for nothing we know",
        Receipt(now_ms=now_ms, advisor=NAME),
    )


def _open(question: Question, threshold: float, now_ms: int) -> Decision:
    signal = question.signal
    assert signal is not None, "asked to open without a signal"
    if not signal.score >= threshold:  # also true for a score that is no number
        told = f"Not taken: score {signal.score:.0f} of 100, threshold {threshold:.0f}."
        return _answer(question, Action.DO_NOTHING, (told,), now_ms)
    own = tuple(reason[:REASON_LENGTH_MAX] for reason in signal.reasons[: REASONS_MAX - 1])
    return Decision(
        advisor=NAME,
        model_version="",
        bot_id=question.bot_id,
        symbol=question.symbol,
        snapshot_id=snapshot_id_of(question),
        action=Action.OPEN_POSITION,
        direction=signal.direction,
        entry_price=signal.entry_price,
        stop_price=signal.stop_price,
        target_price=signal.target_price,
        confidence=min(100.0, max(0.0, signal.score)),
        reasons=(f"Taken: score {signal.score:.0f} of 100, threshold {threshold:.0f}.", *own),
        invalidation=f"The price reaches {plain(signal.stop_price)}.",
        decided_ms=now_ms,
    )


def _manage(question: Question, now_ms: int) -> Decision:
    if question.position_quantity == 0:
        return _answer(question, Action.DO_NOTHING, ("There is no position.",), now_ms)
    closes = [candle.close for candle in question.candles[-INVALIDATION_BARS:]]
    if len(closes) < INVALIDATION_BARS:
        return _answer(question, Action.HOLD_POSITION, ("Too few bars to judge.",), now_ms)
    sign = 1 if question.position_quantity > 0 else -1
    mean = sum(closes) / len(closes)
    before, last = (sign * (close - mean) for close in closes[-2:])
    if last < before < 0:
        reason = f"Two closes beyond the mean of {INVALIDATION_BARS}, against the position."
        return _answer(question, Action.CLOSE_POSITION, (reason,), now_ms)
    return _answer(question, Action.HOLD_POSITION, ("The move is not invalidated.",), now_ms)


def _answer(question: Question, action: Action, reasons: tuple[str, ...], now_ms: int) -> Decision:
    return Decision(
        advisor=NAME,
        model_version="",
        bot_id=question.bot_id,
        symbol=question.symbol,
        snapshot_id=snapshot_id_of(question),
        action=action,
        confidence=None,
        reasons=reasons,
        decided_ms=now_ms,
    )


def _threshold_of(question: Question, otherwise: float) -> float:
    for name, value in question.limits:
        if name == THRESHOLD_LIMIT:
            try:
                return float(value)
            except ValueError:
                return otherwise
    return otherwise
