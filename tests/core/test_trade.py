"""Ids that can be read back, and the questions a trade's record answers."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot.core.trade import (
    BOT_ID_LENGTH_MAX,
    ORDER_ID_LENGTH_MAX,
    OrderName,
    OrderState,
    Role,
    order_id_of,
    order_prefix_of,
    read_order_id,
    trade_id_of,
)
from data.model import Direction
from tests.core.build import ACCOUNT, Case

SLUGS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=BOT_ID_LENGTH_MAX)


@given(
    account=st.text(max_size=40),
    bot_id=SLUGS,
    signal_id=st.text(max_size=80),
    role=st.sampled_from(Role),
    attempt=st.integers(0, 9_999),
)
def test_an_order_id_can_be_read_back_and_fits(
    account: str, bot_id: str, signal_id: str, role: Role, attempt: int
) -> None:
    """Any order is attributed after a lost journal: id -> (bot, trade, role, attempt)."""
    trade_id = trade_id_of(account, bot_id, signal_id)
    order_id = order_id_of(account, bot_id, trade_id, role, attempt)
    assert len(order_id) <= ORDER_ID_LENGTH_MAX
    assert order_id.isascii()
    assert read_order_id(account, order_id) == OrderName(
        bot_id=bot_id, trade_id=trade_id, role=role, attempt=attempt
    )


@given(text=st.text(max_size=40))
def test_any_other_text_is_not_ours(text: str) -> None:
    """Foreign ids are read as nobody's; nothing raises."""
    assert read_order_id(ACCOUNT, text) is None
    for tail in ("", "x-y", "b-t-e", "b-t-x0", "b-t-e-1", "b-t-eone"):
        assert read_order_id(ACCOUNT, order_prefix_of(ACCOUNT) + tail) is None


def test_an_id_of_another_account_is_not_ours() -> None:
    """The prefix names the account."""
    order_id = order_id_of("other", "bot", "t", Role.STOP, 0)
    assert read_order_id(ACCOUNT, order_id) is None


def test_ids_are_functions_of_the_record() -> None:
    """The same signal is the same trade; another bot's is another."""
    assert trade_id_of("a", "b", "s") == trade_id_of("a", "b", "s")
    names = {trade_id_of("a", "b", "s"), trade_id_of("a", "c", "s"), trade_id_of("a", "b", "r")}
    assert len(names) == 3


def test_the_order_that_stands_need_not_be_the_newest() -> None:
    """One that is open or filled counts before a later one that came to nothing."""
    case = Case().to_active()
    trade, stop = case.trade(), case.latest(Role.STOP)
    refused = replace(stop, order_id="later", attempt=1, state=OrderState.REFUSED)
    both = replace(trade, orders=(*trade.orders, refused))
    assert both.standing(Role.STOP) == stop
    assert both.latest(Role.STOP) == refused
    assert both.standing(Role.CLOSE) is None


def test_an_adopted_trade_knows_its_direction_after_it_is_flat() -> None:
    """Its exits sell: it was long, whatever the position is now."""
    case = Case().to_active()
    sells = tuple(o for o in case.trade().orders if o.role is not Role.ENTRY)
    adopted = replace(
        case.trade(), adopted=True, signal=None, plan=None, orders=sells, position_seen=Decimal(0)
    )
    assert adopted.direction is Direction.LONG
