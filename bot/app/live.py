"""The live service: from settings to a running world, and to an exit code.

Testnet and live trade at the exchange with the vault's keys; paper trades in here at real prices.
Without a Telegram token a chat page of our own stands in, without a Gemini key the rules answer;
live takes no way out silently. Must not know: how any of it works.
"""

import asyncio
import ipaddress
import secrets
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from bot import settings as configuration
from bot.advisor.budget import prices_of
from bot.advisor.gemini import GeminiConfig
from bot.app.advisers import ModelPlan, hire_model, hire_rules
from bot.app.analysis import plan_analysis
from bot.app.keys import ExchangeKeys, read_keys
from bot.app.people import OWNER
from bot.app.service import Hired, Makers, Service, ServiceOptions
from bot.app.worlds import ExchangeWorld, PaperWorld, World, WorldOptions
from bot.control.telegram import ControlSettings
from bot.core.guard import StopForm
from bot.core.presets import AUTO_BOUNDS, ApprovalMode, BotConfig, faults_of, from_preset
from bot.core.universe import Rules
from bot.sandbox.telegram_server import make_token, serve_telegram
from bot.settings import Mode, Settings
from bot.shell import log as logs
from bot.shell.clock import Clock, SystemClock
from bot.shell.errors import BotError, SettingFault
from bot.shell.ports import BarSink, EventSink
from bot.venue.gateway import GatewayOptions
from bot.venue.wire_requests import WorkingType
from data.store.errors import StoreError
from data.store.store import Store
from memory.shadow import Costs

ACCOUNT: Final = "main"
DEFAULT_BOT: Final = "signals"
PAPER_NOTE: Final = "paper:main"
LOCAL_RESYNC_S: Final = 5.0
DAY_MS: Final = 86_400_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """How people are reached: a token and where its Bot API is."""

    token: str
    base_url: str


def main(record: Path | None = None) -> int:
    """Run until SIGTERM or SIGINT. 0: stopped; 1: a fault; 2: a setting is wrong."""
    code = 0
    try:
        asyncio.run(_run(configuration.load(), record))
    except* SettingFault as wrong:
        sys.stderr.write("\n".join(str(fault) for fault in flat(wrong)) + "\n")
        code = 2
    except* (BotError, StoreError) as failed:
        for fault in flat(failed):
            log.critical("service_failed", fault=str(fault), kind=type(fault).__name__)
        code = 1
    return code


