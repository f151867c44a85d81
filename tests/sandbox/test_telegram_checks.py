"""Telegram's limits, each from both sides."""

import pytest

from bot.sandbox.telegram_checks import (
    CHATS_PACED_MAX,
    Json,
    Pace,
    Refused,
    check_caption,
    check_commands,
    check_markup,
    check_photo,
    check_text,
    formatted,
)
from tests.sandbox.telegram_world import PNG


class Wall:
    """A wall clock that stands still until told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now_s


def _inline(**button: object) -> Json:
    return {"inline_keyboard": [[{"text": "x", **button}]]}


def _png(width: int, height: int) -> bytes:
    return PNG[:16] + width.to_bytes(4) + height.to_bytes(4) + PNG[24:]


def test_lengths_count_after_parsing() -> None:
    """4096 visible characters pass whatever the tags add; one more does not."""
    source = f"<b>{'&lt;' * 4096}</b>"
    assert len(check_text(formatted(source, parse_mode="HTML", entities=None)).text) == 4096
    with pytest.raises(Refused, match="message is too long"):
        check_text(formatted("x" * 4097, parse_mode=None, entities=None))
    check_caption(formatted("x" * 1024, parse_mode=None, entities=None))
    with pytest.raises(Refused, match="message caption is too long"):
        check_caption(formatted("x" * 1025, parse_mode=None, entities=None))


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        (_inline(callback_data="x" * 65), "BUTTON_DATA_INVALID"),
        (_inline(callback_data="é" * 33), "BUTTON_DATA_INVALID"),
        (_inline(callback_data=""), "Text buttons are unallowed in the inline keyboard"),
        (_inline(callback_data="x", style="gold"), "Invalid button style specified"),
        (_inline(url="javascript:alert(1)"), "Wrong HTTP URL"),
        (_inline(url="http://localhost/x"), "Wrong HTTP URL"),
        (_inline(web_app={"url": "http://x.y"}), "Only HTTPS links are allowed"),
        (_inline(copy_text={"text": "x" * 257}), "BUTTON_COPY_TEXT_INVALID"),
        ({"inline_keyboard": [[{"callback_data": "x"}]]}, 'Can\'t find field "text"'),
        ({"inline_keyboard": [[{"text": 5}]]}, 'Field "text" must be of type String'),
        ({"inline_keyboard": [{"text": "x"}]}, "must be an Array of Arrays"),
        ({"inline_keyboard": [[{"text": "x", "callback_data": "y"}] * 101]}, "too long"),
        (["x"], "object expected as reply markup"),
        ({"keyboard": [[{"text": ""}]]}, "must be non-empty"),
    ],
)
def test_wrong_buttons_are_refused(markup: object, words: str) -> None:
    """No button that Telegram would not show is kept."""
    with pytest.raises(Refused) as refused:
        check_markup(markup)
    assert words in refused.value.text
    assert refused.value.code == 400


@pytest.mark.parametrize(
    "markup",
    [
        _inline(callback_data="x" * 64),
        _inline(callback_data="é" * 32, style="danger"),
        _inline(url="https://t.me/x"),
        _inline(switch_inline_query_current_chat="q"),
        {"inline_keyboard": [[{"text": "x", "callback_data": "y"}]] * 100},
        {"keyboard": [[{"text": "a"}]]},
        {"remove_keyboard": True},
        {"force_reply": True},
    ],
)
def test_right_buttons_are_kept_as_they_came(markup: Json) -> None:
    """What is allowed comes back unchanged."""
    assert check_markup(markup) == markup


def test_an_empty_keyboard_is_none() -> None:
    """Editing to an empty keyboard removes the buttons; the 'not modified' check relies on it."""
    assert check_markup({"inline_keyboard": []}) is None
    assert check_markup({"inline_keyboard": [[]]}) is None


@pytest.mark.parametrize(
    ("name", "description", "words"),
    [
        ("Start", "x", "BOT_COMMAND_INVALID"),
        ("a-b", "x", "BOT_COMMAND_INVALID"),
        ("", "x", "command must not be empty"),
        ("x" * 33, "x", "command length must not exceed 32"),
        ("ok", "", "command description must not be empty"),
        ("ok", "x" * 257, "command description length must not exceed 256"),
    ],
)
def test_wrong_commands_are_refused(name: str, description: str, words: str) -> None:
    """Names are 1-32 of a-z, 0-9 and underscore; descriptions 1-256 characters."""
    with pytest.raises(Refused) as refused:
        check_commands([{"command": name, "description": description}])
    assert refused.value.text == f"Bad Request: {words}"


def test_a_hundred_commands_are_the_most() -> None:
    """The hundred and first is too much."""
    commands = [{"command": f"c{number}", "description": "x"} for number in range(101)]
    assert len(check_commands(commands[:100])) == 100
    with pytest.raises(Refused, match="BOT_COMMANDS_TOO_MUCH"):
        check_commands(commands)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "IMAGE_PROCESS_FAILED"),
        (b"\x89PNG\r\n\x1a\n", "IMAGE_PROCESS_FAILED"),
        (b"\xff\xd8\xff\xff\xff", "IMAGE_PROCESS_FAILED"),
        (_png(9000, 1001), "PHOTO_INVALID_DIMENSIONS"),
        (_png(2100, 100), "PHOTO_INVALID_DIMENSIONS"),
        (_png(0, 100), "PHOTO_INVALID_DIMENSIONS"),
        (PNG + bytes(10 * 1024 * 1024), "is too big for a photo"),
    ],
)
def test_wrong_pictures_are_refused(data: bytes, words: str) -> None:
    """A picture must be one, of at most 10 MB, 10000 pixels of sides and a ratio of 20."""
    with pytest.raises(Refused) as refused:
        check_photo(data)
    assert words in refused.value.text


def test_a_jpeg_tells_its_size() -> None:
    """Width and height are read behind the tables that come before them."""
    tables = b"\xff\xe0\x00\x04ab" + b"\xff\xc4\x00\x03x"
    size = b"\xff\xc0\x00\x0b\x08" + (48).to_bytes(2) + (64).to_bytes(2) + bytes(8)
    picture = check_photo(b"\xff\xd8" + tables + size)
    assert (picture.width, picture.height, picture.suffix) == (64, 48, "jpg")


def test_a_chat_takes_a_burst_then_one_a_second() -> None:
    """Five at once, then 429 with one second; each second lets one more through."""
    wall = Wall()
    pace = Pace(factor=1.0, now_s=wall)
    for _ in range(5):
        pace.take(1001)
    with pytest.raises(Refused) as refused:
        pace.take(1001)
    assert refused.value.wire() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1},
    }
    wall.now_s += 1.0
    pace.take(1001)
    with pytest.raises(Refused):
        pace.take(1001)


def test_all_chats_together_take_thirty_a_second() -> None:
    """The thirty-first message of a moment waits, whoever it is for."""
    pace = Pace(factor=1.0, now_s=Wall())
    for chat_id in range(1, 31):
        pace.take(chat_id)
    with pytest.raises(Refused, match="retry after 1"):
        pace.take(31)


def test_a_group_takes_twenty_a_minute() -> None:
    """A group's bucket refills once in three seconds."""
    pace = Pace(factor=1.0, now_s=Wall())
    for _ in range(20):
        pace.take(-5)
    with pytest.raises(Refused, match="retry after 3"):
        pace.take(-5)


def test_a_factor_speeds_every_limit() -> None:
    """A demo ten times as fast may send ten times as much."""
    wall = Wall()
    pace = Pace(factor=10.0, now_s=wall)
    for _ in range(50):
        pace.take(1001)
    with pytest.raises(Refused):
        pace.take(1001)
    wall.now_s += 0.1
    pace.take(1001)


def test_the_pace_forgets_old_chats_not_the_whole() -> None:
    """Memory is bounded, and many chats cannot wash away the limit over all of them."""
    wall = Wall()
    pace = Pace(factor=1.0, now_s=wall)
    for chat_id in range(1, CHATS_PACED_MAX + 50):
        wall.now_s += 1 / 30
        pace.take(chat_id)
    for chat_id in range(5_000, 5_029):
        pace.take(chat_id)
    with pytest.raises(Refused):
        pace.take(6_000)
