"""What the service does with strategies: bars in a line, broken ones told, all of them listed."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.app.analysis import Analysis, AnalysisPlan, plan_analysis
from bot.app.lookups import strategies as list_strategies
from bot.control.views.notices import is_known
from bot.core.desk import Desk
from bot.core.messages import Event, Level, SignalRaised
from bot.core.strategies.registry import STRATEGIES
from bot.settings import load as load_settings
from bot.shell.clock import VirtualClock
from bot.shell.errors import SettingFault
from bot.shell.strategy_book import Loaded
from tests.core.build import config
from tests.shell.fakes import FakeNotifier
from tests.shell.market import MINUTE_MS, FakeMarket, always, bar, running, saying

BROKEN_FILE = "import astrology_of_markets\n"


@dataclass
class Room:
    """An analysis on fakes, with one bot that works and one that breaks."""

    heard: list[Event] = field(default_factory=list)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)
    market: FakeMarket = field(default_factory=FakeMarket)

    def make(self, plan: AnalysisPlan, desk: Desk) -> Analysis:
        """The analysis at the end of minute 3."""
        return Analysis(
            plan,
            market=self.market,
            clock=VirtualClock(3 * MINUTE_MS),
            desk_of=lambda: desk,
            sink=self.heard.append,
            notifier=self.notifier,
        )


def broken(*_: object) -> None:
    """A strategy's inside that fails."""
    raise RuntimeError("no luck")


async def run_a_while(analysis: Analysis) -> None:
    """Let its tasks have some turns."""
    tasks = [asyncio.ensure_future(task) for task in analysis.tasks()]
    for _ in range(10):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_broken_strategy_is_told_to_the_owner_and_shown_in_status() -> None:
    """One notice with name, place and reason; the light goes red; the other bot signals."""
    mine = {one.name: one for one in (always(), saying("unlucky", broken))}
    plan = AnalysisPlan(loaded=Loaded(strategies={**STRATEGIES, **mine}))
    bots = (
        config(bot_id="b1", timeframe="1m", strategy="unlucky", symbols=()),
        config(bot_id="b2", timeframe="1m", strategy="always", symbols=()),
    )
    room = Room()
    analysis = room.make(plan, running(*bots))
    assert (analysis.light().ok, analysis.light().detail) == (True, "")
    room.market.close(bar(n) for n in range(3))
    analysis.hear(bar(2))
    assert not room.heard, "hearing does not look"
    await run_a_while(analysis)
    assert [e.signal.bot_id for e in room.heard if isinstance(e, SignalRaised)] == ["b2"]
    (told,) = room.notifier.told
    assert (told.kind, told.level) == ("strategy_disabled", Level.WARNING)
    assert is_known(told.kind)
    assert dict(told.fields) == {
        "strategy": "unlucky",
        "where": "built in",
        "reason": "RuntimeError: no luck",
    }
    assert (analysis.light().ok, analysis.light().detail) == (False, "off: unlucky")


async def test_what_broke_while_loading_is_told_at_the_start(tmp_path: Path) -> None:
    """The owner hears of a file that cannot be imported, and trading goes on."""
    (tmp_path / "stars.py").write_text(BROKEN_FILE)
    room = Room()
    analysis = room.make(plan_analysis(tmp_path, ()), running())
    assert not room.notifier.told
    await run_a_while(analysis)
    assert [dict(told.fields)["strategy"] for told in room.notifier.told] == ["stars"]


def test_a_folder_that_is_none_is_a_setting_fault(tmp_path: Path) -> None:
    """The setting is named with its value and what is allowed."""
    with pytest.raises(SettingFault, match=r"STRATEGY_DIR is .*; allowed is a folder"):
        plan_analysis(tmp_path / "nowhere", ())


def listed(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> tuple[int, str]:
    """The exit code and what was printed."""
    code = list_strategies(as_json=as_json)
    return code, capsys.readouterr().out


def test_the_listing_has_every_strategy_and_what_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parameters, bounds, defaults, source; a broken one with reason and traceback, and exit 1."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STRATEGY_DIR", raising=False)
    code, text = listed(capsys, as_json=True)
    rows = json.loads(text)
    assert code == 0
    assert [row["name"] for row in rows] == list(STRATEGIES)
    assert all(row["ok"] and row["source"] == "built in" and row["params"] for row in rows)

    (tmp_path / "stars.py").write_text(BROKEN_FILE)
    monkeypatch.setenv("STRATEGY_DIR", str(tmp_path))
    code, text = listed(capsys, as_json=True)
    last = json.loads(text)[-1]
    assert code == 1
    assert (last["name"], last["ok"], last["source"]) == ("stars", False, f"{tmp_path}/stars.py")
    assert last["reason"].startswith("ModuleNotFoundError")
    assert "Traceback" in last["traceback"]
    code, text = listed(capsys, as_json=False)
    assert "stars: BROKEN, ModuleNotFoundError" in text
    assert "  stop_atr = 2  (0.5 to 10)\n" in text


def test_feeds_are_a_list_of_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commas or spaces between; anything that is no address is named; none is the default."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEWS_URLS", raising=False)
    assert load_settings(None).news_urls == ()
    monkeypatch.setenv("NEWS_URLS", "https://a.example/rss, https://b.example/feed.json")
    assert load_settings(None).news_urls == ("https://a.example/rss", "https://b.example/feed.json")
    monkeypatch.setenv("NEWS_URLS", "file:///etc/passwd")
    with pytest.raises(SettingFault, match="NEWS_URLS is 'file:///etc/passwd'; allowed is a list"):
        load_settings(None)
    monkeypatch.setenv("NEWS_URLS", ",".join(f"https://a.example/{n}" for n in range(11)))
    with pytest.raises(SettingFault, match="NEWS_URLS"):
        load_settings(None)
