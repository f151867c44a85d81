"""The eye on prices tells a desk once that a price it waits for is reached, and of no other."""

from dataclasses import replace
from decimal import Decimal

from bot.core.messages import Event, PriceReached
from bot.shell.marks import MarkWatch
from tests.core.build import Case, config, desk


def test_only_a_price_that_is_waited_for_is_told_and_once() -> None:
    """101 is not yet it, 102 is; looked at again it is not told again until the record changes."""
    case = Case(desk(config(break_even_risks=Decimal(1)))).to_active()
    heard: list[Event] = []
    marks = {"BTCUSDT": (Decimal(101), 1)}
    eye = MarkWatch(desk_of=lambda: case.desk, mark_price=marks.get, sink=heard.append)
    eye.look()
    assert not heard
    marks["BTCUSDT"] = (Decimal(102), 2)
    eye.look()
    eye.look()
    (told,) = heard
    assert told == PriceReached(trade_id=case.trade().trade_id, mark_price=Decimal(102), mark_ms=2)
    waiting = replace(case.trade(), watch_price=Decimal("101.5"))
    case.desk = replace(case.desk, trades={waiting.trade_id: waiting})
    eye.look()
    assert len(heard) == 2


def test_without_a_price_nothing_is_told() -> None:
    """A symbol whose mark price is not known is passed over."""
    case = Case(desk(config(break_even_risks=Decimal(1)))).to_active()
    heard: list[Event] = []
    eye = MarkWatch(desk_of=lambda: case.desk, mark_price=lambda _: None, sink=heard.append)
    eye.look()
    assert not heard