async def _run(settings: Settings, record: Path | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    set_up_logs(settings)
    async with AsyncExitStack() as stack:
        keys = None if settings.world is Mode.PAPER else await read_keys(settings, ACCOUNT)
        chat = await _chat(stack, settings)
        set_up_logs(settings, chat.token, *(keys.secrets() if keys is not None else ()))
        log.info("service_starting", mode=settings.world.value, exchange=settings.rest_url)
        service = Service(_options(settings, record), _makers(settings, chat, keys))
        await service.run(stop)


def set_up_logs(settings: Settings, *also: str) -> None:
    """Logging as the settings want it; these secrets, and those of the settings, are hidden."""
    logs.configure(
        level=settings.log_level.value,
        json_lines={"auto": None, "json": True, "console": False}[settings.log_format.value],
        secrets=(*settings.secrets(), *also),
    )


def default_bot(settings: Settings) -> BotConfig:
    """The bot a fresh database starts with: the preset under the settings' limits.

    Another preset than the default keeps its own numbers where the settings do not name one.
    """
    given = {
        "approval_mode": ("approval_mode", ApprovalMode(settings.approval_mode)),
        **{name: (name, getattr(settings, name)) for name in AUTO_BOUNDS},
        "risk_pct": ("risk_per_trade", settings.risk_per_trade),
        "score_threshold": ("score_threshold", settings.score_threshold),
        "signals_per_day_max": ("max_signals_per_day", settings.max_signals_per_day),
        "leverage": ("leverage", settings.leverage),
    }
    plain = settings.bot_preset == DEFAULT_BOT
    named = settings.model_fields_set
    changes = {name: value for name, (source, value) in given.items() if plain or source in named}
    told = {"preset": settings.bot_preset} | {name: str(value) for name, value in changes.items()}
    preset = from_preset(settings.bot_preset, bot_id=DEFAULT_BOT, user_id=OWNER, account_id=ACCOUNT)
    fields: dict[str, Any] = {**changes, "from_settings": tuple(told.items())}
    config = replace(preset, **fields)
    faults = faults_of(config)
    if faults:
        raise SettingFault("\n".join(faults))
    return config


def universe_rules(settings: Settings) -> Rules:
    """How the settings want the universe chosen."""
    return Rules(
        fixed=settings.fixed_symbols,
        excluded=settings.excluded_symbols,
        top=settings.top_volume_fetch_limit,
        symbols_max=settings.max_symbols_subscribed,
        age_ms_min=settings.min_symbol_age_days * DAY_MS,
        refresh_ms=settings.universe_refresh_seconds * 1000,
        slot_ms=settings.rotation_slot_seconds * 1000,
    )


def is_here(url: str) -> bool:
    """Whether an address is of this machine: only a sandbox lives there."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def flat(faults: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """Every exception of a group and its groups."""
    for fault in faults.exceptions:
        if isinstance(fault, BaseExceptionGroup):
            yield from flat(fault)
        else:
            yield fault


async def _chat(stack: AsyncExitStack, settings: Settings) -> Chat:
    if settings.telegram_bot_token is not None:
        return Chat(
            token=settings.telegram_bot_token.get_secret_value(),
            base_url=f"{settings.telegram_base_url.rstrip('/')}/bot",
        )
    assert settings.world is not Mode.LIVE, "the settings refuse live without a token"
    token = make_token(Random(secrets.randbits(64)))
    sandbox = await serve_telegram(
        settings.chat_port, token=token, seed=0, clock=SystemClock(), pace=1.0
    )
    stack.push_async_callback(sandbox.stop)
    sys.stdout.write(f"Chat page: {sandbox.address.chat}\n")
    sys.stdout.flush()
    return Chat(token=token, base_url=f"{sandbox.address.base_url}/bot")


def _options(settings: Settings, record: Path | None) -> ServiceOptions:
    return ServiceOptions(
        database_url=settings.database_url,
        account_id=ACCOUNT,
        venue_name=settings.world.value,
        bots=(default_bot(settings),),
        universe=universe_rules(settings),
        stop_form=StopForm(settings.stop_form),
        shadow_costs=Costs(
            fee_bps=settings.shadow_fee_bps, slippage_bps=settings.shadow_slippage_bps
        ),
        metrics_port=settings.metrics_port,
        record=record,
        notify_address=configuration.notify_address(),
        owner_chat=settings.telegram_chat_id,
    )


def model_plan(settings: Settings) -> ModelPlan:
    """The model the settings name, with its money. Raises SettingFault for a bad price."""
    assert settings.gemini_api_key is not None, "no key, no model"
    try:
        prices = prices_of(settings.gemini_prices)
    except ValueError as fault:
        raise SettingFault(f"GEMINI_PRICES: {fault}") from None
    return ModelPlan(
        gemini=GeminiConfig(
            api_key=settings.gemini_api_key.get_secret_value(),
            base_url=settings.gemini_base_url,
            api_version=settings.gemini_api_version,
            model=settings.gemini_model,
            fallback=settings.gemini_fallback_model,
            prices=prices,
        ),
        service_usd=settings.gemini_budget_usd,
        user_usd=settings.gemini_user_budget_usd,
        always=settings.fixed_symbols,
    )


def _makers(settings: Settings, chat: Chat, keys: ExchangeKeys | None) -> Makers:
    def make_world(
        *,
        clock: SystemClock,
        store: Store,
        sink: EventSink,
        bar_sink: BarSink,
        exposed: tuple[str, ...],
    ) -> World:
        options = _world_options(settings, exposed)
        if keys is not None:
            return ExchangeWorld(
                options,
                api_key=keys.api_key,
                api_secret=keys.api_secret,
                clock=clock,
                sink=sink,
                bar_sink=bar_sink,
                gateway_options=GatewayOptions(
                    working_type=WorkingType(settings.working_type.upper()), account_id=ACCOUNT
                ),
            )
        return PaperWorld(
            options,
            wallet_usdt=settings.paper_wallet_usdt,
            clock=clock,
            sink=sink,
            bar_sink=bar_sink,
            load=lambda: store.note(PAPER_NOTE),
            save=lambda text: store.set_note(PAPER_NOTE, text, user_id=OWNER),
        )

    def hire(clock: Clock, store: Store) -> Hired:
        if settings.gemini_api_key is None:
            log.info("adviser_chosen", advisor="rules", reason="GEMINI_API_KEY is not set")
            return hire_rules(clock, store)
        return hire_model(model_plan(settings), clock, store)

    badge = settings.world.value.upper()
    control = ControlSettings(token=chat.token, base_url=chat.base_url, mode_badge=badge)
    return Makers(
        world=make_world,
        advisor=hire,
        control=control,
        analysis=plan_analysis(
            settings.strategy_dir,
            settings.news_urls,
            frozenset(settings.excluded_symbols) - frozenset(settings.fixed_symbols),
        ),
    )


def _world_options(settings: Settings, exposed: tuple[str, ...]) -> WorldOptions:
    bots: Sequence[BotConfig] = (default_bot(settings),)
    here = is_here(settings.rest_url) and is_here(settings.ws_url)
    return WorldOptions(
        rest_url=settings.rest_url,
        ws_url=settings.ws_url,
        symbols=settings.fixed_symbols,
        held=exposed,
        timeframes=tuple(sorted({bot.timeframe for bot in bots})),
        sandbox_allowed=here and settings.world is not Mode.LIVE,
        sapi_url=settings.sapi_url,
        live=settings.world is Mode.LIVE,
        streams_per_connection=settings.ws_max_streams_per_conn,
        seed=secrets.randbits(32),
        resync_every_s=LOCAL_RESYNC_S if here else 0.0,
    )
