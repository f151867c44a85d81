"""Records <-> versioned JSON lines: `{"v":1,"kind":"ClassName","body":{...}}`.

The class name is the record's kind, so a class that was ever written is never renamed; fields are
only added, with defaults. Must not know: what any record means; the caller names the types.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

VERSION: Final = 1
LINE_LENGTH_MAX: Final = 4_000_000  # characters; a longer line is no record of ours


class JournalFault(ValueError):
    """A line that is no record: what is wrong, and where."""


class _Envelope(msgspec.Struct):
    v: int
    kind: str
    body: msgspec.Raw


class Codec:
    """Encodes and decodes one closed set of frozen record classes."""

    def __init__(self, types: Iterable[type]) -> None:
        chosen = tuple(types)
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {
            one.__name__: msgspec.json.Decoder(one) for one in chosen
        }
        assert len(self._decoders) == len(chosen), "two record classes share a name"
        self._encoder = msgspec.json.Encoder()
        self._heads: dict[type, bytes] = {
            one: f'{{"v":{VERSION},"kind":"{one.__name__}","body":'.encode() for one in chosen
        }
        self._envelope = msgspec.json.Decoder(_Envelope)

    def encode_bytes(self, record: object) -> bytes:
        """One line without its end. Raises JournalFault for a class that was not named."""
        head = self._heads.get(type(record))
        if head is None:
            raise JournalFault(f"{type(record).__name__} is not a record of this journal")
        return head + self._encoder.encode(record) + b"}"

    def encode(self, record: object) -> str:
        """One line of text without its end."""
        return self.encode_bytes(record).decode()

    def decode(self, line: str | bytes) -> object:
        """The record of a line. Raises JournalFault for anything that is not one."""
        if len(line) > LINE_LENGTH_MAX:
            raise JournalFault(f"a line of {len(line)} characters is no record")
        try:
            envelope = self._envelope.decode(line)
        except msgspec.MsgspecError as broken:
            raise JournalFault(f"not a journal line: {broken}") from broken
        if envelope.v != VERSION:
            raise JournalFault(
                f"a record of version {envelope.v}; this program reads {VERSION}: update it"
            )
        decoder = self._decoders.get(envelope.kind)
        if decoder is None:
            raise JournalFault(f"a record of unknown kind {envelope.kind!r}")
        try:
            return decoder.decode(envelope.body)
        except msgspec.MsgspecError as broken:
            raise JournalFault(f"a broken {envelope.kind}: {broken}") from broken


def encode_as(record: object) -> str:
    """One record of a type the reader will know, as bare JSON text."""
    return msgspec.json.encode(record).decode()


def decode_as(kind: type[T], text: str | bytes) -> T:
    """The record of that type. Raises JournalFault when the text is not one."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as broken:
        raise JournalFault(f"a broken {kind.__name__}: {broken}") from broken


class _Step(msgspec.Struct):
    seq: int
    at_ms: int
    line: str


def write_lines(codec: Codec, steps: Iterable[tuple[int, int, object]]) -> Iterator[str]:
    """A recorded day: `(seq, at_ms, record)` as lines of text, in order."""
    for seq, at_ms, record in steps:
        step = _Step(seq=seq, at_ms=at_ms, line=codec.encode(record))
        yield msgspec.json.encode(step).decode()


def read_lines(codec: Codec, lines: Iterable[str]) -> Iterator[tuple[int, int, object]]:
    """A recorded day back. Raises JournalFault, naming the line, on a gap, a repeat or damage."""
    before: int | None = None
    for number, line in enumerate(lines, start=1):
        try:
            step = msgspec.json.decode(line, type=_Step)
        except msgspec.MsgspecError as broken:
            raise JournalFault(f"line {number}: not a recorded step: {broken}") from broken
        if before is not None and step.seq != before + 1:
            raise JournalFault(f"line {number}: step {step.seq} follows {before}")
        before = step.seq
        try:
            yield step.seq, step.at_ms, codec.decode(step.line)
        except JournalFault as fault:
            raise JournalFault(f"line {number}: {fault}") from fault
