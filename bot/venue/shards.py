"""All market streams, spread over connections: each shard carries at most so many.

There is one manoeuvre, the move: a stream is subscribed on its new shard, runs on both, and leaves
the old one when the new one has given data (or had every chance to). Rotation before the exchange's
24 h is a move of everything to a fresh shard; closing a half empty shard is a move to the others.
So nothing has a gap, and some frames come twice.

Data is the only proof of a stream: one that is silent beyond its cadence is subscribed again, with
growing pauses, and told of after a few times. Must not know: what a frame says.
"""

import random
from asyncio import Task, TaskGroup
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import structlog

from bot.shell.clock import wall_monotonic_s, wall_sleep_s
from bot.venue.shard import SILENCE_S, Hear, MarketStream, Turnstile, patience_of
from bot.venue.streams import ROTATE_S

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.5
AGAIN_MAX: Final = 2  # subscriptions anew before a stream is told of
AGAIN_PAUSE_S_MAX: Final = 600.0
ROTATE_SHARE: Final = (0.80, 0.95)  # of the life of a connection: shards take turns
ECHO_S: Final = 5.0  # after a move, frames of the old connection may still be on their way
STALE_S: Final = 15.0  # a shard that said nothing for so long tells the past

Told = Callable[[str, str], None]  # a stream and why it is mute, "" when it speaks (again)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardOptions:
    """How many streams a connection carries, and when it is doubted or replaced; wall seconds."""

    room: int = 200
    silence_s: float = SILENCE_S
    stale_s: float = STALE_S
    rotate_s: float = ROTATE_S
    look_every_s: float = LOOK_EVERY_S
    patience: Callable[[str], float] = patience_of


@dataclass(slots=True)
class _Stream:
    """Where a stream lives, and what is known of it."""

    home: MarketStream
    left: MarketStream | None = None  # the shard it moves away from
    proven: bool = False
    tries: int = 0
    told: bool = False  # to be mute
    again_s: float = 0.0  # no new subscription before


