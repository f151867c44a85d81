"""The whole error table, row by row as the reference sheet's section 7 has it."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.venue.wire_errors import (
    ERROR_TABLE,
    Answer,
    ErrorClass,
    Refused,
    Unknown,
    class_of,
    outcome_of,
)
from tests.house import ROOT

SHEET_FILE = ROOT.parent / "shared/reference/binance-usdm.md"
no_sheet = pytest.mark.skipif(
    not SHEET_FILE.exists(), reason="the shared reference sheet is not beside this checkout"
)

T, U, R = ErrorClass.TEMPORARY, ErrorClass.UNKNOWN_OUTCOME, ErrorClass.FATAL_REQUEST
A, B, C = ErrorClass.FATAL_ACCOUNT, ErrorClass.BENIGN, ErrorClass.CHECK

# Written out from the sheet, not derived from the code's own groups.
SHEET: dict[ErrorClass, str] = {
    U: "1000 1001 1006 1007 4083",
    A: "1002 1004 1005 1011 1099 1109 2014 2015 2017 2023 4087 4088 4109 4192 4400 4401 4402 "
    "4405 4407",
    T: "1003 1008 1015 1016 1021 1112 1125 2012 2016 4117 4131 5028 5043",
    R: "1010 1013 1014 1020 1022 1023 1100 1101 1102 1103 1104 1105 1106 1108 1110 1111 1113 "
    "1114 1115 1116 1117 1118 1120 1121 1122 1126 1127 1128 1130 1136 2010 2018 2019 2020 2021 "
    "2024 2025 2026 2027 2028 4001 4002 4003 4004 4005 4006 4007 4013 4014 4015 4016 4021 4023 "
    "4024 4028 4029 4030 4032 4045 4047 4048 4050 4051 4054 4060 4061 4062 4067 4068 4082 4118 "
    "4120 4135 4136 4137 4138 4139 4140 4141 4142 4144 4161 4164 4165 4166 4167 4168 4169 4170 "
    "4172 4183 4184 4202 4203 4205 4206 4208 4209 4210 4211 4403 4411 4517 4518 4519 4531 5021 "
    "5022 5024 5025 5026 5029 5037 5038 5039 5040 5041 5047",
    B: "4046 4059 4171 5027",
    C: "2011 2013 2022 4116 4129 4130 4509",
}
ROWS = [(-int(code), kind) for kind, codes in SHEET.items() for code in codes.split()]


@pytest.mark.parametrize(("code", "kind"), ROWS)
def test_every_code_has_the_class_of_the_sheet(code: int, kind: ErrorClass) -> None:
    """Each documented code is classified as the reference sheet does."""
    assert class_of(code) is kind


def test_the_table_holds_the_sheet_and_nothing_else() -> None:
    """No code is missing from the table, and none was invented."""
    assert dict(ROWS) == dict(ERROR_TABLE)


# Where the sheet's class column says more than one word, or leaves the class to a query: ours.
PROSE: dict[int, ErrorClass] = {
    -1022: R,  # fatal for the account when every call has it: bot/venue/standing.py counts
    -1109: A,
    -1112: T,
    -2013: C,
    -2011: C,
    -2022: C,
    -4116: C,
    -4129: C,
    -4130: C,
    -4142: R,
    -4171: B,
    -4403: R,
    -4509: C,
    -5021: R,
    -5022: R,
    -5027: B,
    -5043: T,
    -4083: U,
}
WORDS = {
    "BENIGN": B,
    "TEMPORARY": T,
    "UNKNOWN_OUTCOME": U,
    "FATAL_REQUEST": R,
    "FATAL_ACCOUNT": A,
}


def _sheet_rows(title: str) -> list[list[str]]:
    section = SHEET_FILE.read_text().split(f"### {title}")[1].split("\n#")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def _codes(cell: str) -> set[int]:
    found: set[int] = set()
    for first, last in re.findall(r"-(\d{4})\.\.-(\d{4})", cell):
        found.update(-code for code in range(int(first), int(last) + 1))
    return found | {-int(code) for code in re.findall(r"-(\d{4})", cell)}


@no_sheet
def test_every_code_of_the_sheet_file_is_in_the_table() -> None:
    """The sheet's own tables, read as they stand: each code is here, in the class it names."""
    listed: set[int] = set()
    for title in ("7.1", "7.2"):
        for cells in _sheet_rows(title):
            for code in _codes(cells[0]):
                listed.add(code)
                named = re.match(r"[A-Z_]+", cells[2])
                wanted = PROSE.get(code) or WORDS[named.group(0) if named else ""]
                assert ERROR_TABLE[code] is wanted, (code, cells)
    assert listed == set(ERROR_TABLE)


