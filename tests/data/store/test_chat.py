"""Cards decide once, tokens work once, notices are not lost."""

import asyncio
from dataclasses import replace

import pytest

from data.store.rows import CardRow, OutboxRow, TokenRow
from data.store.store import Store

CARD = CardRow(
    card_id="c1",
    user_id="u1",
    account_id="a1",
    trade_id="t1",
    chat_id=7001,
    message_id=None,
    state="shown",
    expires_ms=500,
    body="{}",
    created_ms=100,
)
TOKEN = TokenRow(
    token_hash="h1",
    user_id="u1",
    chat_id=7001,
    card_id="c1",
    verb="approve",
    subject="t1",
    expires_ms=500,
)
NOTICE = OutboxRow(user_id="u1", chat_id=7001, priority=5, kind="k", body="b", created_ms=1)


async def test_a_card_decides_once(store: Store) -> None:
    """Of many concurrent moves from the same state exactly one wins."""
    await store.put_card(CARD)
    moves = [store.move_card("c1", expected="shown", state=f"by{n}") for n in range(8)]
    assert sorted(await asyncio.gather(*moves)) == [False] * 7 + [True]


async def test_putting_a_card_again_does_not_reopen_it(store: Store) -> None:
    """A redrawn card keeps the state it was moved to."""
    await store.put_card(CARD)
    await store.move_card("c1", expected="shown", state="approved")
    await store.put_card(replace(CARD, body='{"redrawn":true}'))
    card = await store.card("c1")
    assert card == replace(CARD, state="approved", body='{"redrawn":true}')


async def test_cards_are_found_by_trade_and_state(store: Store) -> None:
    """A restart finds what it must pick up; the message id is remembered."""
    await store.put_card(CARD)
    await store.put_card(replace(CARD, card_id="c2", state="expired", created_ms=200))
    assert await store.set_card_message("c1", 42)
    assert [c.card_id for c in await store.cards_of_trade("t1")] == ["c1", "c2"]
    assert [c.message_id for c in await store.cards_in("shown", "asked")] == [42]
    assert await store.card("c9") is None
    assert not await store.set_card_message("c9", 1)


async def test_a_token_is_redeemed_once(store: Store) -> None:
    """Eight taps at once, and one more later: one of them gets the row."""
    await store.issue((TOKEN,))
    taps = [store.redeem("h1", now_ms=499, chat_id=7001, user_id="u1") for _ in range(8)]
    got = [row for row in await asyncio.gather(*taps) if row is not None]
    assert got == [replace(TOKEN, used_ms=499)]
    assert await store.redeem("h1", now_ms=499, chat_id=7001, user_id="u1") is None
    late = store.redeem("h1", now_ms=499, chat_id=7001, user_id="u1", ignore_expiry=True)
    assert await late is None


@pytest.mark.parametrize(("now_ms", "counts"), [(499, True), (500, False), (501, False)])
async def test_a_token_expires_to_the_millisecond(
    store: Store, now_ms: int, *, counts: bool
) -> None:
    """`expires_ms` is the first moment at which it no longer counts; a refusal uses nothing up."""
    await store.issue((TOKEN,))
    row = await store.redeem("h1", now_ms=now_ms, chat_id=7001, user_id="u1")
    assert (row is not None) is counts
    seen = await store.token("h1")
    assert seen is not None
    assert (seen.used_ms is not None) is counts


async def test_a_late_risk_reducing_token_counts(store: Store) -> None:
    """With `ignore_expiry` an expired token is still honoured, once."""
    await store.issue((replace(TOKEN, verb="reject"),))
    when = {"now_ms": 9_999, "chat_id": 7001, "user_id": "u1", "ignore_expiry": True}
    assert await store.redeem("h1", **when) is not None
    assert await store.redeem("h1", **when) is None


@pytest.mark.parametrize(
    "elsewhere",
    [{"chat_id": 7002, "user_id": "u1"}, {"chat_id": 7001, "user_id": "u2"}],
)
async def test_a_token_works_only_for_its_person_and_chat(store: Store, elsewhere: dict) -> None:
    """A token seen by somebody else is worthless, and stays good for its own."""
    await store.issue((TOKEN,))
    assert await store.redeem("h1", now_ms=1, ignore_expiry=True, **elsewhere) is None
    assert await store.redeem("h1", now_ms=1, chat_id=7001, user_id="u1") is not None


async def test_issuing_again_does_not_revive_a_used_token(store: Store) -> None:
    """A hash that exists is left as it is."""
    await store.issue((TOKEN,))
    await store.redeem("h1", now_ms=1, chat_id=7001, user_id="u1")
    await store.issue((TOKEN,))
    assert await store.redeem("h1", now_ms=1, chat_id=7001, user_id="u1") is None


async def test_notices_wait_by_urgency_until_sent(store: Store) -> None:
    """Lower priority first, then older; failures are counted; a sent one is gone."""
    calm = await store.put_outbox(NOTICE)
    urgent = await store.put_outbox(replace(NOTICE, priority=0))
    later = await store.put_outbox(NOTICE)
    assert [n.id for n in await store.pending_outbox()] == [urgent, calm, later]
    await store.mark_failed(urgent)
    assert await store.mark_sent(calm, 50)
    assert not await store.mark_sent(calm, 60)
    pending = await store.pending_outbox()
    assert [(n.id, n.attempts) for n in pending] == [(urgent, 1), (later, 0)]
    assert await store.pending_outbox(limit=0) == ()
