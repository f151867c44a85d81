"""Settings from the environment and `.env`, checked; the only file that reads the environment.

A fault is one line: the setting's name, its value (never a secret's) and what is allowed. Nobody
below this room sees `Settings`: adapters get plain arguments.
"""

import os
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.shell.errors import SettingFault


class Mode(StrEnum):
    """Which world the service trades in."""

    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"


class LogLevel(StrEnum):
    """The least important lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """`auto`: for people on a terminal, JSON lines elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


REST_URLS: Final = {
    Mode.PAPER: "https://fapi.binance.com",
    Mode.TESTNET: "https://demo-fapi.binance.com",
    Mode.LIVE: "https://fapi.binance.com",
}
WS_URLS: Final = {
    Mode.PAPER: "wss://fstream.binance.com",
    Mode.TESTNET: "wss://demo-fstream.binance.com",
    Mode.LIVE: "wss://fstream.binance.com",
}
SAPI_URLS: Final = {
    Mode.PAPER: "",
    Mode.TESTNET: "",  # the testnet has no wallet service
    Mode.LIVE: "https://api.binance.com",
}
HTTP: Final = r"^(https?://[^\s]+)?$"
WS: Final = r"^(wss?://[^\s]+)?$"
SYMBOL: Final = r"^[A-Z0-9]{2,30}$"
ALLOWED: Final = {HTTP: "an http:// or https:// address", WS: "a ws:// or wss:// address"}
Symbol = Annotated[str, Field(pattern=SYMBOL)]
Feed = Annotated[str, Field(pattern=HTTP, min_length=1, max_length=500)]


