"""What the exchange's refusals and failures mean, as data: one table, one function.

Must not know: which command was sent or what will be done about it. Outcomes are values. A write
whose outcome is not known is `Unknown`, never a refusal; the same failure of a read is merely
temporary. Source: reference sheet section 7 (2026-11).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

TEXT_LENGTH_MAX: Final = 300  # of a refusal's text: enough for every documented one


class ErrorClass(StrEnum):
    """What to do about an error code."""

    BENIGN = "benign"  # what was wanted is already so
    CHECK = "check"  # benign once a query has shown it
    TEMPORARY = "temporary"  # surely not done; may be tried again later
    UNKNOWN_OUTCOME = "unknown_outcome"  # a write may have been done: ask
    FATAL_REQUEST = "fatal_request"  # this request will never be taken
    FATAL_ACCOUNT = "fatal_account"  # nothing of this kind will be taken from this account


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The exchange said yes. `body` is raw JSON."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The exchange surely did not do it. `code` is theirs, or the HTTP status when it has none."""

    code: int
    text: str
    kind: ErrorClass
    retry_after_ms: int = 0  # wall milliseconds to leave it alone; 0: not said
    banned_until_ms: int = 0  # exchange time; 0: not said
    verify: bool = False  # documented as a failure that one query should confirm


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The request never left this machine."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Nobody can say whether it was done."""

    reason: str


Outcome = Answer | Refused | NotSent | Unknown

_T: Final = ErrorClass.TEMPORARY
_U: Final = ErrorClass.UNKNOWN_OUTCOME
_R: Final = ErrorClass.FATAL_REQUEST
_A: Final = ErrorClass.FATAL_ACCOUNT


def _span(first: int, last: int) -> Iterable[int]:
    return range(first, last - 1, -1)


_GROUPS: Final[tuple[tuple[ErrorClass, tuple[int, ...]], ...]] = (
    # -10xx: the service itself
    (_U, (-1000, -1001, -1006, -1007)),
    (_A, (-1002, -1004, -1005, -1011, -1099)),
    (_T, (-1003, -1008, -1015, -1016, -1021)),
    (_R, (-1010, -1013, -1014, -1020, -1022, -1023)),
    # -11xx: parameters
    (_R, (*_span(-1100, -1106), -1108, -1110, -1111, *_span(-1113, -1118))),
    (_R, (-1120, -1121, -1122, *_span(-1126, -1128), -1130, -1136)),
    (_A, (-1109,)),
    (_T, (-1112, -1125)),
    # -20xx: orders, keys
    (_R, (-2010, -2018, -2019, -2020, -2021, *_span(-2024, -2028))),
    (ErrorClass.CHECK, (-2011, -2013, -2022)),
    (_T, (-2012, -2016)),
    (_A, (-2014, -2015, -2017, -2023)),
    # -40xx .. -46xx: filters, modes, permissions
    (_R, (*_span(-4001, -4007), *_span(-4013, -4016), -4021, -4023, -4024)),
    (_R, (*_span(-4028, -4030), -4032, -4045, -4047, -4048, -4050, -4051, -4054)),
    (_R, (*_span(-4060, -4062), -4067, -4068, -4531, -4082)),
    (ErrorClass.BENIGN, (-4046, -4059, -4171, -5027)),
    (_U, (-4083,)),
    (_A, (-4087, -4088, -4109, -4192, -4400, -4401, -4402, -4405, -4407)),
    (ErrorClass.CHECK, (-4116, -4129, -4130, -4509)),
    (_T, (-4117, -4131)),
    (_R, (-4118, -4120, *_span(-4135, -4142), -4144, -4161, *_span(-4164, -4170), -4172)),
    (_R, (-4183, -4184, -4210, -4211, -4202, -4203, -4205, -4206, -4208, -4209)),
    (_R, (-4403, -4411, *_span(-4517, -4519))),
    # -50xx: matching
    (_R, (*_span(-5021, -5022), *_span(-5024, -5026), -5029, -5047)),
    (_T, (-5028, -5043)),
    (_R, tuple(_span(-5037, -5041))),
)
ERROR_TABLE: Final[Mapping[int, ErrorClass]] = {
    code: kind for kind, codes in _GROUPS for code in codes
}
ALERT_CODES: Final = frozenset({-1016, -2019, -2023, -4045})  # a person should hear of these
KEY_DOUBT_CODE: Final = -2015  # after earlier success it was seen to pass within a minute
SIGNATURE_CODE: Final = -1022  # an encoding fault of one request, or, on every call, a wrong secret
CLOCK_CODES: Final = frozenset({-1021, -5028})  # not executed: the clock must be set again
NOT_FOUND_CODES: Final = frozenset({-2011, -2013})