# One example of each row of the sheet's section 7.3, keyed by the start of its first cell.
HTTP_CASES: dict[str, list[tuple[int, int | None, str, ErrorClass]]] = {
    '503 "Unknown error': [(503, -1000, "Unknown error, please check your request", U)],
    '503 "Service Unavailable."': [(503, None, "Service Unavailable.", T)],
    '503 "Internal error': [(503, -1001, "Internal error; unable to process your request.", T)],
    "503 + -1008": [(503, -1008, "Request throttled by system-level protection.", T)],
    "503 other text": [
        (503, None, "new words", U),
        (503, None, "", U),
        (500, None, "", U),
        (502, None, "", U),
        (504, None, "", U),
        (500, None, "Request occur unknown error.", U),
    ],
    "408, client timeout": [(408, None, "", U)],  # the other two: tests/venue/test_rest.py
    "connect refused": [],  # NotSent, no HTTP: tests/venue/test_rest.py
    "429, 418": [(429, -1003, "Too many", T), (418, -1003, "banned", T)],
    "403": [(403, None, "<html>", T)],
    "451": [(451, None, "restricted location", A)],
    "401": [(401, None, "", A), (401, -2014, "API-key format invalid.", A)],
}


@pytest.mark.parametrize("case", [case for cases in HTTP_CASES.values() for case in cases])
def test_every_http_case_has_the_class_of_the_sheet(
    case: tuple[int, int | None, str, ErrorClass],
) -> None:
    """An unknown outcome is Unknown, the others are refusals of their class."""
    status, code, text, kind = case
    outcome = _error(status, code, text)
    if kind is U:
        assert isinstance(outcome, Unknown)
    else:
        assert isinstance(outcome, Refused)
        assert outcome.kind is kind


@no_sheet
def test_every_http_case_of_the_sheet_file_has_an_example() -> None:
    """Section 7.3, row by row: none is without its example above, none is left over."""
    firsts = [cells[0] for cells in _sheet_rows("7.3")]
    matched = [[key for key in HTTP_CASES if first.startswith(key)] for first in firsts]
    assert all(len(keys) == 1 for keys in matched), matched
    assert {keys[0] for keys in matched} == set(HTTP_CASES)


def _error(status: int, code: int | None, text: str, *, write: bool = True, **headers: str):
    body = text.encode() if code is None else json.dumps({"code": code, "msg": text}).encode()
    return outcome_of(status=status, body=body, headers=headers, is_write=write)


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (503, None, "Unknown error, please check your request or try again later."),
        (503, -1000, "Unknown error, please check your request or try again later."),
        (503, None, ""),
        (503, -1000, "some new text"),
        (500, None, "Request occur unknown error."),
        (500, -1001, "Internal error; unable to process your request. Please try again."),
        (502, None, "<html>bad gateway</html>"),
        (504, None, ""),
        (408, -1007, "Timeout waiting for response from backend server."),
        (408, None, ""),
        (400, -1006, "An unexpected response was received from the message bus."),
        (400, -1007, "Timeout waiting for response"),
        (400, -1042, "a code nobody listed, of the service's own range"),
        (400, None, "not JSON at all"),
        (302, None, ""),
    ],
)
def test_unknown_outcomes_of_writes_are_never_refusals(
    status: int, code: int | None, text: str
) -> None:
    """What may have been executed is Unknown for a write and merely temporary for a read."""
    assert isinstance(_error(status, code, text), Unknown)
    read = _error(status, code, text, write=False)
    assert isinstance(read, Refused)
    assert read.kind is T


@pytest.mark.parametrize(
    ("status", "code", "text", "kind", "verify"),
    [
        (503, None, "Service Unavailable.", T, False),
        (503, -1000, "Service Unavailable.", T, False),
        (503, -1001, "Internal error; unable to process your request. Please try again.", T, True),
        (503, -1008, "Request throttled by system-level protection.", T, False),
        (429, -1003, "Too many requests", T, False),
        (429, -1015, "Too many new orders", T, False),
        (418, -1003, "Way too many requests; IP banned until 1760000100000.", T, False),
        (403, None, "<html>denied</html>", T, False),
        (451, None, "Service unavailable from a restricted location", A, False),
        (401, -2015, "Invalid API-key, IP, or permissions for action.", A, False),
        (400, -1021, "Timestamp for this request is outside of the recvWindow.", T, False),
        (400, -2019, "Margin is insufficient.", R, False),
        (400, -9999, "a code nobody listed", R, False),
    ],
)
def test_definite_refusals(
    status: int, code: int | None, text: str, kind: ErrorClass, verify: bool
) -> None:
    """What was surely not done is Refused with its class, whatever the method."""
    for write in (True, False):
        refused = _error(status, code, text, write=write)
        assert isinstance(refused, Refused)
        assert (refused.kind, refused.verify) == (kind, verify)
        assert refused.code == (code or status)


def test_waits_are_read_from_header_and_text() -> None:
    """Retry-After is whole seconds of the wall; "banned until" is a moment of exchange time."""
    refused = _error(418, -1003, "IP banned until 1760000100000.", **{"retry-after": "120"})
    assert isinstance(refused, Refused)
    assert refused.retry_after_ms == 120_000
    assert refused.banned_until_ms == 1_760_000_100_000
    odd = _error(429, -1003, "slow down", **{"retry-after": "soon"})
    assert isinstance(odd, Refused)
    assert (odd.retry_after_ms, odd.banned_until_ms) == (0, 0)


@given(status=st.integers(200, 599), body=st.binary(max_size=200), write=st.booleans())
def test_no_body_breaks_the_classifier(status: int, body: bytes, write: bool) -> None:
    """Any status with any bytes has an outcome, and a write with a 5xx is never an Answer."""
    outcome = outcome_of(status=status, body=body, headers={}, is_write=write)
    assert isinstance(outcome, Answer) == (status < 300)
