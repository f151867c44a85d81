"""An account that the exchange refuses: no entries, stops stay, a person is told and resumes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.core.trade import OrderState, Phase, Role
from bot.venue import standing
from tests.scenarios.stage import Stage, stage, trade_in

REFUSALS = [
    (-2014, "API-key format invalid."),
    (-2015, "Invalid API-key, IP, or permissions for action."),
    (-4087, "User can only place reduce only order."),
]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage of its own for each story."""
    async with stage(tmp_path) as found:
        yield found


@pytest.mark.parametrize(("code", "text"), REFUSALS)
async def test_a_refused_account_takes_no_entries_until_a_person_resumes(
    scene: Stage, monkeypatch: pytest.MonkeyPatch, code: int, text: str
) -> None:
    """One trade stands protected; the next request is refused: halt, alarm, and nothing is undone.

    A key that worked before is tried once more first; the alarm names /resume, which lifts it.
    """
    monkeypatch.setattr(standing, "DOUBT_S", 0.2)
    async with scene.service(scene.part(approval="auto")) as service:
        first = await scene.raise_signal(service)

        def covered() -> bool:
            trade = trade_in(service.engine.desk, first)
            stop = trade.latest(Role.STOP)
            live = stop is not None and stop.state is OrderState.LIVE
            return trade.phase is Phase.POSITION_ACTIVE and live

        await scene.until(covered, "it is protected")
        status = 401 if code in (-2014, -2015) else 400
        for path in ("/fapi/v3/balance", "/fapi/v1/openAlgoOrders"):
            await scene.inject(
                "refuse", method="GET", path=path, code=code, text=text, http_status=status, count=2
            )
        scene.exchange.hub.cut("private")  # the account is then read anew
        reason = standing.halt_reason(code)
        await scene.until(lambda: reason in service.engine.desk.halts, "entries are halted")
        await scene.chat_says("say /resume")
        await scene.chat_says(str(code))
        truth = await scene.truth()
        assert len(truth["open_conditionals"]) == 2, "stop and target stay"
        assert len(truth["positions"]) == 1
        assert trade_in(service.engine.desk, first).phase is Phase.POSITION_ACTIVE
        second = await scene.raise_signal(service, name="2")
        said = {check.rule: check for check in trade_in(service.engine.desk, second).checks}
        assert str(code) in said["no_halt"].text
        await scene.say("/resume")
        await scene.tap("Yes, resume")  # the stage's exchange has a time of its own
        await scene.until(lambda: not service.engine.desk.halts, "a person lifted it")
