"""The journal port over the store: what the core says as JSON text, and a desk brought back.

A desk's row holds everything but its trades and what follows from their results; trades have rows
of their own and are only named there. So a step writes what it changed, however long the history.

Must not know: what any record means.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bot.core import messages
from bot.core.desk_draft import CLOSED_KEPT_MAX, closed_trade_of
from bot.core.desk_state import Desk
from bot.core.messages import Command, Event
from bot.core.trade import Phase, Trade
from bot.shell.ports import Kept
from bot.shell.steps import StepRecord
from data.journal import Codec
from data.model import ClosedTrade
from data.money import plain
from data.store.rows import JournalRow, StepRow, TradeRow
from data.store.store import Store
from memory.history import Result, result_of
from memory.recall import Memory, remember

CODEC: Final = Codec((Desk, Trade, *messages.Event.__args__, *messages.Command.__args__))


class Recorder:
    """Keeps steps in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def commit(self, steps: Sequence[Kept]) -> None:
        """Keep steps for good, all or none, before anything of them is sent. Raises StorageFull."""
        last = len(steps) - 1
        rows = [
            StepRow(
                journal=_journal_row(step),
                desk_body=_desk_text(step.desk) if number == last else "",
                trades=tuple(_trade_row(trade, step.desk) for trade in step.changed),
            )
            for number, step in enumerate(steps)
        ]
        await self._store.commit_step(*rows)

    @staticmethod
    def read_trade(text: str) -> Trade:
        """A trade from its row's text."""
        trade = CODEC.decode(text)
        assert isinstance(trade, Trade), f"a trade's row holds a {type(trade).__name__}"
        return trade


class LineRecord:
    """Every step as a line of a file: for replay, and for people who look."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / "steps.jsonl").open("a", encoding="utf-8")

    def write(self, record: StepRecord) -> None:
        """Append one step."""
        line = (
            f'{{"number":{record.number},"seq":{json.dumps(record.seq)},"now_ms":{record.now_ms},'
            f'"event":{CODEC.encode(record.event)},"commands":{_list_of(record.commands)}}}\n'
        )
        self._file.write(line)

    def close(self) -> None:
        """Write the rest and close."""
        self._file.close()


async def load_desk(store: Store, account_id: str, user_id: str) -> tuple[Desk, int]:
    """The desk as its last step left it and that step's number; a new one before the first."""
    row = await store.load_desk(account_id)
    if row is None:
        return Desk(account_id=account_id, user_id=user_id), 0
    body = json.loads(row.body)
    desk = CODEC.decode(json.dumps(body["desk"]))
    assert isinstance(desk, Desk), f"a desk's row holds a {type(desk).__name__}"
    trades: dict[str, Trade] = {}
    for trade_id in body["trades"]:
        kept = await store.trade(trade_id)
        assert kept is not None, f"trade {trade_id} of the desk has no row"
        trades[trade_id] = Recorder.read_trade(kept.body)
    closed, memory = await _recall(store, account_id)
    return replace(desk, trades=trades, closed=closed, memory=memory), row.seq


async def _recall(store: Store, account_id: str) -> tuple[tuple[ClosedTrade, ...], Memory]:
    """The newest results, and what follows from every result the account ever had."""
    newest: list[ClosedTrade] = []
    results: list[Result] = []
    after_id = ""
    while page := await store.closed_trades(account_id, after_id=after_id):
        after_id = page[-1].trade_id
        for kept in page:
            closed = closed_trade_of(Recorder.read_trade(kept.body))
            newest.append(closed)
            results.append(result_of(closed))
        newest.sort(key=lambda closed: (closed.closed_ms, closed.trade_id))
        del newest[:-CLOSED_KEPT_MAX]
    return tuple(newest), remember(results)


def _journal_row(step: Kept) -> JournalRow:
    return JournalRow(
        account_id=step.desk.account_id,
        seq=step.seq,
        user_id=step.desk.user_id,
        at_ms=step.now_ms,
        kind=type(step.event).__name__,
        trade_id=_trade_id_of(step.event, step.commands, step.changed),
        event=CODEC.encode(step.event),
        commands=_list_of(step.commands),
    )


def _desk_text(desk: Desk) -> str:
    bare = CODEC.encode(replace(desk, trades={}, closed=(), memory=Memory()))
    return f'{{"desk":{bare},"trades":{json.dumps(list(desk.trades))}}}'


def _list_of(records: Sequence[Any]) -> str:
    return "[" + ",".join(CODEC.encode(record) for record in records) + "]"


def _trade_row(trade: Trade, desk: Desk) -> TradeRow:
    result = next((c for c in reversed(desk.closed) if c.trade_id == trade.trade_id), None)
    return TradeRow(
        trade_id=trade.trade_id,
        user_id=trade.user_id,
        account_id=trade.account_id,
        bot_id=trade.bot_id,
        symbol=trade.symbol,
        phase=trade.phase.value,
        outcome=trade.outcome.value if trade.outcome and trade.phase is Phase.IDLE else None,
        opened_ms=trade.opened_ms,
        closed_ms=trade.closed_ms,
        pnl_usdt=plain(result.pnl_usdt) if result is not None else None,
        body=CODEC.encode(trade),
    )


def _trade_id_of(event: Event, commands: Sequence[Command], changed: Sequence[Trade]) -> str | None:
    if len(changed) == 1:
        return changed[0].trade_id
    named = getattr(event, "trade_id", "")
    return str(named) if named else None
