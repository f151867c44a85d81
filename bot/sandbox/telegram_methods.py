"""Bot API methods about messages: send, edit, delete, answer, pin, with Telegram's refusals.

Each method takes the state and a call's arguments and returns the wire's `result`; the table at
the end names them. It must not know HTTP. Errors a real bot meets carry Telegram's own text.
"""

from typing import Any

from bot.sandbox.telegram_checks import (
    Json,
    bad_request,
    check_answer,
    check_caption,
    check_markup,
    check_photo,
    check_text,
    formatted,
)
from bot.sandbox.telegram_params import Params, Upload
from bot.sandbox.telegram_state import (
    PINS_MAX,
    QUERY_AGE_S_MAX,
    Message,
    StoredFile,
    TelegramState,
)
from bot.sandbox.telegram_text import Formatted

DELETE_AGE_MS_MAX = 48 * 3_600_000
DRAFT_TEXT = "Thinking…"
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same"
    " as a current content and reply markup of the message"
)
_ACTIONS = frozenset(
    {
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)


def chat_of(state: TelegramState, params: Params) -> Json:
    """The chat a call names; raises Refused when there is none."""
    if not params.has("chat_id"):
        raise bad_request("chat_id is empty")
    name = params.text("chat_id").strip()
    if name.startswith("@"):
        for chat in state.chats.values():
            if chat.get("username") == name[1:]:
                return state.chat(int(chat["id"]))
    try:
        return state.chat(int(name))
    except ValueError:
        raise bad_request("chat not found") from None


def message_of(state: TelegramState, params: Params, missing: str) -> Message:
    """The message a call names by chat and id; raises Refused with the words given."""
    if params.has("inline_message_id"):
        raise bad_request("MESSAGE_ID_INVALID")
    chat = chat_of(state, params)
    if params.integer("message_id", 0) <= 0:
        raise bad_request("message identifier is not specified")
    return state.message(int(chat["id"]), params.integer("message_id", 0), missing)


def _body(params: Params, name: str, entities: str) -> Formatted:
    return formatted(
        params.text(name),
        parse_mode=params.text("parse_mode"),
        entities=params.json(entities, "entities"),
    )


def _markup(params: Params, *, inline_only: bool = False) -> Json | None:
    return check_markup(
        params.json("reply_markup", "reply keyboard markup"), inline_only=inline_only
    )


def _reply_to(state: TelegramState, params: Params, chat: Json) -> Message | None:
    reply = params.json("reply_parameters", "reply parameters")
    if reply is None and not params.has("reply_to_message_id"):
        return None
    reply = reply if isinstance(reply, dict) else {}
    number = reply.get("message_id", params.text("reply_to_message_id"))
    lenient = bool(reply.get("allow_sending_without_reply")) or params.boolean(
        "allow_sending_without_reply"
    )
    found = state.messages.get(Params({"number": number}).integer("number", 0))
    if found is None or found.chat["id"] != chat["id"]:
        if lenient:
            return None
        raise bad_request("message to be replied not found")
    return found


def send_message(state: TelegramState, params: Params) -> Json:
    """sendMessage."""
    chat = chat_of(state, params)
    body = check_text(_body(params, "text", "entities"))
    markup = _markup(params)
    reply_to = _reply_to(state, params, chat)
    return state.add_message(
        chat=chat, sender=state.bot, body=body, markup=markup, reply_to=reply_to
    ).wire()


def send_photo(state: TelegramState, params: Params) -> Json:
    """sendPhoto."""
    return _send_file(state, params, "photo")


def send_document(state: TelegramState, params: Params) -> Json:
    """sendDocument."""
    return _send_file(state, params, "document")


def _send_file(state: TelegramState, params: Params, kind: str) -> Json:
    chat = chat_of(state, params)
    body = check_caption(_body(params, "caption", "caption_entities"))
    markup = _markup(params)
    reply_to = _reply_to(state, params, chat)
    source = params.file(kind)
    if not source:
        raise bad_request(f"there is no {kind} in the request")
    return state.add_message(
        chat=chat,
        sender=state.bot,
        body=body,
        kind=kind,
        file=_file(state, source, kind),
        markup=markup,
        reply_to=reply_to,
        extra=_extra(params.boolean("has_spoiler"), params.boolean("show_caption_above_media")),
    ).wire()


def _extra(spoiler: bool, above: bool) -> Json:
    flags = {"has_media_spoiler": spoiler, "show_caption_above_media": above}
    return {name: True for name, given in flags.items() if given}


def _file(state: TelegramState, source: Upload | str, kind: str) -> StoredFile:
    if isinstance(source, Upload):
        if not source.data:
            raise bad_request("file must be non-empty")
        picture = check_photo(source.data) if kind == "photo" else None
        return state.files.add(source.data, name=source.name, picture=picture)
    if "://" in source:
        raise bad_request("failed to get HTTP URL content")
    stored = state.files.get(source)
    if stored is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    if (stored.picture is not None) != (kind == "photo"):
        raise bad_request(f"can't use file of this type as {kind.capitalize()}")
    return stored


def _editable(state: TelegramState, params: Params) -> Message:
    message = message_of(state, params, "message to edit not found")
    if not message.from_bot:
        raise bad_request("message can't be edited")
    return message


def _edit(state: TelegramState, message: Message, **changes: Any) -> Json:
    if all(getattr(message, name) == value for name, value in changes.items()):
        raise bad_request(NOT_MODIFIED)
    for name, value in changes.items():
        setattr(message, name, value)
    message.edits += 1
    message.edited_ms = state.clock.now_ms()
    state.publish("edit", message)
    return message.wire()


def edit_message_text(state: TelegramState, params: Params) -> Json:
    """editMessageText."""
    message = _editable(state, params)
    body = check_text(_body(params, "text", "entities"))
    if message.kind != "text":
        raise bad_request("there is no text in the message to edit")
    markup = _markup(params, inline_only=True)
    return _edit(state, message, body=body, markup=markup)


def edit_message_caption(state: TelegramState, params: Params) -> Json:
    """editMessageCaption."""
    message = _editable(state, params)
    body = check_caption(_body(params, "caption", "caption_entities"))
    if message.kind == "text":
        raise bad_request("there is no caption in the message to edit")
    markup = _markup(params, inline_only=True)
    return _edit(state, message, body=body, markup=markup)


def edit_message_reply_markup(state: TelegramState, params: Params) -> Json:
    """editMessageReplyMarkup."""
    message = _editable(state, params)
    markup = _markup(params, inline_only=True)
    return _edit(state, message, markup=markup)


def edit_message_media(state: TelegramState, params: Params) -> Json:
    """editMessageMedia: a photo or a document, by attach:// or file id."""
    message = _editable(state, params)
    media = params.json("media", "input media")
    if not isinstance(media, dict) or media.get("type") not in {"photo", "document"}:
        raise bad_request("can't parse InputMedia: unsupported type specified")
    kind = str(media["type"])
    body = check_caption(
        formatted(
            str(media.get("caption") or ""),
            parse_mode=str(media.get("parse_mode") or ""),
            entities=media.get("caption_entities"),
        )
    )
    markup = _markup(params, inline_only=True)
    file = _file(state, params.attached(str(media.get("media") or "")), kind)
    extra = _extra(bool(media.get("has_spoiler")), bool(media.get("show_caption_above_media")))
    return _edit(state, message, kind=kind, body=body, markup=markup, file=file, extra=extra)


def delete_message(state: TelegramState, params: Params) -> bool:
    """deleteMessage: the bot's own or a person's in a private chat, up to 48 hours old."""
    message = message_of(state, params, "message to delete not found")
    if state.clock.now_ms() - message.date_ms > DELETE_AGE_MS_MAX:
        raise bad_request("message can't be deleted for everyone")
    del state.messages[message.message_id]
    pins = state.pins.get(message.chat["id"], [])
    if message.message_id in pins:
        pins.remove(message.message_id)
    state.emit("delete", chat_id=message.chat["id"], message_id=message.message_id)
    return True


def answer_callback_query(state: TelegramState, params: Params) -> bool:
    """answerCallbackQuery: once, within 15 s of the tap (wall time)."""
    text = check_answer(params.text("text"))
    query = state.queries.get(params.text("callback_query_id"))
    late = query is None or query.answered or state.now_s() - query.tapped_s > QUERY_AGE_S_MAX
    answer = {
        "callback_query_id": params.text("callback_query_id"),
        "text": text,
        "show_alert": params.boolean("show_alert"),
        "url": params.text("url"),
        "accepted": not late,
    }
    state.answers.append(answer)
    if query is None or late:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    query.answered = True
    state.emit(
        "answer", chat_id=None, message_id=query.message_id, user_id=query.user_id, answer=answer
    )
    return True


def send_chat_action(state: TelegramState, params: Params) -> bool:
    """sendChatAction."""
    chat = chat_of(state, params)
    if params.text("action") not in _ACTIONS:
        raise bad_request("wrong parameter action in request")
    state.emit("action", chat_id=chat["id"], action=params.text("action"))
    return True


def send_message_draft(state: TelegramState, params: Params) -> bool:
    """sendMessageDraft: a preview that the next message replaces; private chats only."""
    chat = chat_of(state, params)
    if chat["type"] != "private":
        raise bad_request("method is available only for private chats")
    if params.integer("draft_id", 0) == 0:
        raise bad_request("draft_id must be non-zero")
    body = _body(params, "text", "entities")
    if body.text:
        check_text(body)
    state.emit(
        "draft",
        chat_id=chat["id"],
        draft_id=params.integer("draft_id", 0),
        text=body.text or DRAFT_TEXT,
        entities=[entity.wire() for entity in body.entities],
    )
    return True


def set_message_reaction(state: TelegramState, params: Params) -> bool:
    """setMessageReaction: one emoji, or none."""
    message = message_of(state, params, "message to react not found")
    reaction = params.json("reaction", "reaction")
    first = reaction[0] if isinstance(reaction, list) and reaction else {}
    message.reaction = str(first.get("emoji", "")) or None if isinstance(first, dict) else None
    state.publish("edit", message)
    return True


def pin_chat_message(state: TelegramState, params: Params) -> bool:
    """pinChatMessage."""
    message = message_of(state, params, "message to pin not found")
    pins = state.pins.setdefault(message.chat["id"], [])
    pins[:] = [*[number for number in pins if number != message.message_id], message.message_id]
    del pins[:-PINS_MAX]
    state.emit("pin", chat_id=message.chat["id"], pinned=list(pins))
    return True


def unpin_chat_message(state: TelegramState, params: Params) -> bool:
    """unpinChatMessage: the one named, or the newest."""
    chat = chat_of(state, params)
    pins = state.pins.get(int(chat["id"]), [])
    number = params.integer("message_id", pins[-1] if pins else 0)
    if number not in pins:
        raise bad_request("message to unpin not found")
    pins.remove(number)
    state.emit("pin", chat_id=chat["id"], pinned=list(pins))
    return True


def unpin_all_chat_messages(state: TelegramState, params: Params) -> bool:
    """unpinAllChatMessages."""
    chat = chat_of(state, params)
    state.pins.pop(int(chat["id"]), None)
    state.emit("pin", chat_id=chat["id"], pinned=[])
    return True


MESSAGE_METHODS = {
    "sendmessage": send_message,
    "sendphoto": send_photo,
    "senddocument": send_document,
    "editmessagetext": edit_message_text,
    "editmessagecaption": edit_message_caption,
    "editmessagereplymarkup": edit_message_reply_markup,
    "editmessagemedia": edit_message_media,
    "deletemessage": delete_message,
    "answercallbackquery": answer_callback_query,
    "sendchataction": send_chat_action,
    "sendmessagedraft": send_message_draft,
    "setmessagereaction": set_message_reaction,
    "pinchatmessage": pin_chat_message,
    "unpinchatmessage": unpin_chat_message,
    "unpinallchatmessages": unpin_all_chat_messages,
}
# Telegram's flood limits count what a person sees appear or change.
PACED_METHODS = frozenset(name for name in MESSAGE_METHODS if name.startswith(("send", "edit"))) - {
    "sendchataction",
    "sendmessagedraft",
}
