"""/universe as people read it: everything said, in both languages, within Telegram's limits."""

from dataclasses import replace

from bot.control.html import TEXT_LENGTH_MAX, length, plain_text
from bot.control.views.notices import notice
from bot.control.views.universe import universe
from bot.core.messages import Tell
from bot.core.universe import Reason, SetAside
from bot.core.watching import Claim, UniverseView, Watch
from bot.sandbox.telegram_html import parse_html
from tests.control.samples import NOW_MS, OPEN, desk, look

UNIVERSE = UniverseView(
    watches=tuple(
        Watch(symbol=symbol, claim=claim, timeframes=("30m",))
        for symbol, claim in zip(
            ("BTCUSDT", "ETHUSDT", "XRPUSDT", "ADAUSDT"), tuple(Claim), strict=True
        )
    ),
    waiting=tuple(f"W{n:02}USDT" for n in range(14)),
    set_aside=(
        SetAside(
            symbol="FTMUSDT", reason=Reason.NOT_TRADED, note="SETTLING", moment_ms=NOW_MS + 9**9
        ),
        SetAside(symbol="币安人生USDT", reason=Reason.OTHER_SCRIPT),
        SetAside(symbol="LUNAUSDT", reason=Reason.FEED, note="no bar http://x.yz"),
    ),
    ranked_ms=NOW_MS + 10_000 - 3_600_000,
    fault="volumes of 0 of 9 symbols were told",
    symbols_max=40,
    next_rotation_ms=NOW_MS + 10_000 + 720_000,
    next_refresh_ms=NOW_MS + 10_000 + 18_000_000,
    warming=("ADAUSDT",),
)


def test_the_universe_tells_who_is_watched_who_is_next_and_who_is_not() -> None:
    """Counts, the next rotation and refresh, each claim, what is set aside with its reason."""
    shown = plain_text(universe(look(), UNIVERSE))
    for part in (
        "Universe PAPER",
        "Watched: 4 of 40 · waiting for a turn: 14",
        "Next rotation in 12m00s",
        "Next refresh in 5h00m",
        "Volumes read 1h00m ago",
        "the last good order stands: volumes of 0 of 9 symbols were told",
        "With a trade (1): BTCUSDT",
        "Fixed (1): ETHUSDT",
        "Named by a bot (1): XRPUSDT",
        "In turn (1): ADAUSDT",
        "Next (14): W00USDT, W01USDT",
        "W11USDT … and 2 more",
        "Warming up (1): ADAUSDT",
        "• FTMUSDT: not traded, SETTLING, delivery 2026-",
        "• 币安人生USDT: its name is in another script",
        "• LUNAUSDT: its prices cannot be relied on, no bar",
    ):
        assert part in shown, f"{part!r} is not in:\n{shown}"
    assert "http" not in shown
    assert "Danh mục theo dõi" in plain_text(universe(look("vi"), UNIVERSE))


def test_a_universe_of_hundreds_fits_a_message() -> None:
    """Six hundred watched, all set aside: cut with a count, and Telegram takes it."""
    names = [f"LONGNAME{n:04}USDT" for n in range(600)]
    many = replace(
        UNIVERSE,
        watches=tuple(Watch(symbol=n, claim=Claim.TURN, timeframes=("1m",)) for n in names),
        set_aside=tuple(SetAside(symbol=n, reason=Reason.EXCLUDED) for n in names),
        warming=tuple(names),
    )
    html = universe(look(), many)
    parse_html(html.markup)
    assert length(html) <= TEXT_LENGTH_MAX
    assert "… and 540 more" in plain_text(html)
    still = replace(UNIVERSE, next_rotation_ms=None, next_refresh_ms=None)
    assert "Nothing rotates" in plain_text(universe(look(), still))


def test_a_delisting_says_its_delivery_date() -> None:
    """The day, not a span: it is weeks away."""
    told = Tell(kind="delisting", fields=(("symbol", "FTMUSDT"), ("delivery_ms", str(NOW_MS))))
    assert "delivery: 2026-09-" in plain_text(notice(look(), told, None, desk(OPEN)))
