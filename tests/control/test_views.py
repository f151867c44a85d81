"""What people read: every phase, every notice, both languages, within Telegram's limits."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot.control.catalog import language_of, read_catalog, read_language, words
from bot.control.handlers import COMMANDS, describe_commands
from bot.control.html import TEXT_LENGTH_MAX, Html, length, plain_text
from bot.control.views.card import Shown, card
from bot.control.views.look import (
    duration,
    money,
    percent,
    price,
    signed_money,
    table,
)
from bot.control.views.notices import is_known, notice
from bot.control.views.stages import Moved, Stage, stage_of
from bot.control.views.status import Light, bots, help_page, status
from bot.control.views.terms import Verb
from bot.control.views.why import Story, why
from bot.core.messages import Level, Tell
from bot.core.trade import Approval, Check, OrderState, Outcome, Phase, Role, Trade
from bot.sandbox.telegram_html import parse_html
from bot.shell.provenance import Chain
from data.model import Action, OrderKind, Position
from tests.control.samples import (
    APPROVED,
    BARE,
    CLOSED,
    CLOSED_TRADE,
    CLOSING,
    DECISION,
    NOW_MS,
    OPEN,
    SIGNAL,
    WAITING,
    desk,
    look,
    order,
)

ROOM = Path(__file__).resolve().parents[2] / "bot" / "control"
TELLS = (
    "trade_opened", "trade_closed", "trade_blocked", "trade_expired", "trade_rejected",
    "trade_unfilled", "entry_refused", "signal_advice", "abstained", "card_moved", "card_refused",
    "unprotected", "protection_refused", "emergency_close", "unknown_outcome", "foreign_position",
    "foreign_fill", "adopted", "orphan_order", "halted", "resumed", "paused", "panic",
    "stream_lost", "stream_restored", "storage_full", "liquidated", "ready", "memory_verdict",
    "late_fill", "close_refused", "protected_again",
    "listed", "traded_again", "delisting", "delisting_held",
)  # fmt: skip
BLOCKED = replace(
    WAITING,
    phase=Phase.IDLE,
    outcome=Outcome.BLOCKED,
    checks=tuple(
        Check(rule=f"rule_{n}", passed=n == 0, limit="5", value=f"{n + 5}") for n in range(7)
    ),
)
ABSTAINED = replace(
    WAITING,
    phase=Phase.IDLE,
    outcome=Outcome.ABSTAINED,
    decision=replace(
        DECISION, action=Action.ABSTAIN, abstained="blocked <by> http://x.yz", confidence=None
    ),
)
ENDINGS = tuple(
    replace(WAITING, phase=Phase.IDLE, outcome=outcome, note="why & <how>") for outcome in Outcome
)
LIVES = (WAITING, APPROVED, BARE, OPEN, CLOSING, CLOSED, BLOCKED, ABSTAINED, *ENDINGS)


def drawn(trade: Trade, stage: Stage | None = None, language: str = "en") -> tuple[str, list[str]]:
    """A card's words and its buttons' labels."""
    shown = Shown(
        stage=stage or stage_of(trade, Stage.OFFER),
        wallet_usdt=Decimal(1000),
        data={verb: f"1{verb.value}" for verb in Verb},
        moved=Moved(
            drift_bps=Decimal(40),
            reward_risk_before=Decimal("2.1"),
            reward_risk_now=Decimal("1.4"),
        ),
        closed=CLOSED_TRADE if trade.outcome is Outcome.CLOSED else None,
    )
    view = card(look(language), trade, shown)
    parse_html(view.html.markup)  # Telegram's own parser must take it
    assert length(view.html) <= TEXT_LENGTH_MAX
    return plain_text(view.html), [button.label for row in view.keyboard for button in row]


def test_the_offer_says_everything_a_person_decides_on() -> None:
    """Direction, symbol, mode, prices with distances, size, risk, R:R, adviser, expiry, buttons."""
    words_of, buttons = drawn(WAITING)
    assert words_of.startswith("LONG BTCUSDT · 30m · x5  PAPER\n")
    for part in (
        "Entry   64000.0",
        "Stop    63232.0  -1.20 %",  # (63232 - 64000) / 64000
        "Target  65536.0  +2.40 %",
        "Size      0.012  BTC",
        "Value    768.00  USDT  76.80 %",  # of a wallet of 1000
        "Risk       9.83  USDT   0.98 %",
        "R:R         2.0",
        "Adviser: open, confidence 78 (rules)",
        "• score 82 is above 75",
        "continuation, score 82",
        "Expires",
    ):
        assert part in words_of, f"{part!r} is not in:\n{words_of}"
    assert buttons == ["Approve", "Reject", "Half size", "Details", "Chart"]


def test_a_card_follows_its_trade() -> None:
    """Each phase adds its line; the slip is the distance of the average from the plan."""
    # (64012.8 - 64000) / 64000 = 2 bps
    filled = "→ filled 0.012 @ 64012.8 (slip +2 bps)"
    assert "→ entry sent: 0.012 @ 64000.0 (market)" in drawn(APPROVED)[0]
    bare = drawn(BARE)[0]
    assert filled in bare
    assert "Stop not confirmed yet (0.8s)" in bare
    assert "Protected: stop 63232.0 · target 65536.0" in drawn(OPEN)[0]
    assert "Closing: closed by a person…" in drawn(CLOSING)[0]
    closed = drawn(CLOSED)[0]
    # 17.4584 on a margin of 768 / 5 = 153.6 is 11.37 %
    assert "Result +17.46 USDT (+11.37 %)" in closed
    assert "fees -0.7700 · funding -0.0500" in closed
    assert all("Approved by Lan <b>&" in drawn(t)[0] for t in (APPROVED, BARE, OPEN, CLOSED))


def test_no_live_buttons_on_a_decided_card() -> None:
    """Only a waiting and an open trade have buttons."""
    for trade in (APPROVED, CLOSING, CLOSED, BLOCKED, ABSTAINED, *ENDINGS):
        assert drawn(trade)[1] == [], trade
    assert drawn(OPEN)[1] == ["Close", "Details", "Chart"]
    assert drawn(WAITING, Stage.ANSWERED)[1] == []
    assert drawn(WAITING, Stage.MOVED)[1] == ["Approve anyway", "Reject", "Details"]
    assert drawn(OPEN, Stage.SURE)[1] == ["Yes, close now", "Keep it open"]


def test_a_moved_price_is_asked_in_numbers() -> None:
    """The question names the drift and both rewards to risk."""
    assert (
        "The price moved 0.40 %, R:R 2.1 → 1.4. Approve anyway?" in drawn(WAITING, Stage.MOVED)[0]
    )


def test_what_blocked_a_signal_is_named() -> None:
    """A blocked card lists the failed checks only, the first few by name."""
    text = drawn(BLOCKED)[0]
    assert "• rule_1: 6 (5)" in text
    assert "rule_0" not in text
    assert "… and 2 more" in text


def test_an_abstention_is_shown_as_one() -> None:
    """Doubt is never drawn as an answer, and its text links nowhere."""
    text = drawn(ABSTAINED)[0]
    assert "Adviser abstained: blocked <by> […]" in text


def test_a_person_at_half_size_and_an_automatic_approval_read_differently() -> None:
    """How it was decided is part of the card."""
    for verb, said in (("half", "Approved at half size by"), ("auto", "Approved automatically")):
        approval = Approval(verb=verb, user_id="owner", answered_ms=NOW_MS, shown_ms=NOW_MS)
        assert said in drawn(replace(APPROVED, approval=approval))[0]


@pytest.mark.parametrize("language", ["en", "vi"])
def test_every_life_and_notice_can_be_drawn_in_each_language(language: str) -> None:
    """No phase, outcome or notice lacks words, and Telegram's parser takes each of them."""
    for trade in LIVES:
        for stage in Stage:
            drawn(trade, stage, language)
        told = why(
            look(language), Story(trade=trade, chain=Chain(snapshot="q<", answer='{"a": 1}'))
        )
        parse_html(told.markup)
        for kind in (*TELLS, "something_new"):
            for level in Level:
                command = Tell(
                    kind=kind,
                    level=level,
                    trade_id=trade.trade_id,
                    fields=(("reason", "<x>"), ("for_ms", "3100"), ("until_ms", str(NOW_MS))),
                )
                for about in (trade, None):
                    parse_html(notice(look(language), command, about, desk(trade)).markup)
    assert all(is_known(kind) for kind in TELLS)


