"""Log lines: readable by machines, and without any secret, wherever it hides."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from bot.shell.log import HIDDEN, configure, redactor

TOKEN = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQ"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything logged, as JSON lines; logging is put back afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure(level="debug", json_lines=True, secrets=("topsecretvalue",), stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_known_secret_is_hidden_at_any_depth(lines: io.StringIO) -> None:
    """In a field, a nested record, an exception's text and a library's own line."""
    log = structlog.get_logger("test")
    log.info("said", plain="topsecretvalue", nested={"a": ["x topsecretvalue y"]})
    try:
        raise ValueError("topsecretvalue inside")
    except ValueError:
        log.exception("failed")
    logging.getLogger("some.library").warning("url?key=%s", "topsecretvalue")
    text = lines.getvalue()
    assert "topsecretvalue" not in text
    assert text.count(HIDDEN) >= 4
    assert [json.loads(line)["event"] for line in text.splitlines()][:2] == ["said", "failed"]


@pytest.mark.parametrize(
    "text",
    [
        f"https://api.telegram.org/bot{TOKEN}/getMe",
        "key=AIzaSyA1234567890abcdefghijklmnopqrstu",
        "/fapi/v1/order?symbol=X&signature=0123456789abcdef0123456789abcdef",
        "wss://x/private/ws?listenKey=pqia91ma19a5s61cv6a81va65sdf19v8a65a1",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    """Tokens, keys, signatures and listen keys go by their shape, also those nobody told us."""
    hidden = redactor(())(None, "info", {"event": text})["event"]
    assert HIDDEN in hidden
    assert text not in hidden


def test_numbers_and_words_stay_as_they_are() -> None:
    """Nothing innocent is blotted out."""
    event = {"event": "order_sent", "price": 1.5, "count": 3, "ok": True, "none": None}
    assert redactor(("secretsecret", ""))(None, "info", event) == event
