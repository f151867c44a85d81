"""One account's record: its bots, its trades, its counts, what it owns. Pure data and questions.

Must not know: how it changes (`desk`).
"""

from dataclasses import dataclass, field
from decimal import Decimal

from bot.core.advice import Advice
from bot.core.directives import Versions
from bot.core.guard import StopForm
from bot.core.presets import BotConfig
from bot.core.timing import Timing
from bot.core.trade import WORKING, Phase, Trade
from bot.core.universe import Contract
from data.model import ClosedTrade, Position
from data.money import ZERO
from memory.recall import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """What one UTC day has seen so far. `day` counts days since 1970-01-01."""

    day: int = 0
    signals: dict[str, int] = field(default_factory=dict)  # by bot
    entries: dict[str, int] = field(default_factory=dict)  # by bot
    realized_usdt: Decimal = ZERO  # after fees and funding


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The account's whole state. Dicts are never changed in place: a step makes new ones."""

    account_id: str
    user_id: str
    timing: Timing = field(default_factory=Timing)
    stop_form: StopForm = StopForm.CLOSE_POSITION  # of trades planned from now on
    ready: bool = False  # False until the exchange was read: INITIALIZING
    bots: dict[str, BotConfig] = field(default_factory=dict)
    directives: dict[str, Versions] = field(default_factory=dict)  # by bot
    running: tuple[str, ...] = ()
    trades: dict[str, Trade] = field(default_factory=dict)  # working ones and recently ended ones
    closed: tuple[ClosedTrade, ...] = ()  # newest last, bounded
    memory: Memory = field(default_factory=Memory)  # folded from every closed trade; never kept
    wallet_usdt: Decimal = ZERO
    wallet_ms: int = 0
    wallet_peak_usdt: Decimal = ZERO
    halts: tuple[str, ...] = ()  # reasons for taking no entries
    day: DayCount = field(default_factory=DayCount)
    foreign: dict[str, Position] = field(default_factory=dict)  # positions that are not ours
    advice: dict[str, Advice] = field(default_factory=dict)  # by bot: doubts, skips, pauses
    barred: dict[str, Contract] = field(default_factory=dict)  # no entries: not traded now
    foreign_told: tuple[str, ...] = ()  # those of them that a person was told of
    signalled: dict[str, int] = field(default_factory=dict)  # trade id -> forgotten at (ms)
    stream_ok: bool = True
    snapshot_at_ms: int | None = None  # when to read the whole account next
    snapshot_sent_ms: int = 0
    snapshot_wanted_ms: int = 0  # when something last asked for a reading of its own
    snapshots_unclear: int = 0  # in a row: each told too little to say whose a position is

    def working(self) -> tuple[Trade, ...]:
        """Trades that are not over."""
        return tuple(t for t in self.trades.values() if t.phase in WORKING)

    def phase_of(self, bot_id: str) -> Phase:
        """What /status shows for a bot: its busiest trade's phase, or IDLE."""
        if not self.ready:
            return Phase.INITIALIZING
        phases = [t.phase for t in self.working() if t.bot_id == bot_id]
        return max(phases, key=list(Phase).index, default=Phase.IDLE)
