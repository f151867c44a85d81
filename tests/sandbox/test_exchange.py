"""The pretend exchange: matching, money, refusals and event order, with the arithmetic beside."""

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest

from bot.sandbox.exchange import Exchange
from bot.sandbox.exchange_records import (
    AccountCause,
    AccountEvent,
    ConditionalEvent,
    ConditionalStatus,
    ConditionalView,
    Execution,
    ExpiryReason,
    FillEvent,
    IncomeKind,
    OrderEvent,
    OrderView,
    PriceSource,
    Refusal,
    TimeInForce,
)
from data.model import FillCause, MarginType, OrderKind, OrderStatus, Side
from tests.sandbox.exchange_cases import (
    BTC,
    START_MS,
    D,
    conditional,
    exchange,
    instrument,
    limit,
    market,
    placed,
    stop,
    target,
)

NOW = START_MS + 1000


def story(events: list[object]) -> list[str]:
    """Each event in one word, as the sheet orders them."""
    words = []
    for event in events:
        match event:
            case OrderEvent(execution=execution):
                words.append(f"order {execution.value}")
            case FillEvent():
                words.append("fill")
            case AccountEvent(cause=cause):
                words.append(f"account {cause.value}")
            case ConditionalEvent(order=order):
                words.append(f"{order.client_id} {order.status.value}")
    return words


def test_market_order_fills_at_last_price_with_taker_fee() -> None:
    """A MARKET buy trades at the last price and pays 0.05 %; events come in the real order."""
    world = exchange("10000")
    order = placed(world.place(market(Side.BUY, "0.1", client_id="e1"), NOW))
    assert (order.status, order.average_price) == (OrderStatus.FILLED, D(10000))
    assert world.balances().wallet_usdt == D(10000) - D("0.5")  # 0.1 x 10000 x 0.0005
    assert story(world.drain_events()) == ["order new", "fill", "account order", "order trade"]
    assert world.drain_events() == []


def test_limit_rests_and_fills_as_maker_at_its_own_price() -> None:
    """A resting LIMIT trades at its price when the last price goes through it, paying 0.02 %."""
    world = exchange("10000")
    placed(world.place(limit(Side.BUY, "0.1", "9900", client_id="e1"), NOW))
    world.advance(BTC, D("9900.1"), NOW)
    assert world.quantity(BTC) == 0
    world.advance(BTC, D(9890), NOW + 1)
    fill = world.fills(BTC)[0]
    assert (fill.price, fill.maker, fill.fee) == (D(9900), True, D("0.198"))  # 990 x 0.0002
    assert world.open_orders() == []


def test_crossing_limit_trades_at_once_at_the_better_price() -> None:
    """A LIMIT beyond the last price is a taker at the last price."""
    world = exchange("10000")
    placed(world.place(limit(Side.BUY, "0.1", "10100"), NOW))
    assert (world.fills()[0].price, world.fills()[0].maker) == (D(10000), False)


def test_step_liquidity_makes_partial_fills() -> None:
    """A capped step fills what there is; the rest waits for the next step."""
    world = exchange("10000")
    placed(world.place(limit(Side.BUY, "0.3", "9900", client_id="e1"), NOW))
    world.advance(BTC, D(9900), NOW, D("0.1"))
    view = placed(world.order(BTC, "e1"))
    assert (view.status, view.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, D("0.1"))
    world.advance(BTC, D(9899), NOW, D(5))
    assert placed(world.order(BTC, "e1")).status is OrderStatus.FILLED


def test_market_remainder_and_ioc_remainder_expire() -> None:
    """EXPIRED is not zero: the filled part stays."""
    world = exchange("10000")
    world.advance(BTC, D(10000), NOW, D("0.1"))
    order = placed(world.place(market(Side.BUY, "0.3"), NOW))
    assert (order.status, order.filled_quantity) == (OrderStatus.EXPIRED, D("0.1"))
    assert order.expiry is ExpiryReason.MARKET_REMAINDER
    world.advance(BTC, D(10000), NOW, D("0.1"))
    order = placed(world.place(limit(Side.BUY, "0.3", "10000", TimeInForce.IOC), NOW))
    assert (order.filled_quantity, order.expiry) == (D("0.1"), ExpiryReason.IOC_REMAINDER)
    assert world.quantity(BTC) == D("0.2")


