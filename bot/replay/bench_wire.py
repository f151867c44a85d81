"""What our client costs on the wire: a signed order beside a bare POST, and a storm of events.

The other side is a peer in a process of its own that answers at once and keeps nothing. Must not
know: how the result is shown.
"""

import asyncio
import json
import random
import resource
import statistics
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiohttp
from yarl import URL

from bot.core.desk_state import Desk
from bot.core.messages import OrderReported, PlaceOrder, StreamLost
from bot.core.trade import Order, Role
from bot.replay.bench_child import child
from bot.replay.bench_protect import ACCOUNT, USER, Nobody, Yes, add_people
from bot.sandbox.bench_peer import EVENTS_OF_FIVE
from bot.shell.clock import SystemClock, wall_monotonic_s, wall_sleep_s
from bot.shell.engine import Engine
from bot.shell.process import rss_mb, rss_mb_peak, settle
from bot.shell.recorder import Recorder
from bot.shell.steps import Ports, StepRecord
from bot.venue.gateway import Gateway, GatewayOptions
from bot.venue.rest import Credentials, RestAddress, RestClient, open_session
from bot.venue.wire import HmacSigner, target_of
from bot.venue.wire_errors import Answer
from bot.venue.wire_requests import place_request
from bot.venue.wire_weight import WeightBudget
from data.model import OrderKind, Side
from data.store.store import Store

BLOCKS: Final = 40
POSTS: Final = 50  # in one block, then the other side's turn: noise hits both alike
STORM_RATE: Final = 5_000
STORM_S: Final = 10.0
DRAIN_S: Final = 60.0
STEADY_S: Final = 1.0  # nothing new applied for so long: it is over
SECRET: Final = "bench"  # noqa: S105 - a pretend key for a peer that checks nothing
KB: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StormReport:
    """What became of a storm. Pauses in wall seconds; memory is of this process."""

    frames_sent: int
    frames_heard: int
    events_expected: int
    events_applied: int
    events_dropped: int
    breaks: int  # times the stream was told to be lost
    backlog_max: int
    pause_s_max: float  # longest time in which the engine did not beat
    storm_s: float
    drain_s: float  # from the last frame sent to the last event applied
    committed: int
    rss_mb_before: float
    rss_mb_peak: float

    @property
    def lost(self) -> int:
        """Events that never reached the desk."""
        return self.events_expected - self.events_applied


@dataclass(frozen=True, slots=True, kw_only=True)
class PostReport:
    """CPU time of this process for one order, microseconds, median of blocks; and to the floor.

    `client` signs, sends and judges a request that is built; `gateway` goes from the core's order
    to its event.
    """

    bare_us: float
    client_us: float
    gateway_us: float
    client_ratio: float  # median of the ratios of neighbouring blocks
    gateway_ratio: float


async def measure_post() -> PostReport:
    """A signed order through our client and through a bare session, block by block."""
    with child("bot.sandbox.bench_peer") as ready:
        async with open_session() as session, aiohttp.ClientSession() as bare:
            rest = _client(ready, session, SystemClock())
            gateway = Gateway(
                rest=rest, ws_url=ready["ws"], dice=random.Random(1), sink=lambda _event: None
            )
            took: list[tuple[float, float, float]] = []
            for block in range(BLOCKS):
                orders = [_order(block * POSTS + number) for number in range(POSTS)]
                floor_us = await _bare_block(bare, ready["rest"], orders)
                client_us = await _client_block(rest, orders)
                took.append((floor_us, client_us, await _gateway_block(gateway, orders)))
    del took[0]  # it opened the sockets
    return PostReport(
        bare_us=statistics.median(floor for floor, _, _ in took),
        client_us=statistics.median(client for _, client, _ in took),
        gateway_us=statistics.median(whole for _, _, whole in took),
        client_ratio=statistics.median(client / floor for floor, client, _ in took),
        gateway_ratio=statistics.median(whole / floor for floor, _, whole in took),
    )


async def measure_storm() -> StormReport:
    """Five thousand frames a second for ten seconds, through gateway, engine and journal."""
    settle()
    with tempfile.TemporaryDirectory() as folder, child("bot.sandbox.bench_peer") as ready:
        store = await Store.open(f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}")
        try:
            await add_people(store)
            async with _service(ready, store) as service:
                return await service.storm(ready["rest"])
        finally:
            await store.close()


# ------------------------------------------------------------------------------------- posting


async def _gateway_block(gateway: Gateway, orders: list[Order]) -> float:
    began_s = _cpu_s()
    for order in orders:
        (event,) = await gateway.perform(PlaceOrder(order=order))
        assert isinstance(event, OrderReported), event
    return (_cpu_s() - began_s) / len(orders) * 1e6


async def _client_block(rest: RestClient, orders: list[Order]) -> float:
    requests = [place_request(order) for order in orders]
    began_s = _cpu_s()
    for request in requests:
        outcome = await rest.send(request)
        assert isinstance(outcome, Answer), outcome
    return (_cpu_s() - began_s) / len(orders) * 1e6