def test_an_unknown_kind_still_says_something() -> None:
    """A notice nobody wrote a sentence for is told with its name and fields."""
    command = Tell(kind="new_thing", fields=(("limit", "3"),))
    said = plain_text(notice(look(), command, None, desk()))
    assert said == "PAPER\nNotice: new thing.\nlimit: 3"


def test_an_alarm_looks_like_one() -> None:
    """An alarm says so in words, not only in colours, and gives its numbers readable."""
    command = Tell(kind="unprotected", level=Level.ALARM, fields=(("for_ms", "3100"),))
    said = plain_text(notice(look(), command, BARE, desk(BARE)))
    assert said.startswith("🚨 ALARM LONG BTCUSDT · 30m · x5  PAPER\nThis position has no")
    assert said.endswith("for: 3.1s")


def test_status_shows_the_desk() -> None:
    """Mode, lights, wallet, day against its limit, bots, positions, unknown orders, foreigners."""
    lost = order(Role.ENTRY, OrderKind.MARKET, OrderState.UNKNOWN)
    unknown = replace(APPROVED, trade_id="zzz", orders=(lost,))
    state = replace(
        desk(OPEN, unknown, halts=("panic",)),
        foreign={
            "ETHUSDT": Position(
                symbol="ETHUSDT",
                quantity=Decimal("-0.5"),
                entry_price=Decimal("3000.1"),
                updated_ms=NOW_MS,
            )
        },
    )
    state = replace(state, day=replace(state.day, realized_usdt=Decimal("-12.5")))
    lights = [Light(name="Telegram", ok=True), Light(name="Gemini", ok=False, detail="429")]
    marks = {"BTCUSDT": Decimal("64653.0")}
    html = status(look(now_ms=NOW_MS + 60_000), state, lights, marks)
    parse_html(html.markup)
    said = plain_text(html)
    for part in (
        "Status PAPER",
        "🟢 Telegram: ok",
        "🔴 Gemini: DOWN (429)",
        "Wallet               1000.00 USDT",
        "-12.50 USDT (-1.25 %)",
        "-50.00 USDT",  # 5 % of 1000
        "2/1",
        "Entries halted: panic",
        "▶ signals: position open, protected",
        "BTCUSDT LONG 0.012 · +1.00 % +7.68 USDT",  # (64653 - 64012.8) x 0.012
        "UNKNOWN order tbabcd-signals-abcdefghij-e0 (BTCUSDT): nobody has said for 50s",
        "Not ours: ETHUSDT -0.5 @ 3000.1",
    ):
        assert part in said, f"{part!r} is not in:\n{said}"