def test_impatient_orders_that_cannot_are_refused() -> None:
    """Post-only that crosses is -5022, fill-or-kill without enough depth -5021."""
    world = exchange("10000")
    world.advance(BTC, D(10000), NOW, D("0.1"))
    post = limit(Side.BUY, "0.1", "10000", TimeInForce.POST_ONLY)
    kill = limit(Side.BUY, "0.2", "10000", TimeInForce.FOK)
    assert code(world.place(post, NOW)) == -5022
    assert code(world.place(kill, NOW)) == -5021
    assert world.orders() == []


def code(answer: object) -> int:
    """The refusal's code."""
    assert isinstance(answer, Refusal), answer
    return answer.code


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (limit(Side.BUY, "0.1", "9900.05"), -4014),
        (limit(Side.BUY, "0.1", "9900.005"), -1111),
        (limit(Side.BUY, "0.1", "-1"), -4001),
        (limit(Side.BUY, "0.1", "0.01"), -4013),
        (limit(Side.BUY, "0.1", "10000001"), -4002),
        (limit(Side.BUY, "0.1005", "9900"), -4023),
        (limit(Side.BUY, "0.10005", "9900"), -1111),
        (limit(Side.BUY, "0", "9900"), -4003),
        (limit(Side.BUY, "0.0009", "9900"), -4004),
        (limit(Side.BUY, "1001", "9900"), -4005),
        (market(Side.BUY, "121"), -4005),
        (market(Side.BUY, "0.004"), -4164),  # 40 USDT < 50
        (limit(Side.BUY, "0.1", "10500.1"), -4016),  # above 10000 x 1.05
        (limit(Side.SELL, "0.1", "9499.9"), -4024),  # below 10000 x 0.95
        (market(Side.BUY, "0.1", client_id="a b"), -4015),
        (market(Side.BUY, "0.1", client_id="x" * 37), -4015),
        (market(Side.SELL, "0.1", reduce_only=True), -2022),
        (market(Side.BUY, "20"), -2019),  # 200000 / 20 + fee > 10000
        (market(Side.BUY, "101"), -2027),  # 1010000 > the 1000000 that 20x allows
    ],
)
def test_broken_rules_have_their_real_codes(request_: object, expected: int) -> None:
    """Each filter refuses with its own code and changes nothing."""
    world = exchange("10000")
    assert code(world.place(request_, NOW)) == expected
    assert world.orders() == []
    assert world.drain_events() == []


def test_conditional_type_on_the_plain_book_is_4120() -> None:
    """Conditional orders live in the algo service only."""
    wrong = market(Side.BUY, "0.1")
    world = exchange()
    request = type(wrong)(symbol=BTC, side=Side.BUY, kind=OrderKind.STOP_MARKET, quantity=D("0.1"))
    assert code(world.place(request, NOW)) == -4120


def test_unknown_symbol_and_unpriced_market_are_refused() -> None:
    """-1121 for a stranger, -1112 before the first price."""
    world = Exchange([instrument()])
    assert code(world.place(market(Side.BUY, "0.1"), NOW)) == -1112
    assert code(world.set_leverage("NOPE", 5, NOW)) == -1121


def test_client_ids_are_unique_among_open_orders_only() -> None:
    """-4116 while one is open; two filled MARKET orders may share an id, and both fill."""
    world = exchange("10000")
    placed(world.place(limit(Side.BUY, "0.1", "9900", client_id="same"), NOW))
    assert code(world.place(market(Side.BUY, "0.1", client_id="same"), NOW)) == -4116
    placed(world.cancel(BTC, "same", NOW))
    placed(world.place(market(Side.BUY, "0.1", client_id="same"), NOW))
    placed(world.place(market(Side.BUY, "0.1", client_id="same"), NOW))
    assert world.quantity(BTC) == D("0.2")
    assert code(world.cancel(BTC, "same", NOW)) == -2011
    assert code(world.order(BTC, "never")) == -2013


def test_reduce_only_is_cut_to_the_position_and_ignores_the_notional_filter() -> None:
    """It never flips, and a small remainder may be closed."""
    world = exchange("10000")
    placed(world.place(market(Side.BUY, "0.005"), NOW))
    order = placed(world.place(market(Side.SELL, "5", reduce_only=True), NOW))
    assert (order.filled_quantity, order.status) == (D("0.005"), OrderStatus.FILLED)
    placed(world.place(market(Side.BUY, "0.005"), NOW))
    placed(world.place(market(Side.SELL, "0.001", reduce_only=True), NOW))  # 10 USDT < 50
    assert world.quantity(BTC) == D("0.004")


