"""What the conformance tests share: the SDK, imported once, and a sandbox with it connected."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.sandbox.conformance.world import Ear, Sdk, sdk_world, user_stream


@pytest.fixture(scope="session")
def parts() -> SimpleNamespace:
    """The pieces of the SDK; importing it takes most of a second, so only when a test asks."""
    from binance_common import configuration, errors, utils, websocket
    from binance_sdk_derivatives_trading_usds_futures import derivatives_trading_usds_futures

    return SimpleNamespace(
        **{
            name: getattr(configuration, name)
            for name in (
                "ConfigurationRestAPI",
                "ConfigurationWebSocketAPI",
                "ConfigurationWebSocketStreams",
            )
        },
        DerivativesTradingUsdsFutures=derivatives_trading_usds_futures.DerivativesTradingUsdsFutures,
        errors=errors,
        utils=utils,
        websocket=websocket,
    )


@pytest.fixture
async def sdk(
    parts: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Sdk]:
    """The SDK against a sandbox whose time stands still."""
    async with sdk_world(parts, tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
async def ear(sdk: Sdk) -> AsyncIterator[Ear]:
    """The SDK's user stream."""
    async with user_stream(sdk) as made:
        yield made