def test_bots_and_help_fit_their_reader() -> None:
    """A viewer is not offered what only traders may say."""
    assert "asks for approval · risk 1 % a trade" in plain_text(bots(look(), desk(OPEN)))
    lines = [command.help() for command in COMMANDS]
    viewer = plain_text(help_page(look(), lines, "viewer"))
    owner = plain_text(help_page(look(), lines, "owner"))
    assert "/status - connections" in viewer
    assert "/panic" not in viewer
    assert "/panic - close everything" in owner
    described = describe_commands()
    assert [entry["name"] for entry in described] == [command.name for command in COMMANDS]
    for entry in described:
        texts = entry["help"]
        assert isinstance(texts, dict)
        assert texts["en"] != texts["vi"]


def test_why_tells_the_story_in_order() -> None:
    """Signal, question, answer, checks, person, orders with client ids, fills, result."""
    checked = replace(CLOSED, checks=(Check(rule="risk", passed=True, limit="1", value="0.98"),))
    story = Story(
        trade=checked,
        chain=Chain(snapshot="the snapshot", answer="the <raw> answer"),
        closed=CLOSED_TRADE,
    )
    said = plain_text(why(look(), story))
    places = [
        said.index(part)
        for part in (
            "continuation/continuation, 30m",
            "Question aaaaaaaaaaaa",
            "the snapshot",
            "confidence 78",
            "the <raw> answer",
            "✓ risk: 0.98 (1)",
            "Approved by",
            "8.0s after the card was shown",
            "tbabcd-signals-abcdefghij-e0",
            "tbabcd-signals-abcdefghij-s0",
            "0.012 @ 64012.8, fee 0.3840768 USDT",
            "Result +17.46 USDT",
        )
    ]
    assert places == sorted(places)


