"""People, accounts, sealed keys, bots, documents and notes."""

from dataclasses import replace

import pytest

from data.store.queries.keepsakes import digest_of
from data.store.rows import BotRow, SecretRow, UserRole
from data.store.store import Store
from tests.data.store.shapes import ACCOUNT, OTHER, USER

BOT = BotRow(bot_id="b", account_id="a1", user_id="u1", body="{}", running=True, updated_ms=1)
SECRET = SecretRow(user_id="u1", account_id="a1", field="api_key", envelope="v1.k.x")


async def test_people_are_found_by_id_telegram_and_role(store: Store) -> None:
    """Each way leads to the same record; a stranger is None."""
    assert await store.user("u1") == USER
    assert await store.user_by_telegram(7002) == OTHER
    assert await store.user_by_telegram(1) is None
    assert await store.owner() == USER
    assert await store.users() == (USER, OTHER)


async def test_a_taken_id_is_refused(store: Store) -> None:
    """Neither a user id nor a Telegram id is given twice."""
    with pytest.raises(ValueError, match="u1 exists"):
        await store.add_user(USER)
    with pytest.raises(ValueError, match="7001 belongs"):
        await store.add_user(replace(USER, user_id="u3"))


async def test_a_person_can_be_changed(store: Store) -> None:
    """Role, name and language change; the moment of letting in does not."""
    changed = replace(OTHER, role=UserRole.VIEWER, language="vi", created_ms=99)
    assert await store.update_user(changed)
    assert await store.user("u2") == replace(changed, created_ms=2)
    assert not await store.update_user(replace(OTHER, user_id="u9"))


async def test_an_account_never_changes_hands(store: Store) -> None:
    """Putting it again renames it, and cannot give it to another user."""
    await store.put_account(replace(ACCOUNT, user_id="u2", label="renamed"))
    assert await store.account("a1") == replace(ACCOUNT, label="renamed")
    assert await store.accounts("u1") == (replace(ACCOUNT, label="renamed"),)
    assert await store.accounts("u2") == ()


async def test_secrets_are_kept_by_account_and_field(store: Store) -> None:
    """Putting a field again replaces it; another user's id cannot be put on the account."""
    await store.put_secrets((SECRET, replace(SECRET, field="api_secret")))
    await store.put_secrets((replace(SECRET, envelope="v1.k.y"),))
    found = await store.secrets("a1")
    assert [(s.field, s.envelope) for s in found] == [
        ("api_key", "v1.k.y"),
        ("api_secret", "v1.k.x"),
    ]
    assert await store.secrets() == found
    with pytest.raises(Exception, match="FOREIGN KEY"):
        await store.put_secrets((replace(SECRET, user_id="u2"),))


async def test_bots_are_kept_by_account_and_id(store: Store) -> None:
    """The newest configuration of a bot is the one that is read."""
    await store.put_bot(BOT)
    await store.put_bot(replace(BOT, running=False, version=2))
    assert await store.bots() == (replace(BOT, running=False, version=2),)
    assert await store.bots("a9") == ()


async def test_a_document_is_kept_once_under_its_digest(store: Store) -> None:
    """The same text twice is one row with the first date; another user does not see it."""
    digest = await store.put_document(user_id="u1", kind="prompt", body="xin chào", now_ms=1)
    again = await store.put_document(user_id="u1", kind="prompt", body="xin chào", now_ms=2)
    assert digest == again == digest_of("xin chào")
    document = await store.document(digest, user_id="u1")
    assert document is not None
    assert (document.body, document.created_ms) == ("xin chào", 1)
    assert await store.document(digest, user_id="u2") is None
    assert await store.document("0" * 64) is None


async def test_notes_are_written_over_and_forgotten(store: Store) -> None:
    """A note has one value, or none."""
    assert await store.note("offset") is None
    await store.set_note("offset", "1")
    await store.set_note("offset", "2", user_id="u1")
    assert await store.note("offset") == "2"
    await store.drop_note("offset")
    await store.drop_note("offset")
    assert await store.note("offset") is None
