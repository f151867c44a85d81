"""How much: the stop never costs more than the budget, and every filter of the exchange is kept."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.presets import AiMode, BotConfig, Sizing
from bot.core.sizing import MARGIN_RESERVE_RATIO, TAKER_FEE_RATIO, Funds, plan_of
from bot.core.supervisor import Levels
from bot.core.trade import Plan
from data.model import Bracket, Direction, OrderKind
from data.money import is_multiple
from tests.core.build import config, instrument

LONG = Levels(
    direction=Direction.LONG,
    entry_price=Decimal(100),
    stop_price=Decimal(98),
    target_price=Decimal(104),
)


def funds(wallet: Decimal | int | str = 1000, free: Decimal | int | str | None = None) -> Funds:
    """So much in the wallet, all of it free unless told otherwise."""
    whole = Decimal(wallet)
    return Funds(wallet_usdt=whole, free_usdt=whole if free is None else Decimal(free))


def sized(bot: BotConfig | None = None, given_funds: Funds | None = None) -> Plan:
    """The plan for a long from 100 to 98, which must pass."""
    plan, checks = plan_of(bot or config(), LONG, instrument(), given_funds or funds())
    assert plan is not None, checks
    return plan


def refused_by(bot: BotConfig, given_funds: Funds, **filters: object) -> list[str]:
    """Rules that said no."""
    plan, checks = plan_of(bot, LONG, instrument(**filters), given_funds)
    assert plan is None
    return [c.rule for c in checks if not c.passed]


def test_the_stop_costs_the_budget_fees_included() -> None:
    """1 % of 1,000 is 10; a unit loses 2 and 0.05 % of 100 and of 98, 2.099: 4.764 units."""
    plan = sized()
    assert plan.quantity == Decimal("4.764")
    assert plan.risk_usdt == Decimal("4.764") * Decimal("2.099")  # 9.999636
    assert plan.notional_usdt == Decimal("476.4")
    assert plan.reward_risk == Decimal(2)  # 4 to gain, 2 to lose


def test_the_notional_limit_cuts() -> None:
    """At most 10 % of 1,000 in one position: 100 USDT at 100 is 1 unit."""
    assert sized(config(notional_pct_max=Decimal(10))).quantity == Decimal(1)


def test_free_margin_cuts() -> None:
    """50 free, 2 % kept for fees, 5 times leverage: 245 USDT of position, 2.45 units."""
    assert sized(given_funds=funds(free=50)).quantity == Decimal("2.45")


def test_memory_can_only_lower_the_risk() -> None:
    """0.5 % of memory halves 1 %: 5 / 2.099 = 2.382; 2 % of memory changes nothing."""
    low = Funds(wallet_usdt=Decimal(1000), free_usdt=Decimal(1000), risk_pct_max=Decimal("0.5"))
    assert sized(given_funds=low).quantity == Decimal("2.382")
    high = Funds(wallet_usdt=Decimal(1000), free_usdt=Decimal(1000), risk_pct_max=Decimal(2))
    assert sized(given_funds=high).quantity == Decimal("4.764")


def test_what_a_person_agreed_to_is_not_exceeded() -> None:
    """The card showed 1.2345: on the step, 1.234."""
    agreed = Funds(
        wallet_usdt=Decimal(1000), free_usdt=Decimal(1000), quantity_max=Decimal("1.2345")
    )
    assert sized(given_funds=agreed).quantity == Decimal("1.234")


def test_market_orders_keep_the_stricter_step_and_size() -> None:
    """MARKET: step 0.01 and at most 3; LIMIT: step 0.001 and at most 1,000."""
    listing = instrument(market_step_size=Decimal("0.01"), market_quantity_max=Decimal(3))
    market, _ = plan_of(config(), LONG, listing, funds())
    limit, _ = plan_of(config(entry_kind=OrderKind.LIMIT), LONG, listing, funds())
    assert market is not None
    assert limit is not None
    assert (market.quantity, limit.quantity) == (Decimal(3), Decimal("4.764"))


def test_a_bracket_lowers_the_leverage() -> None:
    """From 400 USDT on at most 3 times, in whatever order the brackets come; 5 were wanted."""
    low = Bracket(
        leverage_max=20,
        notional_floor=Decimal(0),
        notional_cap=Decimal(400),
        maintenance_ratio=Decimal("0.01"),
        maintenance_amount=Decimal(0),
    )
    high = Bracket(
        leverage_max=3,
        notional_floor=Decimal(400),
        notional_cap=Decimal(10**6),
        maintenance_ratio=Decimal("0.02"),
        maintenance_amount=Decimal(4),
    )
    for brackets in ((low, high), (high, low)):
        plan, _ = plan_of(config(), LONG, instrument(brackets=brackets), funds())
        assert plan is not None
        assert plan.leverage == 3


def test_each_filter_that_refuses_is_named() -> None:
    """A poor wallet, a tiny size, a small notional and no margin are told apart."""
    assert refused_by(config(risk_pct=Decimal(2)), funds("9.99")) == ["wallet_min"]
    assert refused_by(config(), funds(1000), quantity_min=Decimal(5)) == ["quantity_min"]
    assert refused_by(config(), funds(1000), notional_min=Decimal(500)) == ["notional_min"]
    assert refused_by(config(), funds(1000, free=0)) == [
        "quantity_min",
        "notional_min",
        "trade_value_min",
    ]
    dear = config(notional_usdt_min=Decimal(500))
    assert refused_by(dear, funds(1000)) == ["trade_value_min"]


PRICES = st.decimals("0.01", "100000", places=2)


@given(
    wallet=st.decimals("0", "1000000", places=4),
    free_pct=st.integers(0, 100),
    entry=PRICES,
    stop=PRICES,
    risk_pct=st.decimals("0.01", "10", places=2),
    share=st.sampled_from((Decimal(1), Decimal("0.5"))),
    leverage=st.integers(1, 125),
    step=st.sampled_from([Decimal(s) for s in ("0.001", "0.01", "1", "0.00001", "5")]),
    kind=st.sampled_from((OrderKind.MARKET, OrderKind.LIMIT)),
    sizing=st.sampled_from(Sizing),
    wanted=st.decimals("0", "1000000", places=3),
)
def test_no_plan_exceeds_any_bound(
    wallet: Decimal,
    free_pct: int,
    entry: Decimal,
    stop: Decimal,
    risk_pct: Decimal,
    share: Decimal,
    leverage: int,
    step: Decimal,
    kind: OrderKind,
    sizing: Sizing,
    wanted: Decimal,
) -> None:
    """Whatever the input: risk within budget, on the step, above the minima, margin free (5)."""
    direction = Direction.LONG if stop < entry else Direction.SHORT
    levels = Levels(
        direction=direction, entry_price=entry, stop_price=stop, target_price=2 * entry - stop
    )
    free = wallet * free_pct / 100
    listing = instrument(step_size=step, market_step_size=2 * step, market_quantity_max=Decimal(50))
    bot = config(
        risk_pct=risk_pct,
        leverage=leverage,
        entry_kind=kind,
        sizing=sizing,
        margin_target_usdt=wanted,
        amount_usdt=wanted,
        compounding=sizing is Sizing.AMOUNT,
    )
    given_funds = Funds(
        wallet_usdt=wallet,
        free_usdt=free,
        share=share,
        quantity_wanted=wanted,
        earned_usdt=wanted - 1000,
    )
    plan, checks = plan_of(bot, levels, listing, given_funds)
    if plan is None:
        assert any(not c.passed for c in checks)
        return
    loss_per_unit = abs(entry - stop) + (entry + stop) * TAKER_FEE_RATIO
    assert plan.quantity * loss_per_unit <= wallet * risk_pct / 100 * share
    assert plan.risk_usdt == plan.quantity * loss_per_unit
    assert is_multiple(plan.quantity, 2 * step if kind is OrderKind.MARKET else step)
    assert plan.quantity <= (50 if kind is OrderKind.MARKET else 1000)
    assert plan.quantity >= listing.quantity_min
    assert plan.notional_usdt >= listing.notional_min
    assert plan.notional_usdt <= wallet  # notional_pct_max is 100
    assert plan.notional_usdt / plan.leverage <= free * MARGIN_RESERVE_RATIO
    assert 1 <= plan.leverage <= min(leverage, 50)


def test_a_margin_target_is_margin_times_leverage_over_entry() -> None:
    """20 USDT at 5 times leverage and 100: one unit; half of it is 0.5."""
    bot = config(sizing=Sizing.MARGIN_TARGET, margin_target_usdt=Decimal(20))
    assert sized(bot).quantity == Decimal(1)
    half = Funds(wallet_usdt=Decimal(1000), free_usdt=Decimal(1000), share=Decimal("0.5"))
    assert sized(bot, half).quantity == Decimal("0.5")


def test_a_margin_target_is_cut_to_the_risk() -> None:
    """1,000 x 5 / 100 is 50 units; the stop may cost 10 USDT, which is 4.764 units."""
    bot = config(sizing=Sizing.MARGIN_TARGET, margin_target_usdt=Decimal(1000))
    assert sized(bot).quantity == Decimal("4.764")


@pytest.mark.parametrize(
    ("earned", "compounding", "quantity"),
    [("0", True, "1"), ("5", True, "1.05"), ("-40", True, "0.6"), ("500", False, "1")],
)
def test_compounding_adds_what_the_bot_has_earned(
    earned: str, quantity: str, *, compounding: bool
) -> None:
    """The first trade is worth 100 USDT; later ones 100 and what the bot has made or lost."""
    bot = config(sizing=Sizing.AMOUNT, amount_usdt=Decimal(100), compounding=compounding)
    given_funds = Funds(
        wallet_usdt=Decimal(1000), free_usdt=Decimal(1000), earned_usdt=Decimal(earned)
    )
    assert sized(bot, given_funds).quantity == Decimal(quantity)


def test_a_bot_that_lost_its_whole_amount_trades_no_more() -> None:
    """Its losses are limited to what it was given."""
    bot = config(sizing=Sizing.AMOUNT, amount_usdt=Decimal(100), compounding=True)
    broke = Funds(wallet_usdt=Decimal(1000), free_usdt=Decimal(1000), earned_usdt=Decimal(-100))
    assert refused_by(bot, broke) == ["quantity_min", "notional_min", "trade_value_min"]


def test_an_amount_waits_for_the_balance() -> None:
    """100 USDT at once need 100 of margin: with 50 free nothing is ordered, not half of it."""
    bot = config(sizing=Sizing.AMOUNT, amount_usdt=Decimal(100), leverage=1)
    assert refused_by(bot, funds(1000, free=50)) == ["free_margin"]
    target = config(sizing=Sizing.MARGIN_TARGET, margin_target_usdt=Decimal(60), leverage=1)
    assert refused_by(target, funds(1000, free=50)) == ["free_margin"]


@pytest.mark.parametrize(
    ("suggested", "quantity"),
    [("1.5", "1.5"), ("1000", "4.764"), (None, "4.764")],
)
def test_an_advisers_quantity_only_ever_shrinks(suggested: str | None, quantity: str) -> None:
    """What it suggests within every limit; without a word, by risk."""
    bot = config(sizing=Sizing.ADVISER, ai_mode=AiMode.TACTICAL)
    wanted = Decimal(suggested) if suggested is not None else None
    given_funds = Funds(wallet_usdt=Decimal(1000), free_usdt=Decimal(1000), quantity_wanted=wanted)
    assert sized(bot, given_funds).quantity == Decimal(quantity)


@pytest.mark.parametrize("suggested", ["0", "-5", "NaN", "Infinity", "0.0001"])
def test_an_absurd_suggestion_orders_nothing(suggested: str) -> None:
    """Nothing, less than nothing, and no number at all."""
    given_funds = Funds(
        wallet_usdt=Decimal(1000), free_usdt=Decimal(1000), quantity_wanted=Decimal(suggested)
    )
    assert "quantity_min" in refused_by(config(ai_mode=AiMode.ADAPTIVE), given_funds)


def test_only_a_mode_that_lets_it_size_reads_a_suggestion() -> None:
    """A bot that sizes by itself does not hear the adviser's quantity."""
    given_funds = Funds(
        wallet_usdt=Decimal(1000), free_usdt=Decimal(1000), quantity_wanted=Decimal(1)
    )
    assert sized(given_funds=given_funds).quantity == Decimal("4.764")
