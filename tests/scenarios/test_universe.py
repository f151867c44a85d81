"""The universe over sockets: turns rotate, what is held stays, people see it, chat changes it."""

from dataclasses import replace
from pathlib import Path

from bot.app.service import Service
from bot.core.messages import BotConfigured, BotSwitched, CloseRequested
from bot.core.presets import BotConfig
from bot.core.trade import Phase
from bot.core.universe import Rules
from bot.core.watching import Claim
from data.model import ExitReason
from tests.scenarios import actor
from tests.scenarios.stage import SYMBOL, Stage, stage

SYMBOLS = (SYMBOL, *(f"ALT{n}USDT" for n in range(7)))
RULES = Rules(fixed=(SYMBOL,), symbols_max=3, slot_ms=1_500, refresh_ms=600_000)


def turn_of(service: Service) -> set[str]:
    """Who has the turn now, as /universe would show it."""
    view = service.watchlist.view()
    return {watch.symbol for watch in view.watches if watch.claim is Claim.TURN}


async def card_on_a_turn(scene: Stage, service: Service, name: str = "1") -> str:
    """Wait for a symbol in turn that is warm, and put a card out for it: its name."""
    market = service.watchlist

    def warm() -> str:
        cold = market.view().warming
        return next((s for s in sorted(turn_of(service)) if s not in cold), "")

    await scene.until(lambda: bool(warm()), "somebody in turn is warm")
    symbol = warm()
    event = actor.signal_of(service, symbol, name)
    service.engine.post(event)
    trade_id = await scene.trade_of(service, event)
    await scene.until(
        lambda: service.engine.desk.trades[trade_id].phase is Phase.AWAITING_APPROVAL, "a card"
    )
    return symbol


async def test_turns_rotate_and_a_symbol_with_a_card_out_stays(tmp_path: Path) -> None:
    """Every symbol has its turn; the held one is watched through all of them, then goes."""
    async with (
        stage(tmp_path, SYMBOLS) as scene,
        scene.service(scene.part(), symbols=(SYMBOL,), universe=RULES) as service,
    ):
        assert service.world is not None
        world, seen = service.world, set[str]()
        held = await card_on_a_turn(scene, service)

        def all_seen() -> bool:
            assert {SYMBOL, held} <= set(world.symbols)
            assert len(world.symbols) <= RULES.symbols_max
            seen.update(turn_of(service))
            return seen >= set(SYMBOLS) - {SYMBOL, held}

        await scene.until(all_seen, "everybody else had a turn")
        await scene.say("/universe")
        await scene.chat_says(f"With a trade (1): {held}")
        await scene.chat_says("Next rotation in")
        assert world.market.window(held, "1m") is not None
        await scene.tap("Reject")
        await scene.until(lambda: held not in world.symbols, "it goes when nobody holds it")
        assert world.market.window(held, "1m") is None


async def test_a_bot_made_while_running_is_watched_for_at_once(tmp_path: Path) -> None:
    """A new bot's symbol and timeframe warm up without a restart; it can then be traded."""
    async with (
        stage(tmp_path, SYMBOLS) as scene,
        scene.service(scene.part(), symbols=(SYMBOL,)) as service,
    ):
        assert service.world is not None
        market = service.world.market
        first: BotConfig = service.engine.desk.bots["story"]
        made = replace(first, bot_id="more", symbols=("ALT3USDT",), timeframe="5m")
        assert market.window("ALT3USDT", "5m") is None
        service.engine.post(BotConfigured(config=made, by="owner"))
        service.engine.post(BotSwitched(bot_id="more", running=True, by="owner"))
        await scene.until(
            lambda: (
                market.window("ALT3USDT", "5m") is not None
                and market.mark_price("ALT3USDT") is not None
            ),
            "its window is warm",
        )
        event = actor.signal_of(service, "ALT3USDT", bot_id="more", timeframe="5m")
        service.engine.post(event)
        trade_id = await scene.trade_of(service, event)
        await scene.tap("Approve")
        await scene.until(
            lambda: service.engine.desk.trades[trade_id].phase is Phase.POSITION_ACTIVE,
            "a protected position",
        )


