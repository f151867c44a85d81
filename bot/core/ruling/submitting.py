"""The last look at an entry, just before its order leaves: at the live price, by the same rules.

Between the moment a plan stood and the moment its order goes out lie a commit, perhaps a queue, and
for a second attempt some seconds. What no longer holds at the price of that moment is not sent.
Must not know: who decided, or how an order travels.
"""

from decimal import Decimal
from typing import Final

from bot.core.desk_state import Desk
from bot.core.ruling.directing import directed
from bot.core.sizing import TAKER_FEE_RATIO
from bot.core.supervisor import Levels, check_levels
from bot.core.trade import Check, Plan, read_order_id
from data.model import OrderKind
from data.money import ZERO, plain

PRICE_AGE_MS_MAX: Final = 10_000  # of wall time, as everywhere an entry is judged
# A plan uses its whole risk, and the price moves in every millisecond: so much more is let pass.
RISK_SLACK: Final = Decimal("1.1")

Mark = tuple[Decimal, int]  # (price, its moment in ms)


def check_submit(desk: Desk, order_id: str, mark: Mark | None, now_ms: int) -> tuple[Check, ...]:
    """Each rule's word on an entry at this moment's mark price; () when it is no plan of ours."""
    name = read_order_id(desk.account_id, order_id)
    trade = desk.trades.get(name.trade_id) if name is not None else None
    if trade is None or trade.plan is None:
        return ()
    age_ms_max = PRICE_AGE_MS_MAX * desk.timing.receive_window_ms // 5_000
    if mark is None or now_ms - mark[1] > age_ms_max:
        limit, value = f"<= {age_ms_max} ms old", "none" if mark is None else "too old"
        return (Check(rule="fresh_price", passed=False, limit=limit, value=value),)
    plan, config = trade.plan, desk.bots.get(trade.bot_id)
    if config is None:
        return ()
    levels = Levels(
        direction=plan.direction,
        entry_price=plan.entry_price,
        stop_price=plan.stop_price,
        target_price=plan.target_price,
    )
    checks = check_levels(directed(desk, config), levels, mark[0])
    if not checks[0].passed:  # no number: there is nothing to reckon with
        return checks
    return (*checks, _check_risk(plan, mark[0]))


def _check_risk(plan: Plan, mark_price: Decimal) -> Check:
    entry = mark_price if plan.entry_kind is OrderKind.MARKET else plan.entry_price
    loss = max(ZERO, (entry - plan.stop_price) * plan.direction.sign)
    worst = plan.quantity * (loss + (entry + plan.stop_price) * TAKER_FEE_RATIO)
    limit = plan.risk_usdt * RISK_SLACK
    cent = Decimal("0.0001")
    return Check(
        rule="risk",
        passed=worst <= limit,
        limit=f"<= {plain(limit.quantize(cent))} USDT",
        value=f"{plain(worst.quantize(cent))} USDT",
    )
