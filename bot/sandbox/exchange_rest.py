"""Every REST endpoint of the pretend exchange, by method and path."""

from types import MappingProxyType
from typing import Final

from bot.sandbox import exchange_rest_account, exchange_rest_market, exchange_rest_trade
from bot.sandbox.exchange_call import Route

ROUTES: Final = MappingProxyType[tuple[str, str], Route](
    {
        **exchange_rest_market.ROUTES,
        **exchange_rest_trade.ROUTES,
        **exchange_rest_account.ROUTES,
    }
)
