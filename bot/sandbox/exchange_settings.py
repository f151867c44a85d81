"""How an account is set: leverage, margin type, position mode.

Source: the facts sheet's section 3.4. The mode is the whole account's; leverage and margin type
are a symbol's and persist. Must not know: who asks.
"""

from decimal import Decimal

from bot.sandbox import exchange_margin as margin
from bot.sandbox import exchange_rules as rules
from bot.sandbox.exchange_fill import tell_account
from bot.sandbox.exchange_records import AccountCause, LeverageEvent, Refusal
from bot.sandbox.exchange_state import Account, World
from data.model import MarginType


def set_leverage(world: World, account: Account, symbol: str, leverage: int) -> Decimal | Refusal:
    """Set a symbol's leverage; the largest position notional it allows, or a refusal."""
    market = world.markets.get(symbol)
    if market is None:
        return rules.BAD_SYMBOL
    instrument = market.instrument
    if not 1 <= leverage <= margin.leverage_max(instrument):
        text = rules.BAD_LEVERAGE.text.format(leverage)
        return Refusal(code=rules.BAD_LEVERAGE.code, text=text)
    size = margin.size_of(account, symbol)
    isolated = account.margin_type_of(symbol) is MarginType.ISOLATED
    if size and isolated and leverage < account.leverage_of(symbol):
        return rules.ISOLATED_LEVERAGE
    allowed = margin.notional_max(instrument, leverage)
    if size * market.mark > allowed:
        return rules.ABOVE_LEVERAGE
    account.leverage[symbol] = leverage
    world.outbox.append(
        LeverageEvent(
            account_id=account.account_id, at_ms=world.now_ms, symbol=symbol, leverage=leverage
        )
    )
    return allowed


def set_margin_type(
    world: World, account: Account, symbol: str, margin_type: MarginType
) -> Refusal | None:
    """Set a symbol's margin type; refused when it is set already, with orders or a position."""
    if symbol not in world.markets:
        return rules.BAD_SYMBOL
    if account.margin_type_of(symbol) is margin_type:
        return rules.SAME_MARGIN_TYPE
    if account.open_orders.get(symbol) or account.open_conditionals.get(symbol):
        return rules.ORDERS_BLOCK_MARGIN_TYPE
    if margin.size_of(account, symbol):
        return rules.POSITION_BLOCKS_MARGIN_TYPE
    account.margin_types[symbol] = margin_type
    if symbol in account.holdings:
        tell_account(world, account, AccountCause.MARGIN_TYPE, symbol, account.holding(symbol))
    return None


def set_hedged(account: Account, hedged: bool) -> Refusal | None:
    """Turn hedge mode on or off; refused when it is so, or with orders or a position anywhere."""
    if account.hedged is hedged:
        return rules.SAME_MODE
    if any(account.open_orders.values()) or any(account.open_conditionals.values()):
        return rules.ORDERS_BLOCK_MODE
    if any(holding.quantity for holding in account.holdings.values()):
        return rules.POSITION_BLOCKS_MODE
    account.hedged = hedged
    return None