# HTTP statuses whose meaning does not depend on a code in the body.
_STATUS_TABLE: Final[Mapping[int, ErrorClass]] = {
    401: _A,
    403: _T,
    418: _T,
    429: _T,
    451: _A,
}
# Texts of a 503, longest known start first; everything else with 5xx has an unknown outcome.
_DEFINITE_503: Final[tuple[tuple[str, bool], ...]] = (
    ("service unavailable", False),
    ("internal error; unable to process your request", True),
)
_BANNED: Final = re.compile(r"banned until (\d{10,16})")


class _ErrorBody(msgspec.Struct):
    code: int
    msg: str = ""


def class_of(code: int) -> ErrorClass:
    """The class of an error code; an unlisted one of the service's own range is no refusal."""
    known = ERROR_TABLE.get(code)
    if known is not None:
        return known
    return _U if -1100 < code <= -1000 else _R


def outcome_of(
    *, status: int, body: bytes, headers: Mapping[str, str], is_write: bool
) -> Answer | Refused | Unknown:
    """What an HTTP answer means. `headers` has lower-case names."""
    if 200 <= status < 300:
        return Answer(status=status, body=body, headers=headers)
    code, text = _read_error(body)
    retry_ms = _retry_after_ms(headers)
    kind, verify = _classify(status, code, text)
    if kind is _U:
        if is_write:
            return Unknown(reason=f"HTTP {status} {code or ''} {text}".strip())
        kind = _T
    banned = _BANNED.search(text)
    return Refused(
        code=code or status,
        text=text or f"HTTP {status}",
        kind=kind,
        retry_after_ms=retry_ms,
        banned_until_ms=int(banned.group(1)) if banned else 0,
        verify=verify,
    )


def _classify(status: int, code: int, text: str) -> tuple[ErrorClass, bool]:
    if status in _STATUS_TABLE:
        return _STATUS_TABLE[status], False
    if status >= 500:
        return _classify_5xx(status, code, text)
    if 400 <= status < 500 and status != 408 and code < 0:
        return class_of(code), False
    # 408, a redirect, or an answer nobody can read: the request may have gone through.
    return _U, False


def _classify_5xx(status: int, code: int, text: str) -> tuple[ErrorClass, bool]:
    if status != 503:
        return _U, False
    if code == -1008:
        return _T, False
    for start, verify in _DEFINITE_503:
        if text.lower().startswith(start):
            return _T, verify
    return _U, False


def _read_error(body: bytes) -> tuple[int, str]:
    try:
        read = msgspec.json.decode(body, type=_ErrorBody, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = body[:TEXT_LENGTH_MAX].decode("utf-8", "replace").strip()
        # A firewall's page says nothing a person or the core could use.
        return 0, "" if text.startswith("<") else text
    return read.code, read.msg[:TEXT_LENGTH_MAX]


def _retry_after_ms(headers: Mapping[str, str]) -> int:
    text = headers.get("retry-after", "")
    if not text.isascii() or not text.isdigit():
        return 0
    return min(int(text[:9]), 3 * 86_400) * 1000  # the longest documented ban is three days
