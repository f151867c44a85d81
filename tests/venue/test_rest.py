"""One request, one outcome: what left the machine, what did not, and what nobody can say."""

import asyncio
from dataclasses import replace
from random import Random

import pytest
from aiohttp import web

from bot.shell.clock import SystemClock
from bot.venue.rest import Credentials, RestAddress, RestClient, open_session
from bot.venue.wire import HmacSigner, Method, Priority, Request, Security
from bot.venue.wire_errors import Answer, ErrorClass, NotSent, Refused, Unknown
from bot.venue.wire_weight import WeightBudget
from tests.venue.fake import NOW_MS, Heard, Script, client, cut, exchange, no, ok

ORDER = Request(
    method=Method.POST,
    path="/fapi/v1/order",
    params=(("symbol", "测USDT"), ("newClientOrderId", "a:b/c")),
    security=Security.SIGNED,
    weight=0,
    priority=Priority.TRADING,
)
READ = Request(method=Method.GET, path="/fapi/v1/klines", params=(("symbol", "X"),))


async def test_the_signed_bytes_are_the_bytes_on_the_wire() -> None:
    """Percent-encoding survives the HTTP library; signature last; nothing in the body."""
    script = Script()
    script.on("POST", "/fapi/v1/order", ok({}))
    async with exchange(script) as url, client(url) as rest:
        assert isinstance(await rest.send(ORDER), Answer)
    heard = script.asked("POST", "/fapi/v1/order")[0]
    payload, _, signature = heard.raw_query.partition("&signature=")
    assert payload.startswith("symbol=%E6%B5%8BUSDT&newClientOrderId=a%3Ab%2Fc&recvWindow=5000&")
    assert signature == HmacSigner("secret-1").sign(payload.encode())
    assert heard.headers["x-mbx-apikey"] == "key-1"
    assert heard.headers["content-length"] == "0"


async def test_a_write_is_sent_once_and_a_cut_leaves_it_unknown() -> None:
    """The connection broke after the request went out: never repeated, never a refusal."""
    script = Script()
    script.on("POST", "/fapi/v1/order", cut)
    async with exchange(script) as url, client(url) as rest:
        assert isinstance(await rest.send(ORDER), Unknown)
    assert len(script.asked("POST", "/fapi/v1/order")) == 1


async def test_a_timeout_after_sending_is_unknown() -> None:
    """Silence from the exchange is not an answer."""
    script = Script(held_paths={"/fapi/v1/order"})
    script.on("POST", "/fapi/v1/order", ok({}))
    async with exchange(script) as url, client(url, timeout_s=0.1) as rest:
        assert isinstance(await rest.send(ORDER), Unknown)


async def test_a_refused_connection_is_not_sent() -> None:
    """Nobody listens: the request never left."""
    async with client("http://127.0.0.1:1") as rest:
        assert isinstance(await rest.send(ORDER), NotSent)


async def test_without_a_key_nothing_signed_leaves() -> None:
    """Paper mode has no key: a signed request is an outcome, not a crash."""
    async with client("http://127.0.0.1:1", key=False) as rest:
        outcome = await rest.send(ORDER)
    assert isinstance(outcome, NotSent)
    assert "key" in outcome.reason


async def test_reads_are_tried_again_and_refusals_are_not() -> None:
    """A passing failure is repeated a few times; a definite refusal at once returned."""
    script = Script()
    script.on("GET", READ.path, cut, no(503, None, "Service Unavailable."), ok([]))
    async with exchange(script) as url, client(url) as rest:
        assert isinstance(await rest.read(READ), Answer)
        script.on("GET", READ.path, no(400, -1121, "Invalid symbol."))
        before = len(script.heard)
        refused = await rest.read(READ)
        assert isinstance(refused, Refused)
        assert refused.kind is ErrorClass.FATAL_REQUEST
        assert len(script.heard) == before + 1


async def test_a_clock_refusal_sets_the_clock_and_is_not_repeated() -> None:
    """-1021: not executed. The clock is set, the refusal returned for the core to decide."""
    script = Script()
    script.on("POST", "/fapi/v1/order", no(400, -1021, "Timestamp outside of the recvWindow."))
    async with exchange(script) as url, client(url) as rest:
        rest.clock.set_now(NOW_MS - 60_000)
        outcome = await rest.send(ORDER)
        assert isinstance(outcome, Refused)
        assert (outcome.code, outcome.kind) == (-1021, ErrorClass.TEMPORARY)
        assert abs(rest.clock.now_ms() - NOW_MS) < 2_000
    assert len(script.asked("POST", "/fapi/v1/order")) == 1


