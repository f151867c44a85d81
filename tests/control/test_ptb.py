"""What the library says is sorted by what it means for us; what it cannot read is sifted out."""

import json

import pytest
from telegram.error import (
    BadRequest,
    Conflict,
    Forbidden,
    NetworkError,
    TelegramError,
    TimedOut,
)

from bot.control.chat import ChatRefused, ChatUnreached, Refusal
from bot.control.ptb import SiftingRequest, TooManyRequests, sorted_error, wait_of
from bot.shell.errors import Unknown

GOOD = {
    "update_id": 7,
    "message": {
        "message_id": 1,
        "date": 1_790_000_000,
        "chat": {"id": 5, "type": "private"},
        "from": {"id": 5, "is_bot": False, "first_name": "Lan"},
        "text": "hi",
    },
}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadRequest("Message is not modified: same"), Refusal.NOT_MODIFIED),
        (BadRequest("Can't parse entities: unclosed tag"), Refusal.UNREADABLE),
        (BadRequest("Message to edit not found"), Refusal.VANISHED),
        (BadRequest("Message can't be edited"), Refusal.VANISHED),
        (BadRequest("Chat not found"), Refusal.GONE),
        (BadRequest("Something new"), Refusal.OTHER),
        (Forbidden("bot was blocked by the user"), Refusal.GONE),
        (Conflict("terminated by other getUpdates"), Refusal.OTHER),
        (TooManyRequests(7.0), Refusal.SLOW),
        (TelegramError("odd"), Refusal.OTHER),
    ],
)
def test_refusals_are_told_apart(error: TelegramError, kind: Refusal) -> None:
    """Each refusal has the kind whose remedy helps."""
    found = sorted_error(error)
    assert isinstance(found, ChatRefused)
    assert found.kind is kind
    assert found.retry_after_s == (7.0 if kind is Refusal.SLOW else 0.0)


def test_doubt_is_not_a_refusal() -> None:
    """A time-out or a cut leaves the outcome unknown; no connection surely sent nothing."""
    assert isinstance(sorted_error(TimedOut()), Unknown)
    assert isinstance(sorted_error(NetworkError("httpx.ReadError: ")), Unknown)
    assert isinstance(sorted_error(NetworkError("Bad Gateway")), Unknown)
    assert isinstance(sorted_error(NetworkError("httpx.ConnectError: refused")), ChatUnreached)
    assert isinstance(sorted_error(TimedOut("Pool timeout: all busy")), ChatUnreached)


@pytest.mark.parametrize(
    "broken",
    [
        {"update_id": 6, "message": {"message_id": "x"}},
        {"update_id": 6, "callback_query": 17},
        {"update_id": 6, "message": {**GOOD["message"], "date": 10**30}},  # type: ignore[dict-item]
        {"update_id": 6, "message": []},
        {"update_id": 6, "message": {**GOOD["message"], "chat": None}},  # type: ignore[dict-item]
    ],
)
def test_a_broken_update_is_emptied_and_still_confirmed(broken: object) -> None:
    """It keeps its number, so it never comes again, and the good one behind it is untouched."""
    sifter = SiftingRequest()
    sifted = json.loads(sifter.sift(json.dumps({"ok": True, "result": [broken, GOOD]}).encode()))
    assert sifted["result"][1] == GOOD
    # What the library reads by itself (an empty list is "no message") may pass as it is.
    assert sifted["result"][0]["update_id"] == 6


def test_what_has_no_number_is_left_out() -> None:
    """Neither texts nor lists nor negative numbers are updates."""
    sifter = SiftingRequest()
    strange = ["text", 5, None, [], {}, {"update_id": "six"}, {"update_id": -1}]
    sifted = json.loads(sifter.sift(json.dumps({"ok": True, "result": [*strange, GOOD]}).encode()))
    assert sifted["result"] == [GOOD]
    assert sifter.malformed == len(strange)


def test_answers_that_are_no_updates_pass_untouched() -> None:
    """What is no list of updates is the library's own affair."""
    sifter = SiftingRequest()
    for payload in (b"not json", b"[]", b'{"ok": false}', b'{"ok": true, "result": true}'):
        assert sifter.sift(payload) == payload


@pytest.mark.parametrize(
    ("payload", "wait_s"),
    [
        (b'{"parameters": {"retry_after": 7}}', 7.0),
        (b'{"parameters": {"retry_after": 1e9}}', 3600.0),
        (b'{"parameters": {"retry_after": NaN}}', 5.0),
        (b'{"parameters": {"retry_after": -1}}', 5.0),
        (b"{}", 5.0),
        (b"[]", 5.0),
        (b"slow down", 5.0),
    ],
)
def test_a_wait_is_always_a_sane_number_of_seconds(payload: bytes, wait_s: float) -> None:
    """Whatever a 429 carries, the pause is finite and not negative."""
    assert wait_of(payload) == wait_s
