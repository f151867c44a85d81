"""Our frames have the fields of frames that were captured from the real exchange."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.exchange_frames import Style, event_frame, kline_frame, kline_row
from bot.sandbox.exchange_history import Bar
from data.model import Side
from tests.sandbox.exchange_cases import BTC, START_MS, D, exchange, market, stop

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures"
CAPTURED = FIXTURES / "captured-frames"


def captured(name: str, event: str) -> Any:
    """The first captured frame of an event, out of its wrapper."""
    path = CAPTURED / name
    if not path.is_file():
        pytest.skip("the captured frames are not on this machine")
    for line in path.read_text().splitlines():
        frame = json.loads(line) if line.strip() else {}
        frame = frame.get("data", frame)
        if frame.get("e") == event:
            return frame
    raise AssertionError(f"no {event} in {name}")


def shape(value: Any) -> Any:
    """Names and kinds of a frame, without its values."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def ours() -> dict[str, Any]:
    """One frame of each user event of a market order and a fired stop; the first of each kind."""
    world = exchange("10000")
    world.place(market(Side.BUY, "0.1"), START_MS)
    world.place_conditional(stop("9800", client_id="sl"), START_MS)
    world.advance(BTC, D(9700), START_MS + 1)
    frames: dict[str, Any] = {}
    for event in world.drain_events():
        frame = event_frame(event)
        frames.setdefault(frame["e"], frame)
        if frame["e"] == "ALGO_UPDATE":
            frames[f"ALGO_UPDATE {frame['o']['X']}"] = frame
    return frames


@pytest.mark.parametrize("event", ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE"])
def test_user_frames_have_the_captured_shape(event: str) -> None:
    """Field for field and kind for kind, nested ones too."""
    assert shape(ours()[event]) == shape(captured("user_market_order_2026-02-23.jsonl", event))


def test_triggered_conditional_has_the_recorded_fields() -> None:
    """A triggered and a finished conditional frame carry what the recorded ones do."""
    for name in ("TRIGGERED", "FINISHED"):
        path = FIXTURES / "nautilus" / "ws-user" / f"ws_futures_algo_update_{name.lower()}.json"
        if not path.is_file():
            pytest.skip("the recorded frames are not on this machine")
        recorded = json.loads(path.read_text())["data"]
        frame = ours()[f"ALGO_UPDATE {name}"]
        missing = set(recorded["o"]) - set(frame["o"])
        assert not missing
        common = {k: shape(v) for k, v in frame["o"].items() if k in recorded["o"]}
        assert common == shape(recorded["o"])


def test_kline_frame_has_the_captured_shape() -> None:
    """A kline as captured, and the REST row from the same bar."""
    bar = Bar(START_MS, 1.0, 2.0, 0.5, 1.5, 10.0)
    style = Style(BTC, 1, 3)
    frame = kline_frame(style, bar, "1m", START_MS + 5, closed=False)
    assert shape(frame) == shape(captured("kline_open_2026-08-01.jsonl", "kline"))
    row = kline_row(style, bar, "1m")
    assert row[:7] == [START_MS, "1.0", "2.0", "0.5", "1.5", "10.000", START_MS + 59_999]
    assert len(row) == 12