def test_resting_reduce_only_expires_with_the_position() -> None:
    """A reduce-only target has nothing to do once the position is closed otherwise."""
    world = exchange("10000")
    placed(world.place(market(Side.BUY, "0.1"), NOW))
    placed(world.place(limit(Side.SELL, "0.1", "10400", client_id="t", reduce_only=True), NOW))
    placed(world.place(market(Side.SELL, "0.1", reduce_only=True), NOW))
    view = placed(world.order(BTC, "t"))
    assert (view.status, view.expiry) == (OrderStatus.EXPIRED, ExpiryReason.REDUCE_ONLY)


def test_realised_profit_sums_to_exit_minus_entry_exactly() -> None:
    """Parts that do not divide evenly still add up to exits minus entries."""
    world = exchange("10000")
    for quantity, price in (("0.005", "10000"), ("0.005", "10001.1")):
        world.advance(BTC, D(price), NOW)
        placed(world.place(market(Side.BUY, quantity), NOW))
    world.advance(BTC, D("10033.3"), NOW)
    for quantity in ("0.003", "0.003", "0.004"):
        placed(world.place(market(Side.SELL, quantity, reduce_only=True), NOW))
    realised = sum(f.realized_pnl_usdt for f in world.fills())
    # exits 0.01 x 10033.3 = 100.333; entries 50 + 50.0055 = 100.0055
    assert realised == D("0.3275")
    assert sum(r.amount_usdt for r in world.income(kind=IncomeKind.REALIZED)) == realised


def test_tiny_prices_still_add_up_and_fees_are_rounded() -> None:
    """Ten decimals in a notional: parts sum to the whole, the fee has eight, all books agree."""
    tiny = replace(instrument(), tick_size=D("0.0000001"), notional_min=D(0), price_down_ratio=D(0))
    world = Exchange([tiny])
    world.advance(BTC, D("0.0123457"), NOW)
    placed(world.place(market(Side.BUY, "0.007"), NOW))
    assert world.fills()[0].fee == D("0.00000004")  # 0.0000864199 x 0.0005 = 0.0000000432...
    world.advance(BTC, D("0.0234561"), NOW)
    for quantity in ("0.003", "0.004"):
        placed(world.place(market(Side.SELL, quantity, reduce_only=True), NOW))
    realised = sum(f.realized_pnl_usdt for f in world.fills())
    assert realised == D("0.007") * (D("0.0234561") - D("0.0123457"))
    income = sum(row.amount_usdt for row in world.income())
    assert world.balances().wallet_usdt == D(10000) + income


def test_flip_realises_the_closed_part_and_reopens_at_the_fill() -> None:
    """Selling 0.3 against 0.1 leaves -0.2 at the new price."""
    world = exchange("10000")
    placed(world.place(market(Side.BUY, "0.1"), NOW))
    world.advance(BTC, D(10100), NOW)
    placed(world.place(market(Side.SELL, "0.3"), NOW))
    position = world.position(BTC)
    assert (position.quantity, position.entry_price) == (D("-0.2"), D(10100))
    assert position.realized_usdt == D(10)


def protected() -> Exchange:
    """A long of 0.1 at 10000 with a stop at 9800 and a target at 10300."""
    world = exchange("10000")
    placed(world.place(market(Side.BUY, "0.1", client_id="entry"), NOW))
    assert isinstance(world.place_conditional(stop("9800", client_id="sl"), NOW), ConditionalView)
    assert isinstance(
        world.place_conditional(target("10300", client_id="tp"), NOW), ConditionalView
    )
    world.drain_events()
    return world


def test_stop_fires_tells_in_order_and_its_sibling_expires() -> None:
    """The whole life of a fired stop, and the end of the target that lost its position."""
    world = protected()
    world.advance(BTC, D(9790), NOW + 5)
    assert story(world.drain_events()) == [
        "sl triggering",
        "order new",
        "sl triggered",
        "fill",
        "account order",
        "order trade",
        "sl finished",
        "tp expired",
    ]
    child = placed(world.order(BTC, "sl"))
    record = world.conditional("sl")
    assert isinstance(record, ConditionalView)
    assert (record.child_number, record.child_price) == (child.number, D(9790))
    assert child.kind is OrderKind.MARKET
    assert world.open_conditionals() == []
    assert code(world.cancel_conditional("sl", NOW + 6)) == -2011
    assert world.positions() == []


def test_target_fires_on_its_own_side() -> None:
    """A target SELL fires at or above its trigger."""
    world = protected()
    world.advance(BTC, D(10300), NOW + 5)
    record = world.conditional("tp")
    assert isinstance(record, ConditionalView)
    assert record.status is ConditionalStatus.FINISHED
    assert world.fills()[-1].realized_pnl_usdt == D(30)


