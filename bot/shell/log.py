"""Logging: structlog set up once, for people on a terminal and as JSON lines elsewhere.

Secrets never reach a line: the ones we know by their text, others by their shape. Must not know:
settings; it gets plain arguments.
"""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog

HIDDEN: Final = "[hidden]"
SECRET_LENGTH_MIN: Final = 6  # shorter texts would blot out innocent words
# Shapes: a Telegram token; a Gemini key; our signature and listen key in an address.
SHAPES: Final = (
    re.compile(r"(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}"),
    re.compile(r"\bAIza[0-9A-Za-z_-]{20,}"),
    re.compile(r"(?<=signature=)[0-9A-Za-z%+/=_-]{16,}"),
    re.compile(r"(?<=listenKey=)[0-9A-Za-z]{16,}"),
)
# Libraries that write whole addresses (with tokens) at INFO, or a line a request.
QUIET: Final = (
    "httpx",
    "httpcore",
    "telegram",
    "aiohttp.access",
    "apscheduler",
    "websockets",
    "alembic",
)

EventDict = MutableMapping[str, Any]


def redactor(secrets: Iterable[str]) -> Callable[[Any, str, EventDict], EventDict]:
    """A structlog processor that hides known secrets and what looks like one, at any depth."""
    known = sorted({s for s in secrets if len(s) >= SECRET_LENGTH_MIN}, key=len, reverse=True)

    def hide(value: Any) -> Any:
        if isinstance(value, str):
            for secret in known:
                value = value.replace(secret, HIDDEN)
            for shape in SHAPES:
                value = shape.sub(HIDDEN, value)
            return value
        if isinstance(value, Mapping):
            return {hide(key): hide(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [hide(item) for item in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return hide(str(value))

    def redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
        return {key: hide(value) for key, value in event.items()}

    return redact


def configure(
    *,
    level: str = "info",
    json_lines: bool | None = None,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send every log line, also of libraries, through one pipe to `stream` (stderr by default).

    `json_lines` None: JSON unless the stream is a terminal.
    """
    out = stream or sys.stderr
    plain = out.isatty() if json_lines is None else not json_lines
    redact: Any = redactor(secrets)
    shared: list[Any] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=True)
        if plain
        else structlog.processors.JSONRenderer(sort_keys=False)
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,  # before redaction: traces hold arguments
                redact,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