async def test_a_ban_stops_everything_before_it_leaves() -> None:
    """After a 418 not even an order goes out until the ban is over."""
    script = Script()
    script.on("GET", READ.path, no(418, -1003, "banned", **{"Retry-After": "120"}))
    async with exchange(script) as url, client(url) as rest:
        await rest.read(READ, tries=1)
        count = len(script.heard)
        assert isinstance(await rest.send(ORDER), NotSent)
        assert isinstance(await rest.read(READ), NotSent)
    assert len(script.heard) == count


async def test_a_ban_is_known_by_its_words_too() -> None:
    """Without Retry-After the text says until when: nothing leaves before, not even a read."""
    until_ms = NOW_MS + 3_600_000
    script = Script()
    script.on("GET", READ.path, no(418, -1003, f"IP banned until {until_ms}."))
    async with exchange(script) as url, client(url) as rest:
        await rest.read(READ, tries=1)
        count = len(script.heard)
        outcome = await rest.send(ORDER)
        assert isinstance(outcome, NotSent)
        assert int(outcome.reason.split()[-2]) > 3_000_000, "it waits for the moment it was told"
        assert isinstance(await rest.read(READ), NotSent)
    assert len(script.heard) == count


async def test_after_a_429_orders_still_go() -> None:
    """The pause holds reads only: protection does not wait."""
    script = Script()
    script.on("GET", READ.path, no(429, -1003, "slow down", **{"Retry-After": "90"}))
    script.on("POST", "/fapi/v1/order", ok({}))
    async with exchange(script) as url, client(url) as rest:
        await rest.read(READ)
        assert isinstance(await rest.send(ORDER), Answer)
        assert isinstance(await rest.read(READ), NotSent)
    assert len(script.asked("GET", READ.path)) == 1


async def test_orders_do_not_wait_behind_reads() -> None:
    """With every read slot taken by requests that hang, an order is answered at once."""
    script = Script(held_paths={READ.path})
    script.on("GET", READ.path, ok([]))
    script.on("POST", "/fapi/v1/order", ok({}))
    async with exchange(script) as url, client(url) as rest, asyncio.TaskGroup() as group:
        reads = [group.create_task(rest.read(READ)) for _ in range(40)]
        while len(script.asked("GET", READ.path)) < 8:
            await asyncio.sleep(0.005)
        async with asyncio.timeout(20):
            assert isinstance(await rest.send(ORDER), Answer)
        assert len(script.asked("GET", READ.path)) == 8
        script.hold.set()
        outcomes = await asyncio.gather(*reads)
    assert all(isinstance(outcome, Answer) for outcome in outcomes)


async def test_the_clock_adopts_exchange_time() -> None:
    """Far off, it is set within a round trip."""
    script = Script()
    async with exchange(script) as url, client(url) as rest:
        rest.clock.set_now(5)
        assert await rest.sync_clock()
        assert abs(rest.clock.now_ms() - NOW_MS) < 1_000


async def test_a_clock_nobody_answers_is_left_alone() -> None:
    """No sample, no change."""
    async with client("http://127.0.0.1:1") as rest:
        assert not await rest.sync_clock()
        assert abs(rest.clock.now_ms() - NOW_MS) < 1_000


@pytest.mark.parametrize(("allowed", "speed"), [(True, 60.0), (False, 1.0)])
async def test_only_a_sandbox_may_set_the_clocks_rate(allowed: bool, speed: float) -> None:
    """The speed header is followed only where the world allows it."""
    script = Script()
    async with exchange(script) as url, client(url, sandbox_allowed=allowed) as rest:
        script.on("GET", "/fapi/v1/time", ok({"serverTime": NOW_MS}, **{"X-Sandbox-Speed": "60"}))
        assert await rest.sync_clock()
        assert rest.clock.speed == speed


