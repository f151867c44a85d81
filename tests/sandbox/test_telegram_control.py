"""The person's side: the chat page, the control routes and who may use them."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, ReplyParameters

from tests.sandbox.telegram_world import World, telegram_world

STATIC = Path(__file__).parents[2] / "bot" / "sandbox" / "static"
KEYS = InlineKeyboardMarkup([[InlineKeyboardButton("Approve", callback_data="a1")]])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Host": "localhost:80"}, 200),
    ],
)
async def test_only_this_machine_and_this_page_may_ask(
    headers: dict[str, str], status: int
) -> None:
    """A rebound host name or another site's page is refused before anything happens."""
    async with telegram_world() as world:
        async with world.http.post(
            "/sandbox/message", json={"text": "hi"}, headers=headers
        ) as answer:
            assert answer.status == status
        kept = (await world.get("messages"))["messages"]
        assert len(kept) == (1 if status == 200 else 0)


async def test_the_page_is_whole_and_speaks_to_nobody_else() -> None:
    """Page, style and script come from here under a policy that forbids anything inline."""
    async with telegram_world() as world:
        for path, kind in (
            ("/", "text/html"),
            ("/chat", "text/html"),
            ("/static/chat.css", "text/css"),
            ("/static/chat.js", "text/javascript"),
        ):
            async with world.http.get(path) as answer:
                assert (answer.status, answer.content_type) == (200, kind)
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                text = await answer.text()
                assert world.sandbox.token not in text
                found = set(re.findall(r"https?://[^\s\"'`)]+", text))
                assert found <= {"http://www.w3.org/2000/svg", "http://${url}"}
        async with world.http.get("/static/../telegram_server.py") as answer:
            assert answer.status == 404


def test_the_script_never_parses_markup() -> None:
    """Text reaches the page through text nodes only."""
    script = (STATIC / "chat.js").read_text("utf-8")
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script


async def test_messages_show_what_is_now() -> None:
    """The view has current text, canonical HTML, buttons, quote and the number of edits."""
    async with telegram_world() as world:
        sent = await world.bot.send_message(1001, "a <b>b</b>", parse_mode="HTML")
        reply = await world.bot.send_message(
            1001, "c", reply_parameters=ReplyParameters(sent.message_id), reply_markup=KEYS
        )
        await world.bot.edit_message_text(
            "x &lt; <i>y</i>", 1001, sent.message_id, parse_mode="HTML"
        )
        first, second = (await world.get("messages"))["messages"]
        assert (first["html"], first["edits"]) == ("x &lt; <i>y</i>", 1)
        assert second["reply_to"] == {
            "message_id": sent.message_id,
            "name": "Trading bot",
            "text": "a b",
        }
        assert second["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == "a1"
        later = await world.get("messages", after=sent.message_id)
        assert [message["message_id"] for message in later["messages"]] == [reply.message_id]


async def test_a_tap_needs_a_button_that_is_there() -> None:
    """Taps go by data or by text, from any person; a gone button only by force."""
    async with telegram_world() as world:
        sent = await world.bot.send_message(1001, "card", reply_markup=KEYS)
        number = sent.message_id
        assert (await world.post("tap", message_id=number, text="Approve"))["ok"]
        assert (await world.post("tap", message_id=number, callback_data="a1", user_id=7))["ok"]
        await world.bot.edit_message_reply_markup(1001, number)
        gone = await world.post("tap", message_id=number, callback_data="a1")
        assert gone["description"] == "Bad Request: no such button on this message now"
        assert (await world.post("tap", message_id=number, callback_data="a1", force=True))["ok"]
        updates = (await world.call("getUpdates"))["result"]
        assert [update["callback_query"]["from"]["id"] for update in updates] == [1001, 7, 1001]
        assert updates[0]["callback_query"]["message"]["message_id"] == number


async def test_strangers_and_groups_have_their_own_chats() -> None:
    """Another user id is another person with another private chat; a negative chat is a group."""
    async with telegram_world() as world:
        await world.post("message", text="hi", user_id=666, first_name="Eve", username="eve")
        await world.post("message", text="hi all", user_id=666, chat_id=-5)
        both = [update["message"] for update in (await world.call("getUpdates"))["result"]]
        assert [(m["chat"]["id"], m["chat"]["type"]) for m in both] == [
            (666, "private"),
            (-5, "group"),
        ]
        assert both[0]["from"]["username"] == "eve"
        assert (await world.get("page"))["messages"] == []
        assert (await world.call("sendMessage", chat_id="@eve", text="x"))["ok"]
        wrong = await world.post("message", text="hi", user_id=666, chat_id=1001)
        assert wrong["ok"] is False


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("message", {"text": ""}),
        ("message", {"text": 5}),
        ("message", {"text": "x", "user_id": "me"}),
        ("tap", {"message_id": 99}),
        ("fault", {"kind": "gremlin"}),
        ("fault", {"kind": "drop", "times": 0}),
        ("info", {str(number): number for number in range(13)}),
    ],
)
async def test_wrong_control_requests_are_named(route: str, body: dict[str, Any]) -> None:
    """A test's own mistake gives a 400 that says what was expected."""
    async with telegram_world() as world:
        found = await world.post(route, **body)
        assert (found["ok"], found["error_code"]) == (False, 400)


async def _events(world: World, count: int, after: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with (
        asyncio.timeout(5),
        world.http.get("/sandbox/events", params={"after": str(after)}) as stream,
    ):
        async for line in stream.content:
            if line.startswith(b"data: "):
                event = json.loads(line[6:])
                if event["event"] not in {"hello", "tick"}:
                    found.append(event)
                if len(found) == count:
                    break
    return found


async def test_events_tell_everything_in_order() -> None:
    """A scripted person sees the card, the edit and the answer, each with the clock."""
    async with telegram_world() as world:
        sent = await world.bot.send_message(1001, "card", reply_markup=KEYS)
        tap = await world.post("tap", message_id=sent.message_id, text="Approve")
        await world.bot.answer_callback_query(tap["callback_query_id"], "ok")
        await world.bot.edit_message_text("done", 1001, sent.message_id)
        await world.bot.send_chat_action(1001, "typing")
        await world.bot.delete_message(1001, sent.message_id)
        await world.post("info", speed="30x")
        await world.post("info", market="walk", speed=None)
        events = await _events(world, 8)
        kinds = [event["event"] for event in events]
        assert kinds == ["message", "tap", "answer", "edit", "action", "delete", "info", "info"]
        assert events[-1]["info"] == {"market": "walk"}
        assert all(event["now_ms"] == world.clock.now_ms() for event in events)
        assert [event["seq"] for event in await _events(world, 1, after=7)] == [8]


async def test_a_stopping_server_lets_pages_and_pollers_go() -> None:
    """stop() ends open event streams and long polls at once instead of waiting for them."""
    async with telegram_world() as world:
        poll = asyncio.create_task(world.call("getUpdates", timeout=50))
        stream = asyncio.create_task(_events(world, 99))
        while world.sandbox.state.updates.pollers == 0 or world.sandbox.state.feed.listeners == 0:
            await asyncio.sleep(0)
        async with asyncio.timeout(3):
            await world.sandbox.stop()
            assert (await poll)["result"] == []
            assert await stream == []
