"""Who may speak: pairing by a code that lives a day and forgives a few mistakes."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from bot.control.gate import PAIRING_LIFE_MS, PAIRING_NOTE, PAIRING_TRIES_MAX, Gate
from bot.control.tokens import Tokens, hash_of
from bot.control.views.terms import Verb
from bot.shell.clock import VirtualClock
from data.store.store import Store
from tests.control.samples import NOW_MS, open_store


@pytest.fixture
def clock() -> VirtualClock:
    """Moved by hand."""
    return VirtualClock(NOW_MS)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """With an owner who has not paired yet."""
    opened = await open_store(tmp_path, paired=False)
    yield opened
    await opened.close()


def gate_of(store: Store, clock: VirtualClock, seed: int = 1) -> Gate:
    """A gate with its own chance."""
    return Gate(store, clock=clock, random_bytes=Random(seed).randbytes)


async def test_only_the_hash_of_the_code_is_kept(store: Store, clock: VirtualClock) -> None:
    """Whoever reads the database cannot pair."""
    code = await gate_of(store, clock).open_pairing()
    note = await store.note(PAIRING_NOTE)
    assert code is not None
    assert note is not None
    assert code not in note


async def test_a_code_dies_after_a_day(store: Store, clock: VirtualClock) -> None:
    """One millisecond before its end it works, at its end it does not."""
    gate = gate_of(store, clock)
    code = await gate.open_pairing() or ""
    clock.advance_to(NOW_MS + PAIRING_LIFE_MS)
    assert await gate.pair(code, 5, "Eve", "en") is None
    code = await gate.open_pairing() or ""
    clock.advance_to(NOW_MS + 2 * PAIRING_LIFE_MS - 1)
    assert await gate.pair(code.lower(), 5, "Lan", "vi") is not None


async def test_a_few_wrong_codes_end_the_pairing(store: Store, clock: VirtualClock) -> None:
    """After the last mistake even the right code is refused; a new start makes a new one."""
    gate = gate_of(store, clock)
    code = await gate.open_pairing() or ""
    for _ in range(PAIRING_TRIES_MAX):
        assert await gate.pair("WRONG", 666, "Eve", "en") is None
    assert await gate.pair(code, 5, "Lan", "vi") is None
    fresh = await gate_of(store, clock, seed=2).open_pairing() or ""
    assert fresh != code
    owner = await gate.pair(fresh, 5, "Lan", "vi")
    assert owner is not None
    assert (owner.telegram_id, owner.language) == (5, "vi")


async def test_a_paired_owner_is_never_replaced(store: Store, clock: VirtualClock) -> None:
    """With an owner there is no code, and no code works."""
    gate = gate_of(store, clock)
    code = await gate.open_pairing() or ""
    await gate.pair(code, 5, "Lan", "vi")
    assert await gate.open_pairing() is None
    assert await gate.pair(code, 666, "Eve", "en") is None
    assert await gate.owner_chat() == 5


async def test_a_token_belongs_to_its_person_and_works_once(
    store: Store, clock: VirtualClock
) -> None:
    """Another person's tap finds nothing; the second use is no use; only the hash is kept."""
    gate = gate_of(store, clock)
    lan = await gate.pair(await gate.open_pairing() or "", 5, "Lan", "vi")
    assert lan is not None
    tokens = Tokens(store, Random(3).randbytes)
    issued = await tokens.issue(
        lan, [Verb.APPROVE, Verb.REJECT], card_id="", subject="x", expires_ms=NOW_MS + 10
    )
    assert all(len(data.encode()) <= 64 for data in issued.values())
    eve = type(lan)(
        user_id="eve", telegram_id=666, role=lan.role, name="", language="en", created_ms=0
    )
    assert await tokens.look(issued[Verb.APPROVE], eve) is None
    row = await tokens.look(issued[Verb.APPROVE], lan)
    assert row is not None
    assert row.token_hash == hash_of(issued[Verb.APPROVE]) != issued[Verb.APPROVE]
    assert await tokens.use(row, NOW_MS + 9)
    assert not await tokens.use(row, NOW_MS + 9)
    late = await tokens.look(issued[Verb.REJECT], lan)
    assert late is not None
    assert not await tokens.use(late, NOW_MS + 10)
    assert await tokens.use(late, NOW_MS + 10, late=True)
