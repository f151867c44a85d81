"""What one account remembers: its own history and one for each of its bots.

A bot obeys what follows from its own trades and what follows from its account's, the stricter of
the two. Drawdown is asked of the account alone: the equity is the account's. It all follows from
the closed trades; whoever holds a Memory holds a convenience, and can fold the trades again.

Must not know: who asks, or what becomes of a verdict.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from memory.history import ClosedBy, History, fold
from memory.rules import RULES, About, judge
from memory.tuning import SHEET, Tuning
from memory.verdict import Verdict

OF_ACCOUNT: Final = "account"
OF_BOT: Final = "bot"
_EQUITY_RULES: Final = frozenset(name for name, rule in RULES.items() if rule.of_equity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """An account's history, and its bots'."""

    account: History = field(default_factory=History)
    bots: dict[str, History] = field(default_factory=dict)

    def after(self, trade: ClosedBy) -> "Memory":
        """The memory with one more closed trade."""
        own = self.bots.get(trade.bot_id, History())
        bots = {**self.bots, trade.bot_id: own.after(trade)}
        return Memory(account=self.account.after(trade), bots=bots)

    def without(self, trade: ClosedBy) -> "Memory":
        """The memory before that trade was booked: it is booked anew."""
        own = self.bots[trade.bot_id].without(trade)
        return Memory(account=self.account.without(trade), bots={**self.bots, trade.bot_id: own})

    def of_bot(self, bot_id: str) -> History:
        """A bot's own history."""
        return self.bots.get(bot_id, History())

    def verdicts(
        self,
        bot_id: str,
        now_ms: int,
        *,
        off: frozenset[str] = frozenset(),
        tuning: Tuning = SHEET,
        about: About | None = None,
    ) -> tuple[Verdict, ...]:
        """Every verdict in force for a bot, in the order of the rules, with whose trades say so.

        `off` and `tuning` are the bot's own. With `about` only what bears on that symbol and model.
        """
        own = judge(self.of_bot(bot_id), off=off | _EQUITY_RULES, tuning=tuning, about=about)
        whole = judge(self.account, off=off, tuning=tuning, about=about)
        said = [_of(verdict, OF_ACCOUNT) for verdict in whole if verdict.holds_at(now_ms)]
        said += [_of(verdict, OF_BOT) for verdict in own if verdict.holds_at(now_ms)]
        return strictest(said)


def remember(trades: Iterable[ClosedBy]) -> Memory:
    """The memory of an account with these closed trades, in whatever order they come."""
    by_bot: dict[str, list[ClosedBy]] = {}
    for trade in trades:
        by_bot.setdefault(trade.bot_id, []).append(trade)
    return Memory(
        account=fold(trade for own in by_bot.values() for trade in own),
        bots={bot_id: fold(own) for bot_id, own in by_bot.items()},
    )


def strictest(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """One verdict for each rule and scope, the one that lasts longest; of equals the first.

    The same rule with the same tuning asks for the same, so only its end can differ.
    """
    kept: dict[tuple[str, str, str], Verdict] = {}
    for one in verdicts:
        key = (one.rule, one.scope.symbol, one.scope.model)
        other = kept.get(key)
        if other is None or (one.until_ms or 0) > (other.until_ms or 0):
            kept[key] = one
    places = list(RULES)
    return tuple(sorted(kept.values(), key=lambda v: (places.index(v.rule), v.scope.symbol)))


def _of(verdict: Verdict, whose: str) -> Verdict:
    return replace(verdict, evidence=(*verdict.evidence, ("trades_of", whose)))