@pytest.mark.parametrize("text", ["0", "-3", "nan", "inf", "fast"])
async def test_an_absurd_speed_is_ignored(text: str) -> None:
    """A clock must go on, forward, at a finite rate."""
    script = Script()
    async with exchange(script) as url, client(url, sandbox_allowed=True) as rest:
        script.on("GET", "/fapi/v1/time", ok({"serverTime": NOW_MS}, **{"X-Sandbox-Speed": text}))
        await rest.sync_clock()
        assert rest.clock.speed == 1.0


async def test_the_hook_fires_as_the_bytes_leave() -> None:
    """Called once, before the answer: what the benchmark measures."""
    script = Script(held_paths={"/fapi/v1/order"})
    script.on("POST", "/fapi/v1/order", ok({}))
    fired: list[int] = []
    async with exchange(script) as url, client(url) as rest, asyncio.TaskGroup() as group:
        task = group.create_task(rest.send(ORDER, on_sent=lambda: fired.append(1)))
        while not fired:
            await asyncio.sleep(0.005)
        assert not task.done()
        script.hold.set()
    assert fired == [1]


async def test_used_weight_is_learnt_from_the_header() -> None:
    """The budget follows the exchange's own count."""
    script = Script()
    script.on("GET", READ.path, ok([], **{"X-MBX-USED-WEIGHT-1M": "1234"}))
    async with exchange(script) as url, client(url) as rest:
        await rest.read(READ)
        assert rest.budget.used == 1234


async def test_an_endless_answer_is_unknown() -> None:
    """An answer too long to be true is cut off; memory is bounded."""

    def flood(_heard: Heard) -> web.Response:
        return web.Response(body=b"x" * (17 * 1024 * 1024))

    script = Script()
    script.on("POST", "/fapi/v1/order", flood)
    async with exchange(script) as url, client(url) as rest:
        assert isinstance(await rest.send(ORDER), Unknown)


async def test_credentials_never_show_themselves() -> None:
    """Neither a log line nor a traceback's locals print the key."""
    shown = repr(Credentials(api_key="key-1", signer=HmacSigner("secret-1")))
    assert "key-1" not in shown
    assert "secret-1" not in shown


async def test_the_clock_keeper_follows_a_change_of_speed() -> None:
    """A sandbox that changes its speed is followed as soon as any answer says so."""
    script = Script()
    script.on("GET", READ.path, ok([], **{"X-Sandbox-Speed": "10"}))
    async with exchange(script) as url:
        script.on("GET", "/fapi/v1/time", ok({"serverTime": NOW_MS}, **{"X-Sandbox-Speed": "10"}))
        session = open_session()
        rest = RestClient(
            address=RestAddress(base_url=url, sandbox_allowed=True),
            session=session,
            clock=SystemClock(start_ms=NOW_MS),
            budget=WeightBudget(),
            dice=Random(1),
        )
        keeper = asyncio.create_task(rest.keep_clock())
        try:
            assert isinstance(await rest.read(READ), Answer)
            async with asyncio.timeout(20):
                while rest.clock.speed != 10.0:
                    await asyncio.sleep(0.005)
        finally:
            keeper.cancel()
            await session.close()


async def test_nobody_asks_for_the_time_during_a_ban() -> None:
    """A ban holds for the clock as well: it is not set, and set again once the ban is over."""
    script = Script()
    script.on("GET", READ.path, no(418, -1003, "banned", **{"Retry-After": "120"}))
    async with exchange(script) as url, client(url) as rest:
        assert await rest.sync_clock()
        before = len(script.asked("GET", "/fapi/v1/time"))
        assert isinstance(await rest.read(READ, tries=1), Refused)
        assert not await rest.sync_clock()
        assert len(script.asked("GET", "/fapi/v1/time")) == before


async def test_a_question_of_the_core_does_not_wait_for_weight() -> None:
    """It gets its answer, or the word that there is none, at once: the core asks again."""
    asking = replace(READ, priority=Priority.ASKING, weight=5)
    script = Script()
    script.on("GET", READ.path, ok([]))
    async with exchange(script) as url, client(url) as rest:
        rest.budget.set_limit(10)
        assert isinstance(await rest.read(asking), Answer)
        async with asyncio.timeout(5):
            assert isinstance(await rest.read(asking), NotSent)
    assert len(script.asked("GET", READ.path)) == 1