def test_numbers_look_the_same_everywhere() -> None:
    """Tick precision, a sign on every change, '.' before decimals, no negative zero."""
    assert price(Decimal("64012.84"), Decimal("0.10")) == "64012.8"
    assert price(Decimal(1234), Decimal(10)) == "1234"
    assert percent(Decimal("-0.001")) == "+0.00 %"
    assert signed_money(Decimal("12.345")) == "+12.34"
    assert signed_money(Decimal("-0.05")) == "-0.0500"
    assert money(Decimal(0)) == "0.00"
    assert [duration(ms) for ms in (400, 45_000, 125_000, 11_520_000, 93_600_000)] == [
        "0.4s",
        "45s",
        "2m05s",
        "3h12m",
        "1d02h",
    ]
    assert table([("a", "1"), ("bb", "22")]) == "a    1\nbb  22"


def test_a_stranger_in_the_record_cannot_write_markup() -> None:
    """Reasons, notes and models from outside are escaped wherever they are shown."""
    nasty = "<a href='http://evil.example'>free</a> @pump /panic"
    decision = replace(DECISION, reasons=(nasty,), model_version=nasty, invalidation=nasty)
    signal = replace(SIGNAL, reasons=(nasty,), model=nasty, strategy=nasty)
    trade = replace(CLOSED, decision=decision, signal=signal, note=nasty)
    for html in (
        card(look(), trade, Shown(stage=Stage.OVER, wallet_usdt=Decimal(1), data={})).html,
        why(look(), Story(trade=trade, chain=Chain(snapshot=nasty, answer=nasty))),
        notice(look(), Tell(kind="halted", fields=(("reason", nasty),)), trade, desk(trade)),
    ):
        assert "<a " not in html.markup
        assert "evil.example" not in html.markup
        assert "@pump" not in html.markup


# ------------------------------------------------------------------------------ languages


def test_the_vietnamese_catalog_is_complete_and_has_nothing_else() -> None:
    """Every text of the room has a translation, and no translation is left over."""
    catalog = read_language("vi")
    assert set(catalog) == set(_texts())
    assert all(catalog.values())


def test_placeholders_and_markup_survive_translation() -> None:
    """Source and translation have the same placeholders, tags and commands."""
    for source, target in read_language("vi").items():
        for pattern in (r"\{\w+\}", r"</?\w+>", r"/[a-z]+\b"):
            assert sorted(re.findall(pattern, source)) == sorted(re.findall(pattern, target)), (
                source,
                target,
            )
        parse_html(target)


def test_vietnamese_reads_as_vietnamese() -> None:
    """The card of a trade, read in Vietnamese, with the numbers as in English."""
    said, buttons = drawn(WAITING, language="vi")
    assert "Cắt lỗ" in said
    assert "63232.0" in said
    assert "Cố vấn: mở, độ tin cậy 78 (rules)" in said
    assert buttons == ["Duyệt", "Từ chối", "Nửa khối lượng", "Chi tiết", "Biểu đồ"]
    assert "đã duyệt lúc" in drawn(OPEN, language="vi")[0]


def test_the_clients_language_is_followed() -> None:
    """Region and case do not matter; a language we do not have is English."""
    assert [language_of(c) for c in ("vi", "vi-VN", "VI_vn", "fr", "", None)] == [
        "vi",
        "vi",
        "vi",
        "en",
        "en",
        "en",
    ]
    assert words("xx").label("Approve") == "Approve"


def test_a_broken_catalog_names_its_line(tmp_path: Path) -> None:
    """A line that is no catalog line is named with its number."""
    path = tmp_path / "bad.po"
    path.write_text('msgid "a"\nmsgstr broken\n', encoding="utf-8")
    with pytest.raises(ValueError, match="line 2"):
        read_catalog(path)


def _texts() -> Iterator[str]:
    for path in sorted(ROOM.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            first = node.args[0]
            if (
                name in {"say", "label", "mark"}
                and isinstance(first, ast.Constant)
                and isinstance(first.value, str)
            ):
                yield first.value


def test_html_values_are_not_escaped_twice() -> None:
    """A view inside a view stays what it is."""
    assert words("en").say("Expires {when}", when=Html("<b>x</b>")).markup == "Expires <b>x</b>"