def test_mark_price_stop_ignores_the_last_price() -> None:
    """MARK stops watch the mark, LAST stops the last price."""
    world = exchange("10000")
    world.set_mark(BTC, D(10000), NOW)
    placed(world.place(market(Side.BUY, "0.1"), NOW))
    request = stop("9800", client_id="m", price_source=PriceSource.MARK)
    assert isinstance(world.place_conditional(request, NOW), ConditionalView)
    world.advance(BTC, D(9700), NOW)
    assert world.quantity(BTC) == D("0.1")
    world.set_mark(BTC, D(9800), NOW)
    assert world.quantity(BTC) == 0
    assert world.fills()[-1].price == D(9700)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (stop("9700"), -4130),
        (stop("10001", Side.SELL, quantity=D("0.1"), reduce_only=True), -2021),
        (target("9999", Side.SELL, quantity=D("0.1"), reduce_only=True), -2021),
        (stop("10100", Side.BUY), -4509),
        (stop("9700", client_id="sl", quantity=D("0.1")), -4116),
        (stop("9700", quantity=D("0.1"), close_position=True), -4137),
        (stop("9700", close_position=True, reduce_only=True), -4138),
        (stop("9700", quantity=D("0.001")), -4164),
        (stop("9700.05"), -4014),
        (conditional(OrderKind.LIMIT, "9700", Side.SELL), -4139),
    ],
)
def test_conditional_refusals(request_: object, expected: int) -> None:
    """Each broken rule of the algo service has its own code."""
    world = protected()
    assert code(world.place_conditional(request_, NOW)) == expected
    assert len(world.open_conditionals()) == 2


def test_quantity_stop_may_wait_flat_and_is_rejected_at_the_trigger() -> None:
    """A reduce-only quantity stop is accepted while flat; firing flat it is REJECTED with words."""
    world = exchange("10000")
    request = stop("9800", client_id="q", quantity=D("0.1"), reduce_only=True)
    assert isinstance(world.place_conditional(request, NOW), ConditionalView)
    world.advance(BTC, D(9800), NOW)
    record = world.conditional("q")
    assert isinstance(record, ConditionalView)
    assert record.status is ConditionalStatus.REJECTED
    assert record.reject_text == "ReduceOnly Order is rejected."


def test_two_hundred_stops_is_the_limit() -> None:
    """The 201st waiting conditional order is refused with -4045."""
    world = exchange("10000")
    for _ in range(200):
        request = stop("9800", quantity=D("0.1"))
        assert isinstance(world.place_conditional(request, NOW), ConditionalView)
    assert code(world.place_conditional(stop("9800", quantity=D("0.1")), NOW)) == -4045


def test_cancel_all_leaves_the_other_store_alone() -> None:
    """Plain orders and conditional orders are cancelled by calls of their own."""
    world = protected()
    placed(world.place(limit(Side.BUY, "0.1", "9900"), NOW))
    assert world.cancel_all(BTC, NOW) == 1
    assert len(world.open_conditionals(BTC)) == 2
    assert world.cancel_all_conditionals(BTC, NOW) == 2
    assert [c.status.value for c in world.conditionals()] == ["canceled", "canceled"]


def test_funding_is_paid_at_the_boundary_on_the_mark() -> None:
    """A long pays quantity x mark x rate at 08:00 UTC, once."""
    world = exchange("10000")
    placed(world.place(market(Side.BUY, "0.1"), NOW))
    world.drain_events()
    world.advance(BTC, D(10000), START_MS + 8 * 3_600_000 - 1)
    assert world.income(kind=IncomeKind.FUNDING) == []
    world.advance(BTC, D(10100), START_MS + 8 * 3_600_000)
    world.advance(BTC, D(10100), START_MS + 8 * 3_600_000 + 1)
    assert [r.amount_usdt for r in world.income(kind=IncomeKind.FUNDING)] == [D("-0.101")]
    event = world.drain_events()[0]
    assert isinstance(event, AccountEvent)
    assert (event.cause, event.positions) == (AccountCause.FUNDING, ())