class Shards:
    """Shards of market streams. `told` hears of mute streams."""

    def __init__(
        self,
        *,
        ws_url: str,
        dice: random.Random,
        hear: Hear,
        told: Told,
        options: ShardOptions | None = None,
    ) -> None:
        self._ws_url = ws_url
        self._dice = dice
        self._hear = hear
        self._told = told
        self._options = options or ShardOptions()
        self._turnstile = Turnstile()
        self._streams: dict[str, _Stream] = {}
        self._shards: dict[MarketStream, float] = {}  # and the age at which it is replaced
        self._tasks: dict[MarketStream, Task[None]] = {}
        self._stale: frozenset[MarketStream] = frozenset()
        self._moving: set[str] = set()
        self._moved_s = -ECHO_S
        self._group: TaskGroup | None = None

    @property
    def shards(self) -> tuple[MarketStream, ...]:
        """The shards at work, oldest first."""
        return tuple(self._shards)

    @property
    def echoing(self) -> bool:
        """Whether frames may come twice, because streams move or just did."""
        return bool(self._moving) or wall_monotonic_s() - self._moved_s < ECHO_S

    def carry(self, names: Iterable[str]) -> None:
        """Carry these streams, now and after every break; the ones carried already stay put."""
        self._place([name for name in names if name not in self._streams], ())

    def drop(self, names: Iterable[str]) -> None:
        """Carry these streams no longer."""
        for name in names:
            stream = self._streams.pop(name, None)
            if stream is None:
                continue
            self._moving.discard(name)
            stream.home.drop([name])
            if stream.left is not None:
                stream.left.drop([name])

    def is_stale(self, name: str) -> bool:
        """Whether the stream's shard has been silent for too long to believe what it told."""
        stream = self._streams.get(name)
        if stream is None:
            return True
        return stream.home in self._stale and (stream.left is None or stream.left in self._stale)

    async def run(self) -> None:
        """Keep all shards at work; forever. Ends only by cancellation."""
        async with TaskGroup() as group:
            self._group = group
            for shard in self._shards:
                self._start(shard)
            while True:
                await wall_sleep_s(self._options.look_every_s)
                self.tend(wall_monotonic_s())

    def tend(self, now_s: float) -> None:
        """Finish moves, doubt mute streams, close empty shards, start the next move."""
        self._finish_moves(now_s)
        for name, stream in self._streams.items():
            self._prove(name, stream, now_s)
        for shard in [shard for shard in self._shards if not len(shard)]:
            self._close(shard)
        self._stale = frozenset(s for s in self._shards if self._is_silent(s, now_s))
        if not self._moving and not self._rotate(now_s):
            self._compact()

    def _is_silent(self, shard: MarketStream, now_s: float) -> bool:
        soonest_s = min(map(self._options.patience, shard.names), default=0.0)
        return shard.silent_s(now_s) > max(self._options.stale_s, soonest_s)

    # -------------------------------------------------------------------------------- places

    def _place(self, names: list[str], closed_to: Iterable[MarketStream]) -> None:
        room, barred = self._options.room, frozenset(closed_to)
        while names:
            open_to = (s for s in self._shards if s not in barred and len(s) < room)
            shard = next(open_to, None) or self._open()
            here, names = names[: room - len(shard)], names[room - len(shard) :]
            shard.want(here)
            for name in here:
                known = self._streams.get(name)
                if known is None:
                    self._streams[name] = _Stream(home=shard)
                    continue
                known.home, known.left = shard, known.home
                self._moving.add(name)

    def _open(self) -> MarketStream:
        shard = MarketStream(
            ws_url=self._ws_url,
            dice=self._dice,
            hear=self._hear,
            silence_s=self._options.silence_s,
            patience=self._options.patience,
            turnstile=self._turnstile,
        )
        self._shards[shard] = self._options.rotate_s * self._dice.uniform(*ROTATE_SHARE)
        if self._group is not None:
            self._start(shard)
        return shard

    def _start(self, shard: MarketStream) -> None:
        assert self._group is not None, "started before running"
        self._tasks[shard] = self._group.create_task(shard.run())

    def _close(self, shard: MarketStream) -> None:
        del self._shards[shard]
        task = self._tasks.pop(shard, None)
        if task is not None:
            task.cancel()
            log.info("market_shard_closed", shards=len(self._shards))

    # --------------------------------------------------------------------------------- moves

    def _finish_moves(self, now_s: float) -> None:
        for name in tuple(self._moving):
            stream = self._streams[name]
            assert stream.left is not None, f"{name} moves from nowhere"
            asked_s = stream.home.asked_s(name)
            if asked_s is None:
                continue  # not connected yet: the old one goes on as long as it lives
            nothing_to_lose = not stream.left.heard_s(name)
            patience_s = min(self._options.patience(name), self._options.silence_s)
            if stream.home.heard_s(name) or nothing_to_lose or now_s - asked_s > patience_s:
                stream.left.drop([name])
                stream.left = None
                self._moving.discard(name)
                self._moved_s = now_s

    def _rotate(self, now_s: float) -> bool:
        for shard, age_s in self._shards.items():
            if shard.opened_s is not None and now_s - shard.opened_s > age_s:
                log.info("market_shard_rotated", streams=len(shard))
                self._place(list(shard.names), tuple(self._shards))  # so: to a fresh one
                return True
        return False

    def _compact(self) -> None:
        if len(self._shards) < 2:
            return
        room = self._options.room
        least = min(self._shards, key=len)
        free = sum(room - len(shard) for shard in self._shards if shard is not least)
        if len(least) <= min(free, room // 2):
            self._place(list(least.names), (least,))

    # --------------------------------------------------------------------------------- proof

    def _prove(self, name: str, stream: _Stream, now_s: float) -> None:
        asked_s = stream.home.asked_s(name)
        if asked_s is None:
            return  # not connected: the shard's matter
        heard_s = stream.home.heard_s(name)
        patience_s = self._options.patience(name)
        if now_s - max(asked_s, heard_s) <= patience_s:
            if heard_s >= asked_s:
                stream.proven, stream.tries = True, 0
                if stream.told:
                    stream.told = False
                    self._told(name, "")
            return
        if now_s < stream.again_s:
            return
        stream.tries += 1
        pause_s = patience_s * 2.0 ** max(0, stream.tries - AGAIN_MAX)
        stream.again_s = now_s + max(patience_s, min(pause_s, AGAIN_PAUSE_S_MAX))
        stream.home.again(name)
        if stream.tries > AGAIN_MAX and not stream.told:
            stream.told = True
            what = "has gone silent" if stream.proven else "never gave data"
            self._told(name, f"the stream {name} {what}, subscribed {stream.tries} times")