async def _bare_block(session: aiohttp.ClientSession, base_url: str, orders: list[Order]) -> float:
    signer = HmacSigner(SECRET)
    stamp_ms = SystemClock().now_ms()
    urls = []
    for order in orders:
        path, query = target_of(place_request(order), timestamp_ms=stamp_ms, signer=signer)
        urls.append(URL(f"{base_url}{path}?{query}", encoded=True))
    headers = {"X-MBX-APIKEY": SECRET}
    began_s = _cpu_s()
    for url in urls:
        async with session.post(url, headers=headers) as response:
            assert response.status == 200
            await response.read()
    return (_cpu_s() - began_s) / len(orders) * 1e6


def _order(number: int) -> Order:
    return Order(
        order_id=f"tbbench-{number}",
        role=Role.ENTRY,
        attempt=0,
        symbol="BTCUSDT",
        side=Side.BUY,
        kind=OrderKind.MARKET,
        quantity=Decimal("0.002"),
    )


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# -------------------------------------------------------------------------------------- storm


class _Service:
    """Gateway, engine and journal of one account, counting what passes."""

    def __init__(self, ready: dict[str, Any], store: Store, session: aiohttp.ClientSession) -> None:
        clock = SystemClock()
        self.frames = 0
        self.applied: Counter[str] = Counter()
        self.committed = 0
        self.backlog_max = 0
        self.pause_s_max = 0.0
        self._beat_s = wall_monotonic_s()
        self.gateway = Gateway(
            rest=_client(ready, session, clock),
            ws_url=ready["ws"],
            dice=random.Random(1),
            sink=lambda event: self.engine.post(event),
            options=GatewayOptions(on_frame=self._framed),
        )
        self.engine = Engine(
            Desk(account_id=ACCOUNT, user_id=USER),
            ports=Ports(
                journal=Recorder(store),
                venue=self.gateway,
                advisor=Yes(),
                notifier=Nobody(),
                question_of=lambda _desk, _command: None,
                mark_price=lambda _symbol: None,
            ),
            clock=clock,
            on_beat=self._beat,
        )
        self.engine.watch(self._stepped)
        self._session = session

    async def storm(self, base_url: str) -> StormReport:
        """Let it blow, wait until it is applied, and say how it was."""
        while not self.engine.desk.ready:
            await wall_sleep_s(0.01)
        self.applied.clear()
        before_mb = rss_mb()
        self.frames, self.pause_s_max, self._beat_s = 0, 0.0, wall_monotonic_s()
        url = f"{base_url}/storm?rate={STORM_RATE}&seconds={STORM_S}"
        async with self._session.post(url) as response:
            told = json.loads(await response.read())
        ended_s = wall_monotonic_s()
        expected = told["sent"] // 5 * EVENTS_OF_FIVE
        last_s = await self._drained(expected)
        return StormReport(
            frames_sent=told["sent"],
            frames_heard=self.frames,
            events_expected=expected,
            events_applied=self._news_applied(),
            events_dropped=self.engine.dropped,
            breaks=self.applied[StreamLost.__name__],
            backlog_max=self.backlog_max,
            pause_s_max=self.pause_s_max,
            storm_s=told["took_s"],
            drain_s=max(0.0, last_s - ended_s),
            committed=self.committed,
            rss_mb_before=before_mb,
            rss_mb_peak=rss_mb_peak(),
        )

    async def _drained(self, expected: int) -> float:
        until_s = wall_monotonic_s() + DRAIN_S
        seen, moved_s = -1, wall_monotonic_s()
        while wall_monotonic_s() < until_s and self._news_applied() < expected:
            if self._news_applied() != seen:
                seen, moved_s = self._news_applied(), wall_monotonic_s()
            elif wall_monotonic_s() - moved_s > STEADY_S:
                return moved_s
            await wall_sleep_s(0.01)
        return wall_monotonic_s()

    def _news_applied(self) -> int:
        kinds = ("OrderReported", "Filled", "PositionSeen", "WalletSeen")
        return sum(self.applied[kind] for kind in kinds)

    def _framed(self, _frame: bytes, _heard_ns: int) -> None:
        self.frames += 1

    def _stepped(self, record: StepRecord) -> None:
        self.applied[type(record.event).__name__] += 1
        self.committed += record.seq is not None
        self.backlog_max = max(self.backlog_max, self.engine.waiting)

    def _beat(self) -> None:
        now_s = wall_monotonic_s()
        self.pause_s_max = max(self.pause_s_max, now_s - self._beat_s)
        self._beat_s = now_s


@asynccontextmanager
async def _service(ready: dict[str, Any], store: Store) -> AsyncIterator[_Service]:
    async with open_session() as session:
        service = _Service(ready, store, session)
        await service.gateway.prepare()
        async with asyncio.TaskGroup() as group:
            group.create_task(service.engine.run())
            stream = group.create_task(service.gateway.run())
            yield service
            stream.cancel()
            await service.engine.stop()


def _client(
    ready: dict[str, Any], session: aiohttp.ClientSession, clock: SystemClock
) -> RestClient:
    return RestClient(
        address=RestAddress(base_url=ready["rest"]),
        session=session,
        clock=clock,
        budget=WeightBudget(limit=1_000_000),
        dice=random.Random(1),
        credentials=Credentials(api_key=SECRET, signer=HmacSigner(SECRET)),
    )