class Settings(BaseSettings):
    """Every setting, with its default and bounds. Names in the environment are in capitals."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    mode: Mode = Field(Mode.PAPER, description="paper, testnet or live")
    binance_testnet: bool = Field(False, description="true is the same as MODE=testnet")
    paper_wallet_usdt: Decimal = Field(
        Decimal(10_000), ge=10, le=100_000_000, description="what paper trading starts with"
    )

    binance_api_key: SecretStr | None = Field(
        None, description="the exchange key for testnet only; live keys belong into the vault"
    )
    binance_api_secret: SecretStr | None = Field(None, description="its secret")

    telegram_bot_token: SecretStr | None = Field(None, description="from @BotFather")
    telegram_chat_id: int | None = Field(None, description="the owner's chat")
    chat_port: int = Field(
        0, ge=0, le=65535, description="port of the stand-in chat page; 0 is a free one"
    )

    app_encryption_key: SecretStr | None = Field(
        None, description="opens the exchange keys in the database"
    )
    app_encryption_key_file: Path | None = Field(None, description="a file that holds that key")

    gemini_api_key: SecretStr | None = Field(None, description="without it: the rules adviser")
    gemini_model: str = Field("gemini-3.8-flash", min_length=1, description="the model asked")
    gemini_fallback_model: str = Field(
        "gemini-3.5-flash-lite",
        min_length=1,
        description="asked when the model is overloaded, and when the budget runs low",
    )
    gemini_budget_usd: Decimal = Field(
        Decimal(2), ge=0, le=1_000, description="USD a UTC day for the model; 0 is none"
    )
    gemini_user_budget_usd: Decimal = Field(
        Decimal(2), ge=0, le=1_000, description="of that, at most so much for one user"
    )
    gemini_prices: str = Field(
        "", max_length=2_000, description="prices of your own: MODEL=IN/OUT@YYYY-MM-DD"
    )
    bot_preset: str = Field(
        "signals",
        pattern="^(signals|futures-ai|scalper|multi)$",
        description="signals, futures-ai, scalper or multi: what the bot begins as",
    )
    approval_mode: str = Field(
        "approve",
        pattern="^(signal-only|approve|auto|auto-below)$",
        description="signal-only, approve, auto or auto-below: who has the last word on an entry",
    )
    auto_notional_usdt_max: Decimal = Field(
        Decimal(0), ge=0, le=10_000_000, description="auto-below asks for positions worth more"
    )
    auto_risk_usdt_max: Decimal = Field(
        Decimal(0), ge=0, le=1_000_000, description="auto-below asks when more is lost at the stop"
    )
    auto_risk_pct_max: Decimal = Field(
        Decimal(0), ge=0, le=10, description="the same, in percent of the wallet"
    )
    risk_per_trade: Decimal = Field(
        Decimal("1.0"), ge=Decimal("0.01"), le=10, description="percent of the wallet at the stop"
    )
    max_signals_per_day: int = Field(5, ge=0, le=10_000, description="signals of a bot a UTC day")
    score_threshold: float = Field(75.0, ge=0, le=100, description="least score of a signal")
    leverage: int = Field(5, ge=1, le=125, description="leverage of a position")
    stop_form: str = Field(
        "close_position",
        pattern="^(close_position|quantity)$",
        description="close_position or quantity: what a stop tells the exchange to close",
    )
    working_type: str = Field(
        "mark_price",
        pattern="^(mark_price|contract_price)$",
        description="mark_price or contract_price: the price that fires stops and targets",
    )
    shadow_fee_bps: float = Field(
        5.0, ge=0, le=100, description="taker fee of a signal that was kept out, each way"
    )
    shadow_slippage_bps: float = Field(
        2.0, ge=0, le=100, description="slippage of such a signal, each way"
    )

    fixed_symbols: Annotated[tuple[Symbol, ...], NoDecode] = Field(
        ("BTCUSDT", "ETHUSDT", "BNBUSDT"), min_length=1, description="always watched"
    )
    max_symbols_subscribed: int = Field(40, ge=1, le=600, description="most watched at once")
    excluded_symbols: Annotated[tuple[Symbol, ...], NoDecode] = Field(
        (), description="never rotated in"
    )
    min_symbol_age_days: int = Field(
        0, ge=0, le=3_650, description="days since its listing before a symbol is rotated in"
    )
    top_volume_fetch_limit: int = Field(300, ge=1, le=1000, description="symbols by volume")
    universe_refresh_seconds: int = Field(21_600, ge=60, le=604_800, description="its renewal")
    rotation_slot_seconds: int = Field(1_800, ge=60, le=86_400, description="a symbol's turn")
    ws_max_streams_per_conn: int = Field(50, ge=1, le=1024, description="streams a connection")

    strategy_dir: Path | None = Field(None, description="a folder of strategies of your own")
    news_urls: Annotated[tuple[Feed, ...], NoDecode] = Field(
        (), max_length=10, description="feeds (RSS, Atom, JSON) for strategies that want news"
    )

    database_url: str = Field(
        "sqlite+aiosqlite:///var/bot.db",
        pattern=r"^sqlite\+aiosqlite:///.+",
        description="sqlite+aiosqlite:///FILE",
    )
    binance_rest_url: str = Field("", pattern=HTTP, description="REST address; empty: by mode")
    binance_ws_url: str = Field("", pattern=WS, description="stream address; empty: by mode")
    binance_sapi_url: str = Field(
        "",
        pattern=HTTP,
        description="wallet service that tells a key's permissions; empty: by mode",
    )
    telegram_base_url: str = Field(
        "https://api.telegram.org", pattern=HTTP, min_length=1, description="the Bot API's address"
    )
    gemini_base_url: str = Field(
        "https://generativelanguage.googleapis.com",
        pattern=HTTP,
        min_length=1,
        description="the model's address",
    )
    gemini_api_version: str = Field("v1beta", min_length=1, description="the model's API version")

    log_level: LogLevel = Field(LogLevel.INFO, description="debug, info, warning or error")
    log_format: LogFormat = Field(LogFormat.AUTO, description="auto, console or json")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="loopback port of the metrics page; 0 is none"
    )

    @model_validator(mode="before")
    @classmethod
    def _split_lists(cls, values: Any) -> Any:
        for field in ("fixed_symbols", "excluded_symbols"):
            if isinstance(values, dict) and isinstance(values.get(field), str):
                names = values[field].upper().replace(";", ",").split(",")
                values = {**values, field: tuple(n.strip() for n in names if n.strip())}
        if isinstance(values, dict) and isinstance(values.get("news_urls"), str):
            values = {**values, "news_urls": tuple(values["news_urls"].replace(",", " ").split())}
        return values

    @model_validator(mode="after")
    def _fixed_is_not_excluded(self) -> "Settings":
        both = sorted(set(self.fixed_symbols) & set(self.excluded_symbols))
        if both:
            raise ValueError(f"EXCLUDED_SYMBOLS has {', '.join(both)}, which FIXED_SYMBOLS has too")
        return self

    @model_validator(mode="after")
    def _testnet_is_a_mode(self) -> "Settings":
        if self.binance_testnet and self.mode is Mode.LIVE:
            raise ValueError("BINANCE_TESTNET is true and MODE is live; choose one of them")
        return self

    @property
    def world(self) -> Mode:
        """The mode, with the seeds' BINANCE_TESTNET taken into account."""
        return Mode.TESTNET if self.binance_testnet else self.mode

    @property
    def rest_url(self) -> str:
        """The exchange's REST address, without a slash at its end."""
        return (self.binance_rest_url or REST_URLS[self.world]).rstrip("/")

    @property
    def ws_url(self) -> str:
        """The exchange's stream address, without a slash at its end."""
        return (self.binance_ws_url or WS_URLS[self.world]).rstrip("/")

    @property
    def sapi_url(self) -> str:
        """The wallet service's address, without a slash at its end; "" where there is none."""
        return (self.binance_sapi_url or SAPI_URLS[self.world]).rstrip("/")

    def secrets(self) -> tuple[str, ...]:
        """Every secret's plain text, for the log's redaction."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return tuple(v.get_secret_value() for v in values if isinstance(v, SecretStr))


def load(env_file: Path | None = Path(".env"), **given: object) -> Settings:
    """Read and check everything. Raises SettingFault: one line for each fault."""
    kind: Any = Settings
    try:
        settings: Settings = kind(_env_file=env_file, **given)
    except ValidationError as error:
        lines = {_name(fault): _line(fault, env_file) for fault in reversed(error.errors())}
        raise SettingFault("\n".join(lines[name] for name in sorted(lines))) from None
    except UnicodeDecodeError as error:
        raise SettingFault(f"{env_file} is not UTF-8 text: {error.reason}") from None
    _refuse_half_a_live(settings)
    return settings


def master_key_text(settings: Settings) -> str | None:
    """The text of the key that opens the vault: setting, file, or systemd's credential.

    None when there is none. Raises SettingFault when a named file cannot be read.
    """
    if settings.app_encryption_key is not None:
        return settings.app_encryption_key.get_secret_value()
    path = settings.app_encryption_key_file
    if path is None:
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        path = Path(folder) / "master.key" if folder else None
        if path is None or not path.exists():
            return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingFault(
            f"APP_ENCRYPTION_KEY_FILE is {str(path)!r}, which cannot be read ({error}); allowed is"
            " a readable file with the key of `python -m bot vault init`"
        ) from None


def notify_address() -> str | None:
    """Where systemd wants to hear that the service is ready (NOTIFY_SOCKET); None without it."""
    return os.environ.get("NOTIFY_SOCKET") or None


def _refuse_half_a_live(settings: Settings) -> None:
    if settings.world is not Mode.LIVE:
        return
    if settings.telegram_bot_token is None:
        raise SettingFault(
            "TELEGRAM_BOT_TOKEN is not set; MODE=live needs it, no chat page stands in"
        )
    if settings.binance_api_key is not None or settings.binance_api_secret is not None:
        raise SettingFault(
            "BINANCE_API_KEY is set; with MODE=live keys are taken from the vault only: remove it"
            " and use `python -m bot vault add-account`"
        )


def _name(fault: Any) -> str:
    return str(fault["loc"][0]) if fault["loc"] else ""


def _line(fault: Any, env_file: Path | None) -> str:
    name = _name(fault)
    if not name:
        return str(fault["msg"]).removeprefix("Value error, ")
    field = Settings.model_fields[name]
    shown = "a secret" if _is_secret(field) else repr(_given(name, env_file))
    return f"{name.upper()} is {shown}; allowed is {_allowed(field)}"


def _given(name: str, env_file: Path | None) -> str:
    for key, value in os.environ.items():
        if key.lower() == name:
            return value
    if env_file is not None and env_file.is_file():
        for line in env_file.read_text(encoding="utf-8", errors="replace").splitlines():
            key, sign, value = line.partition("=")
            if sign and key.strip().lower() == name:
                return value.strip()
    return "not usable"


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def _allowed(field: FieldInfo) -> str:
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(member.value for member in kind)
    if kind is bool:
        return "true or false"
    if get_origin(kind) is tuple:
        feeds = Feed in get_args(kind)
        return "a list of addresses" if feeds else "a list of symbols such as BTCUSDT,ETHUSDT"
    least = next((m.ge for m in field.metadata if hasattr(m, "ge")), None)
    most = next((m.le for m in field.metadata if hasattr(m, "le")), None)
    if least is not None and most is not None:
        return f"{least} to {most}"
    if int in (kind, *get_args(kind)):
        return "a whole number"
    patterns = [getattr(mark, "pattern", None) for mark in field.metadata]
    return next((ALLOWED[p] for p in patterns if p in ALLOWED), field.description or "a text")