async def test_a_restart_goes_on_with_the_turn_it_left(tmp_path: Path) -> None:
    """Within a slot the same symbols are watched again, also when volumes cannot be had."""
    rules = replace(RULES, slot_ms=600_000)
    async with stage(tmp_path, SYMBOLS) as scene:
        async with scene.service(scene.part(), symbols=(SYMBOL,), universe=rules) as service:
            await scene.until(lambda: len(turn_of(service)) == 2, "two have the turn")
            first = turn_of(service)
        async with scene.service(scene.part(), symbols=(SYMBOL,), universe=rules) as service:
            await scene.until(lambda: len(turn_of(service)) == 2, "two have the turn")
            assert turn_of(service) == first


async def test_paper_trades_what_is_watched_later_and_remembers_it(tmp_path: Path) -> None:
    """The pretend exchange lists a symbol when it is named; a restart without it starts too."""
    async with stage(tmp_path, SYMBOLS) as scene:
        part = scene.part(paper=True, approval="auto")
        async with scene.service(part, symbols=(SYMBOL,)) as service:
            first = service.engine.desk.bots["story"]
            made = replace(first, bot_id="more", symbols=("ALT3USDT",))
            service.engine.post(BotConfigured(config=made, by="owner"))
            service.engine.post(BotSwitched(bot_id="more", running=True, by="owner"))
            assert service.world is not None
            market = service.world.market
            await scene.until(
                lambda: (
                    market.window("ALT3USDT", "1m") is not None
                    and market.mark_price("ALT3USDT") is not None
                ),
                "its window is warm",
            )
            event = actor.signal_of(service, "ALT3USDT", bot_id="more")
            service.engine.post(event)
            trade_id = await scene.trade_of(service, event)
            engine = service.engine
            await scene.until(
                lambda: engine.desk.trades[trade_id].phase is Phase.POSITION_ACTIVE, "protected"
            )
            closing = CloseRequested(trade_id=trade_id, reason=ExitReason.MANUAL, by="owner")
            service.engine.post(closing)
            await scene.until(
                lambda: engine.desk.trades[trade_id].phase is Phase.IDLE, "it is closed"
            )
            service.engine.post(BotSwitched(bot_id="more", running=False, by="owner"))
            await scene.until(lambda: market.window("ALT3USDT", "1m") is None, "it is let go")
        async with scene.service(part, symbols=(SYMBOL,)) as again:
            world = again.world
            assert world is not None
            assert not again.engine.desk.working()
            await scene.until(lambda: world.symbols == (SYMBOL,), "only the fixed one")


async def test_a_delisting_is_told_its_symbol_set_aside_and_its_card_refused(
    tmp_path: Path,
) -> None:
    """Told live by the exchange: no entries any more; with a position the date is warned of."""
    delivery_ms = 1_900_000_000_000
    async with (
        stage(tmp_path, SYMBOLS) as scene,
        scene.service(
            scene.part(), symbols=(SYMBOL,), universe=replace(RULES, slot_ms=600_000)
        ) as service,
    ):
        world = service.world
        assert world is not None
        engine = service.engine
        held = await card_on_a_turn(scene, service)
        await scene.contract(held, status="SETTLING", delivery_ms=delivery_ms)
        await scene.until(lambda: held in engine.desk.barred, "the desk knows")
        await scene.tap("Approve")
        await scene.chat_says(f"{held} is not traded now: SETTLING")
        assert not (await scene.truth())["orders"]
        await scene.until(lambda: held not in world.symbols, "it is let go")
        await scene.say("/universe")
        await scene.chat_says(f"{held}: not traded, SETTLING, delivery 2030-03-17")

        other = await card_on_a_turn(scene, service, "2")
        await scene.tap("Approve")
        await scene.until(
            lambda: any(t.phase is Phase.POSITION_ACTIVE for t in engine.desk.working()), "open"
        )
        await scene.contract(other, status="SETTLING", delivery_ms=delivery_ms)
        await scene.chat_says("A contract with a position of yours is no longer traded")
        await scene.chat_says("delivery: 2030-03-17")
        assert other in world.symbols
        await scene.contract(held, status="TRADING")
        await scene.until(lambda: held not in engine.desk.barred, "it trades again")
