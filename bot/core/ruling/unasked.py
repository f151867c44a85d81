"""Whether a plan may be ordered without asking anybody: the bounds of the mode auto-below.

Each bound that is set is a check with its limit and its input, kept with the trade, so that a card
can say why it came. Must not know: cards, or who is asked.
"""

from decimal import Decimal

from bot.core.presets import ApprovalMode, BotConfig
from bot.core.trade import Check, Plan
from data.money import percent_of, plain

CENT = Decimal("0.01")


def check_unasked(config: BotConfig, plan: Plan, wallet_usdt: Decimal) -> tuple[Check, ...]:
    """A check for each bound that is set, in auto-below; nothing in the other modes."""
    if config.approval_mode is not ApprovalMode.AUTO_BELOW:
        return ()
    pct_max = config.auto_risk_pct_max
    bounds = (
        ("auto_notional", config.auto_notional_usdt_max, plan.notional_usdt, ""),
        ("auto_risk", config.auto_risk_usdt_max, plan.risk_usdt, ""),
        (
            "auto_risk_pct",
            percent_of(wallet_usdt, pct_max),
            plan.risk_usdt,
            f" ({plain(pct_max)} %)",
        ),
    )
    is_set = (config.auto_notional_usdt_max, config.auto_risk_usdt_max, pct_max)
    return tuple(
        Check(
            rule=rule,
            passed=value <= most,
            limit=f"<= {plain(most.quantize(CENT))} USDT{note}",
            value=f"{plain(value.quantize(CENT))} USDT",
        )
        for (rule, most, value, note), wanted in zip(bounds, is_set, strict=True)
        if wanted
    )


def goes_unasked(config: BotConfig, checks: tuple[Check, ...]) -> bool:
    """Whether nobody is asked; `checks` as `check_unasked` gave them."""
    if config.approval_mode is ApprovalMode.AUTO:
        return True
    within = bool(checks) and all(check.passed for check in checks)
    return config.approval_mode is ApprovalMode.AUTO_BELOW and within
