"""The pretend Telegram through an unpatched python-telegram-bot and through bare HTTP."""

import asyncio
from random import Random

import aiohttp
import pytest
from aiohttp import web
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeChat,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    MenuButtonCommands,
    Update,
)
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter
from telegram.ext import Application, CallbackQueryHandler, CommandHandler, ContextTypes

from bot.sandbox.telegram_server import make_token, serve_telegram
from bot.shell.clock import VirtualClock
from tests.sandbox.telegram_world import NOON_MS, PNG, TOKEN, World, telegram_world

KEYS = InlineKeyboardMarkup(
    [[InlineKeyboardButton("Approve", callback_data="a1", style="success")]]
)


async def test_a_whole_conversation_with_ptb() -> None:
    """Command in, card out, tap in, answer and edit out: polling, without one patch."""
    async with telegram_world() as world:
        root = world.sandbox.address.base_url
        app = Application.builder().token(TOKEN).base_url(f"{root}/bot").build()
        done = asyncio.Event()

        async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
            assert update.message is not None
            await update.message.reply_html(f"<b>Hi</b> {context.args}", reply_markup=KEYS)

        async def tapped(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
            del context
            assert update.callback_query is not None
            await update.callback_query.answer("Approved", show_alert=True)
            await update.callback_query.edit_message_text("Done")
            done.set()

        app.add_handler(CommandHandler("start", start))
        app.add_handler(CallbackQueryHandler(tapped))
        async with app:
            await app.start()
            assert app.updater is not None
            await app.updater.start_polling(timeout=5)
            await world.post("message", text="/start CODE")
            card = await _wait_for(world, "Hi ['CODE']")
            tap = await world.post("tap", message_id=card["message_id"], text="Approve")
            async with asyncio.timeout(5):
                await done.wait()
            await app.updater.stop()
            await app.stop()
        now = (await world.get("messages"))["messages"][-1]
        assert (now["html"], now["edits"], now["reply_markup"]) == ("Done", 1, None)
        answers = (await world.get("answers", callback_query_id=tap["callback_query_id"]))[
            "answers"
        ]
        assert [(a["text"], a["show_alert"], a["accepted"]) for a in answers] == [
            ("Approved", True, True)
        ]


async def _wait_for(world: World, text: str) -> dict[str, object]:
    async with (
        asyncio.timeout(5),
        world.http.get("/sandbox/events", params={"after": "0"}) as events,
    ):
        async for line in events.content:
            if line.startswith(b"data: "):
                for message in (await world.get("messages"))["messages"]:
                    if text in message["text"]:
                        return dict(message)
    raise AssertionError(text)


async def test_profile_calls_of_ptb() -> None:
    """Commands by scope and language, menu, descriptions and chats come back as they were set."""
    async with telegram_world() as world:
        bot = world.bot
        assert bot.username == "trading_sandbox_bot"
        await bot.set_my_commands([BotCommand("help", "Help")])
        await bot.set_my_commands(
            [BotCommand("panic", "Close all")], scope=BotCommandScopeChat(1001), language_code="vi"
        )
        assert [c.command for c in await bot.get_my_commands()] == ["help"]
        scoped = await bot.get_my_commands(scope=BotCommandScopeChat(1001), language_code="vi")
        assert [c.command for c in scoped] == ["panic"]
        assert [c["command"] for c in (await world.get("page"))["commands"]] == ["help"]
        await world.post("message", text="chào", language_code="vi")
        assert [c["command"] for c in (await world.get("page"))["commands"]] == ["panic"]
        await bot.delete_my_commands()
        assert await bot.get_my_commands() == ()
        await bot.set_chat_menu_button(1001, MenuButtonCommands())
        await bot.set_my_description("Trades futures")
        await bot.set_my_short_description("Trades")
        assert (await bot.get_my_description()).description == "Trades futures"
        message = await bot.send_message(1001, "pin me")
        await bot.pin_chat_message(1001, message.message_id)
        chat = await bot.get_chat(1001)
        assert chat.pinned_message is not None
        assert chat.pinned_message.text == "pin me"
        await bot.unpin_chat_message(1001)
        assert (await bot.get_chat(1001)).pinned_message is None
        assert await bot.send_chat_action(1001, "typing")
        assert await bot.send_message_draft(1001, 7, "thinking")


async def test_pictures_of_ptb() -> None:
    """A picture goes up by multipart, again by id, is replaced, captioned and downloaded."""
    async with telegram_world() as world:
        sent = await world.bot.send_photo(1001, PNG, caption="<i>chart</i>", parse_mode="HTML")
        assert (sent.photo[0].width, sent.photo[0].height, sent.caption) == (640, 480, "chart")
        again = await world.bot.send_photo(1001, sent.photo[0].file_id)
        assert again.photo[0].file_unique_id == sent.photo[0].file_unique_id
        other = PNG + b"other"
        edited = await world.bot.edit_message_media(
            InputMediaPhoto(other, caption="new"), 1001, sent.message_id
        )
        assert isinstance(edited, type(sent))
        assert edited.caption == "new"
        await world.bot.edit_message_caption(1001, sent.message_id, caption="newer")
        file = await world.bot.get_file(edited.photo[0].file_id)
        assert bytes(await file.download_as_bytearray()) == other
        with pytest.raises(BadRequest, match=r"IMAGE_PROCESS_FAILED|Image_process_failed"):
            await world.bot.send_photo(1001, b"no picture")
        document = await world.bot.send_document(1001, b"a,b\n1,2\n", filename="trades.csv")
        assert document.document is not None
        assert document.document.file_name == "trades.csv"
        view = (await world.get("messages"))["messages"][-1]
        async with world.http.get(view["file"]["url"]) as page:
            assert page.headers["Content-Disposition"] == "attachment"


# The library warns that retry_after will become a timedelta, whenever it meets a 429.
@pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")
async def test_errors_reach_ptb_as_its_own_classes() -> None:
    """Wrong token, flood, conflict, blocked and 5xx map to the library's error tree."""
    async with telegram_world(pace=1.0) as world:
        root = world.sandbox.address.base_url
        with pytest.raises(InvalidToken):
            async with Bot(TOKEN[:-1] + "x", base_url=f"{root}/bot"):
                pass
        first = asyncio.create_task(world.bot.get_updates(timeout=20))
        while world.sandbox.state.updates.pollers == 0:
            await asyncio.sleep(0)
        second = asyncio.create_task(world.call("getUpdates", timeout=20))
        with pytest.raises(Conflict):
            await first
        await world.post("message", text="the newer poller gets it")
        assert len((await second)["result"]) == 1
        with pytest.raises(RetryAfter):  # noqa: PT012 - the burst that passes is not published
            for number in range(10):
                await world.bot.send_message(1001, f"message {number}")
        await world.post("block")
        with pytest.raises(Forbidden):
            await world.bot.send_message(1001, "x")
        await world.post("fault", kind="http_500", method="getMe")
        with pytest.raises(NetworkError):
            await world.bot.get_me()
        assert (await world.bot.get_me()).is_bot


@pytest.mark.parametrize(
    ("method", "params", "description"),
    [
        ("sendMessage", {"text": "x"}, "chat_id is empty"),
        ("sendMessage", {"chat_id": 5, "text": "x"}, "chat not found"),
        ("sendMessage", {"chat_id": 1001, "text": " "}, "message text is empty"),
        ("sendMessage", {"chat_id": 1001, "text": "x" * 4097}, "message is too long"),
        (
            "sendMessage",
            {"chat_id": 1001, "text": "<b>x", "parse_mode": "HTML"},
            "can't parse entities: Can't find end tag corresponding to start tag \"b\"",
        ),
        (
            "sendMessage",
            {"chat_id": 1001, "text": "*x*", "parse_mode": "MarkdownV2"},
            "can't parse entities: this sandbox reads only HTML",
        ),
        (
            "sendMessage",
            {"chat_id": 1001, "text": "x", "reply_parameters": {"message_id": 99}},
            "message to be replied not found",
        ),
        (
            "sendMessage",
            {"chat_id": 1001, "text": "x", "reply_to_message_id": "²"},
            "message to be replied not found",
        ),
        (
            "editMessageText",
            {"chat_id": 1001, "message_id": 99, "text": "x"},
            "message to edit not found",
        ),
        (
            "editMessageText",
            {"chat_id": 1001, "message_id": 1, "text": "x"},
            "message can't be edited",
        ),
        (
            "editMessageText",
            {"chat_id": 1001, "message_id": 2, "text": "card"},
            "message is not modified: specified new message content and reply markup are exactly"
            " the same as a current content and reply markup of the message",
        ),
        (
            "editMessageCaption",
            {"chat_id": 1001, "message_id": 2, "caption": "x"},
            "there is no caption in the message to edit",
        ),
        ("deleteMessage", {"chat_id": 1001, "message_id": 99}, "message to delete not found"),
        (
            "answerCallbackQuery",
            {"callback_query_id": "1"},
            "query is too old and response timeout expired or query ID is invalid",
        ),
        ("answerCallbackQuery", {"callback_query_id": "1", "text": "x" * 201}, "MESSAGE_TOO_LONG"),
        ("sendPhoto", {"chat_id": 1001}, "there is no photo in the request"),
        (
            "sendPhoto",
            {"chat_id": 1001, "photo": "nothing"},
            "wrong file identifier/HTTP URL specified",
        ),
        ("setMyCommands", {"commands": "nope"}, "can't parse commands JSON object"),
        ("getFile", {"file_id": "x"}, "invalid file_id"),
        (
            "setWebhook",
            {"url": "https://example.org/x"},
            "bad webhook: this sandbox posts only to loopback addresses",
        ),
    ],
)
async def test_refusals_carry_telegrams_words(
    method: str, params: dict[str, object], description: str
) -> None:
    """Each mistake gives a 400 and the text a real bot would read."""
    async with telegram_world() as world:
        await world.post("message", text="hello")
        await world.call("sendMessage", chat_id=1001, text="card")
        assert await world.refusal(method, **params) == f"Bad Request: {description}"


async def test_unknown_method_and_wrong_token_over_http() -> None:
    """404 for a method that is not there, 401 for a token that is not ours."""
    async with telegram_world() as world:
        assert await world.refusal("sendPigeon") == "Not Found: method not found"
        async with world.http.get("/bot1:x/getMe") as answer:
            assert answer.status == 401
            assert await answer.json() == {
                "ok": False,
                "error_code": 401,
                "description": "Unauthorized",
            }


async def test_forms_queries_and_json_mean_the_same() -> None:
    """GET, form and JSON bodies carry one call; nested objects are strings in forms."""
    async with telegram_world() as world:
        keys = '{"inline_keyboard": [[{"text": "A", "callback_data": "1"}]]}'
        given = {"chat_id": "1001", "text": "x", "reply_markup": keys}
        path = f"/bot{TOKEN}/SendMessage"
        for sent in (world.http.get(path, params=given), world.http.post(path, data=given)):
            async with sent as answer:
                found = await answer.json()
                assert found["result"]["reply_markup"]["inline_keyboard"][0][0]["text"] == "A"


async def test_updates_are_confirmed_by_offset_and_come_again_until_then() -> None:
    """An update stays until a later offset confirms it; a negative offset skips the old."""
    async with telegram_world() as world:
        for text in ("a", "b", "c"):
            await world.post("message", text=text)
        first = (await world.call("getUpdates", limit=2))["result"]
        assert [update["message"]["text"] for update in first] == ["a", "b"]
        assert (await world.call("getUpdates", limit=2))["result"] == first
        later = await world.call("getUpdates", offset=first[1]["update_id"] + 1)
        assert [update["message"]["text"] for update in later["result"]] == ["c"]
        assert len((await world.call("getUpdates", offset=-1))["result"]) == 1


async def test_a_long_poll_ends_when_a_person_writes() -> None:
    """A waiting poll answers at once with the new message, not at its timeout."""
    async with telegram_world() as world:
        poll = asyncio.create_task(world.call("getUpdates", timeout=30))
        while world.sandbox.state.updates.pollers == 0:
            await asyncio.sleep(0)
        await world.post("message", text="now")
        async with asyncio.timeout(2):
            assert (await poll)["result"][0]["message"]["text"] == "now"


async def test_allowed_updates_are_remembered() -> None:
    """A kind that was not asked for never arrives, also when the next call names none."""
    async with telegram_world() as world:
        await world.call("getUpdates", allowed_updates=["callback_query"])
        await world.post("message", text="unseen")
        assert (await world.call("getUpdates"))["result"] == []


async def test_a_late_or_second_answer_is_too_old() -> None:
    """A tap is answered once and within 15 seconds; the message shows why otherwise."""
    async with telegram_world() as world:
        message = await world.bot.send_message(1001, "card", reply_markup=KEYS)
        old = await world.post("tap", message_id=message.message_id, callback_data="a1", age_s=15.5)
        words = "Bad Request: query is too old and response timeout expired or query ID is invalid"
        query_id = old["callback_query_id"]
        assert await world.refusal("answerCallbackQuery", callback_query_id=query_id) == words
        new = await world.post("tap", message_id=message.message_id, callback_data="a1")
        query_id = new["callback_query_id"]
        assert (await world.call("answerCallbackQuery", callback_query_id=query_id))["ok"]
        assert await world.refusal("answerCallbackQuery", callback_query_id=query_id) == words
        accepted = [answer["accepted"] for answer in (await world.get("answers"))["answers"]]
        assert accepted == [False, True, False]


async def test_old_messages_cannot_be_deleted() -> None:
    """48 hours of the clock after it was sent a message stays."""
    async with telegram_world() as world:
        message = await world.bot.send_message(1001, "x")
        world.clock.advance_to(NOON_MS + 48 * 3_600_000 + 1)
        with pytest.raises(BadRequest, match="can't be deleted"):
            await world.bot.delete_message(1001, message.message_id)


async def test_a_webhook_gets_updates_with_the_secret_until_it_takes_them() -> None:
    """The courier posts with the secret header, tries again after a 500, and blocks polling."""
    got: list[tuple[str | None, str]] = []
    taken = asyncio.Event()

    async def hook(request: web.Request) -> web.Response:
        update = await request.json()
        secret = request.headers.get("X-Telegram-Bot-Api-Secret-Token")
        got.append((secret, update["message"]["text"]))
        if len(got) == 3:
            taken.set()
        return web.Response(status=500 if len(got) == 1 else 200)

    app = web.Application()
    app.router.add_post("/tg", hook)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with telegram_world() as world:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/tg"
            await world.bot.set_webhook(url, secret_token="s3cret")
            await world.post("message", text="one")
            await world.post("message", text="two")
            async with asyncio.timeout(5):
                await taken.wait()
            assert got == [("s3cret", "one"), ("s3cret", "one"), ("s3cret", "two")]
            info = await world.bot.get_webhook_info()
            assert info.last_error_message is not None
            assert "can't use getUpdates" in await world.refusal("getUpdates")
            assert "s3cret" not in str(await world.get("calls"))
            await world.bot.delete_webhook()
            assert (await world.call("getUpdates"))["ok"]
    finally:
        await runner.cleanup()


async def test_lost_answers_may_have_taken_effect() -> None:
    """drop and timeout lose the answer of a call that happened; effect=false loses the call."""
    async with telegram_world() as world:
        await world.post("fault", kind="drop", method="sendMessage")
        await world.post("fault", kind="timeout", method="sendMessage", seconds=0.05)
        await world.post("fault", kind="drop", method="sendMessage", effect=False)
        for text in ("dropped", "late", "never"):
            with pytest.raises(aiohttp.ClientError):
                await world.call("sendMessage", chat_id=1001, text=text)
        await world.post("fault", kind="retry_after", seconds=3)
        found = await world.call("sendMessage", chat_id=1001, text="paced")
        assert found["parameters"] == {"retry_after": 3}
        texts = [message["text"] for message in (await world.get("messages"))["messages"]]
        assert texts == ["dropped", "late"]
        faults = [call["fault"] for call in (await world.get("calls", after=1))["calls"]]
        assert faults == ["drop", "timeout", "drop", "retry_after"]


async def test_malformed_updates_do_not_block_the_queue() -> None:
    """A garbled update is seen once; what comes after it still arrives."""
    async with telegram_world() as world:
        await world.post("update", message="nonsense")
        await world.post("message", text="fine")
        await world.post("fault", kind="malformed_update")
        first = (await world.call("getUpdates"))["result"]
        assert first[0]["message"] == "nonsense"
        assert len(first) == 3
        second = (await world.call("getUpdates"))["result"]
        assert [update["message"]["text"] for update in second] == ["fine"]


async def test_a_token_is_made_from_the_seed() -> None:
    """The same seed gives the same token, of Telegram's shape; a given one is kept."""
    assert make_token(Random(3)) == make_token(Random(3))
    clock = VirtualClock(NOON_MS)
    sandboxes = [
        await serve_telegram(0, token=None, seed=seed, clock=clock, pace=1.0) for seed in (1, 1, 2)
    ]
    one, same, other = (sandbox.token for sandbox in sandboxes)
    for sandbox in sandboxes:
        await sandbox.stop()
    assert one == same != other
    with pytest.raises(ValueError, match="bot token"):
        await serve_telegram(0, token="x", seed=1, clock=clock, pace=1.0)


async def test_a_client_killed_in_the_middle_of_a_request_is_no_fault_of_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Half a form, then silence for ever: nothing is logged, and the next one is served."""
    async with telegram_world() as world:
        root = world.sandbox.address.base_url
        reader, writer = await asyncio.open_connection("127.0.0.1", int(root.rpartition(":")[2]))
        head = f"POST /bot{TOKEN}/sendMessage HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\n"
        kind = "Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n"
        writer.write((head + kind).encode())
        assert b"100 Continue" in await reader.readline(), "the server waits for the form"
        writer.write(b"chat_id=1")
        await writer.drain()
        writer.transport.abort()
        for _ in range(2):
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{root}/bot{TOKEN}/getMe") as r,
            ):
                assert r.status == 200
    assert not caplog.records
