"""Bot API methods about the bot itself: profile, commands, menu, webhook, chats and files.

Each method takes the state and a call's arguments and returns the wire's `result`; the table at
the end names them. It must not know HTTP: the webhook's courier lives in `telegram_webhook`.
"""

import re
from urllib.parse import urlsplit

from bot.sandbox.telegram_checks import Json, bad_request, check_commands
from bot.sandbox.telegram_methods import chat_of
from bot.sandbox.telegram_params import Params
from bot.sandbox.telegram_state import TelegramState, keep

COMMAND_LISTS_MAX = 500
TEXTS_MAX = {"name": 64, "description": 512, "short_description": 120}
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LANGUAGE = re.compile(r"[a-z]{2}|")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_PLAIN_SCOPES = frozenset(
    {"default", "all_private_chats", "all_group_chats", "all_chat_administrators"}
)


def get_me(state: TelegramState, params: Params) -> Json:
    """getMe."""
    del params
    return {
        **state.bot,
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def _scope(state: TelegramState, params: Params) -> str:
    scope = params.json("scope", "BotCommandScope")
    if scope is None:
        return "default"
    kind = scope.get("type") if isinstance(scope, dict) else None
    if kind in _PLAIN_SCOPES:
        return str(kind)
    if kind in {"chat", "chat_administrators", "chat_member"}:
        chat = chat_of(state, Params({"chat_id": scope.get("chat_id")}))
        member = f":{scope.get('user_id')}" if kind == "chat_member" else ""
        return f"{kind}:{chat['id']}{member}"
    raise bad_request("can't parse BotCommandScope: unsupported type specified")


def _language(params: Params) -> str:
    language = params.text("language_code")
    if _LANGUAGE.fullmatch(language) is None:
        raise bad_request("invalid language code specified")
    return language


def set_my_commands(state: TelegramState, params: Params) -> bool:
    """setMyCommands."""
    commands = check_commands(params.json("commands", "commands"))
    key = (_scope(state, params), _language(params))
    keep(state.commands, key, commands, COMMAND_LISTS_MAX)
    state.emit("profile", chat_id=None)
    return True


def get_my_commands(state: TelegramState, params: Params) -> list[Json]:
    """getMyCommands: exactly this scope and language, without fallback."""
    return state.commands.get((_scope(state, params), _language(params)), [])


def delete_my_commands(state: TelegramState, params: Params) -> bool:
    """deleteMyCommands."""
    state.commands.pop((_scope(state, params), _language(params)), None)
    state.emit("profile", chat_id=None)
    return True


def commands_for(state: TelegramState, chat_id: int, user_id: int) -> list[Json]:
    """The commands a person sees in a chat: the narrowest scope wins, then the language."""
    language = str(state.persons.get(user_id, {}).get("language_code", ""))[:2]
    group = chat_id < 0
    scopes = [
        f"chat_member:{chat_id}:{user_id}",
        f"chat:{chat_id}",
        "all_group_chats" if group else "all_private_chats",
        "default",
    ]
    for scope in scopes:
        for code in (language, ""):
            if (scope, code) in state.commands:
                return state.commands[scope, code]
    return []


def _set_text(state: TelegramState, params: Params, name: str) -> bool:
    text = params.text(name).strip()
    if len(text) > TEXTS_MAX[name]:
        raise bad_request(f"BOT_{name.upper()}_TOO_LONG")
    keep(state.texts, (name, _language(params)), text, COMMAND_LISTS_MAX)
    state.emit("profile", chat_id=None)
    return True


def text_for(state: TelegramState, name: str, language: str) -> str:
    """A profile text in this language, or in the default one."""
    return state.texts.get((name, language)) or state.texts.get((name, ""), "")


def set_my_name(state: TelegramState, params: Params) -> bool:
    """setMyName."""
    return _set_text(state, params, "name")


def set_my_description(state: TelegramState, params: Params) -> bool:
    """setMyDescription: what an empty chat shows."""
    return _set_text(state, params, "description")


def set_my_short_description(state: TelegramState, params: Params) -> bool:
    """setMyShortDescription."""
    return _set_text(state, params, "short_description")


def get_my_name(state: TelegramState, params: Params) -> Json:
    """getMyName."""
    name = text_for(state, "name", _language(params))
    return {"name": name or state.bot["first_name"]}


def get_my_description(state: TelegramState, params: Params) -> Json:
    """getMyDescription."""
    return {"description": text_for(state, "description", _language(params))}


def get_my_short_description(state: TelegramState, params: Params) -> Json:
    """getMyShortDescription."""
    return {"short_description": text_for(state, "short_description", _language(params))}


def _menu_key(state: TelegramState, params: Params) -> int | None:
    return int(chat_of(state, params)["id"]) if params.has("chat_id") else None


def set_chat_menu_button(state: TelegramState, params: Params) -> bool:
    """setChatMenuButton: commands, default, or a web app over HTTPS."""
    button = params.json("menu_button", "MenuButton") or {"type": "default"}
    if not isinstance(button, dict) or button.get("type") not in {"commands", "default", "web_app"}:
        raise bad_request("can't parse menu button: MenuButton has unsupported type")
    if button["type"] == "web_app":
        app = button.get("web_app")
        url = str(app.get("url", "")) if isinstance(app, dict) else ""
        if not str(button.get("text") or "") or not url.startswith("https://"):
            raise bad_request(
                f"menu button Web App URL '{url}' is invalid: Only HTTPS links are allowed"
            )
    keep(state.menu_buttons, _menu_key(state, params), button, COMMAND_LISTS_MAX)
    state.emit("profile", chat_id=None)
    return True


def get_chat_menu_button(state: TelegramState, params: Params) -> Json:
    """getChatMenuButton."""
    key = _menu_key(state, params)
    return state.menu_buttons.get(key) or state.menu_buttons.get(None) or {"type": "default"}


def get_chat(state: TelegramState, params: Params) -> Json:
    """getChat, with the newest pinned message."""
    chat = chat_of(state, params)
    found: Json = {**chat, "accent_color_id": 0, "max_reaction_count": 11}
    found["accepted_gift_types"] = {
        "unlimited_gifts": False,
        "limited_gifts": False,
        "unique_gifts": False,
        "premium_subscription": False,
        "gifts_from_channels": False,
    }
    pinned = [state.messages[n] for n in state.pins.get(chat["id"], []) if n in state.messages]
    if pinned:
        found["pinned_message"] = pinned[-1].wire(with_reply=False)
    return found


def get_file(state: TelegramState, params: Params) -> Json:
    """getFile: where an upload can be fetched."""
    stored = state.files.get(params.text("file_id"))
    if stored is None:
        raise bad_request("invalid file_id")
    return {
        "file_id": stored.file_id,
        "file_unique_id": stored.unique_id,
        "file_size": len(stored.data),
        "file_path": stored.path,
    }


def allow_updates(state: TelegramState, params: Params) -> None:
    """Remember `allowed_updates` when given; absent keeps what was, empty means the default."""
    kinds = params.json("allowed_updates", "allowed_updates")
    if isinstance(kinds, list):
        state.updates.allowed = tuple(str(kind) for kind in kinds) or None


def _is_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.hostname in LOOPBACK


def set_webhook(state: TelegramState, params: Params) -> bool:
    """setWebhook: here only to this machine, so http is allowed and nothing leaves it."""
    url = params.text("url")
    if not url:
        return delete_webhook(state, params)
    if not _is_loopback(url):
        raise bad_request("bad webhook: this sandbox posts only to loopback addresses")
    secret = params.text("secret_token")
    if secret and _SECRET.fullmatch(secret) is None:
        raise bad_request("secret token contains unallowed characters")
    allow_updates(state, params)
    if params.boolean("drop_pending_updates"):
        state.updates.drop_all()
    state.webhook = {"url": url, "secret": secret}
    state.updates.wake()
    return True


def delete_webhook(state: TelegramState, params: Params) -> bool:
    """deleteWebhook."""
    if params.boolean("drop_pending_updates"):
        state.updates.drop_all()
    state.webhook = {"url": ""}
    return True


def get_webhook_info(state: TelegramState, params: Params) -> Json:
    """getWebhookInfo; never shows the secret."""
    del params
    found = {name: value for name, value in state.webhook.items() if name != "secret"}
    found["has_custom_certificate"] = False
    found["pending_update_count"] = len(state.updates)
    if state.updates.allowed is not None:
        found["allowed_updates"] = list(state.updates.allowed)
    return found


PROFILE_METHODS = {
    "getme": get_me,
    "setmycommands": set_my_commands,
    "getmycommands": get_my_commands,
    "deletemycommands": delete_my_commands,
    "setmyname": set_my_name,
    "getmyname": get_my_name,
    "setmydescription": set_my_description,
    "getmydescription": get_my_description,
    "setmyshortdescription": set_my_short_description,
    "getmyshortdescription": get_my_short_description,
    "setchatmenubutton": set_chat_menu_button,
    "getchatmenubutton": get_chat_menu_button,
    "getchat": get_chat,
    "getfile": get_file,
    "setwebhook": set_webhook,
    "deletewebhook": delete_webhook,
    "getwebhookinfo": get_webhook_info,
}