def test_isolated_liquidation_takes_the_margin_and_no_more() -> None:
    """10x isolated long of 1 at 10000: at 9000 the 1000 margin is gone, insurance pays the fee."""
    world = exchange("10000")
    assert world.set_margin_type(BTC, MarginType.ISOLATED, NOW) is None
    world.set_leverage(BTC, 10, NOW)
    placed(world.place(market(Side.BUY, "1"), NOW))  # fee 5
    assert isinstance(world.place_conditional(stop("8900"), NOW), ConditionalView)
    price = world.position(BTC).liquidation_price
    assert price is not None
    assert price.quantize(D("0.01")) == D("9036.14")  # (1000 - 10000) / (0.004 - 1)
    world.advance(BTC, D(9037), NOW)
    assert world.quantity(BTC) == 1
    world.drain_events()
    world.advance(BTC, D(9000), NOW)
    assert world.quantity(BTC) == 0
    # realised -1000, fee -4.5 at the liquidation; the margin was 1000, so insurance pays 4.5
    assert world.balances().wallet_usdt == D(10000) - 5 - 1000
    fill = world.fills()[-1]
    assert fill.order_id.startswith("autoclose-")
    assert fill.cause is FillCause.LIQUIDATION
    told = world.drain_events()
    assert [e.execution for e in told if isinstance(e, OrderEvent)] == [
        Execution.NEW,
        Execution.FORCED,
    ]
    assert world.open_conditionals() == []


def test_crossed_liquidation_spares_what_is_left_after_the_fee() -> None:
    """20x on most of the wallet: below maintenance the position goes, with insurance's fee."""
    world = exchange("10000")
    placed(world.place(market(Side.BUY, "10"), NOW))  # 100000 notional, fee 50
    placed(world.place(limit(Side.BUY, "0.1", "9600", client_id="rest"), NOW))
    # maintenance at price p: 10p x 0.01 - 300; balance 9950 + 10p - 100000 reaches it near 9065.7
    world.advance(BTC, D(9500), NOW)
    assert world.quantity(BTC) == D("10.1")  # the resting buy filled at 9600
    world.advance(BTC, D(9070), NOW)
    assert world.quantity(BTC) == 0
    assert world.balances().wallet_usdt >= 0
    assert world.income(kind=IncomeKind.INSURANCE)[0].amount_usdt < 0


def test_forced_deleveraging_and_a_hand_leave_foreign_ids() -> None:
    """ADL and a close by hand reduce the position under ids the program never made."""
    world = protected()
    order = world.force_adl(BTC, NOW, D("0.04"))
    assert order is not None
    assert (order.client_id, order.filled_quantity) == ("adl_autoclose", D("0.04"))
    assert len(world.open_conditionals()) == 2
    by_hand = world.close_by_hand(BTC, NOW)
    assert isinstance(by_hand, OrderView)
    assert by_hand.client_id.startswith("web_")
    assert world.open_conditionals() == []
    assert world.close_by_hand(BTC, NOW) is None


def test_leverage_and_margin_type_have_their_rules() -> None:
    """-4028, -4046, -4047, -4048, -4161, -2027."""
    world = exchange("10000")
    assert code(world.set_leverage(BTC, 126, NOW)) == -4028
    assert world.set_leverage(BTC, 125, NOW) == D(50_000)
    assert code(world.place(market(Side.BUY, "6"), NOW)) == -2027
    assert code(world.set_margin_type(BTC, MarginType.CROSSED, NOW)) == -4046
    placed(world.place(limit(Side.BUY, "0.1", "9900", client_id="r"), NOW))
    assert code(world.set_margin_type(BTC, MarginType.ISOLATED, NOW)) == -4047
    world.cancel(BTC, "r", NOW)
    assert world.set_margin_type(BTC, MarginType.ISOLATED, NOW) is None
    placed(world.place(market(Side.BUY, "0.1"), NOW))
    assert code(world.set_margin_type(BTC, MarginType.CROSSED, NOW)) == -4048
    assert code(world.set_leverage(BTC, 50, NOW)) == -4161


def test_slippage_is_seeded_and_against_the_taker() -> None:
    """The same seed gives the same worse price, on the tick."""
    prices = []
    for _ in range(2):
        world = Exchange([instrument()], slippage_bps=D(10), rng=Random(7))
        world.advance(BTC, D(10000), NOW)
        placed(world.place(market(Side.BUY, "0.1"), NOW))
        placed(world.place(market(Side.SELL, "0.1"), NOW))
        prices.append([f.price for f in world.fills()])
    assert prices[0] == prices[1]
    bought, sold = prices[0]
    assert D(9990) <= sold <= D(10000) <= bought <= D(10010)
    assert bought % D("0.1") == 0


def test_available_balance_counts_margin_and_orders() -> None:
    """10000 - fee 0.5 - 1000/20 position - 990/20 resting buy."""
    world = exchange("10000")
    placed(world.place(market(Side.BUY, "0.1"), NOW))
    placed(world.place(limit(Side.BUY, "0.1", "9900"), NOW))
    balance = world.balances()
    assert balance.available_usdt == D("9999.5") - 50 - Decimal("49.5")
    assert balance.order_margin_usdt == Decimal("49.5")
