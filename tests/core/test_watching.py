"""What is watched: what is held, fixed and named always, the rest in turn and within the cap."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.core.desk_state import Desk
from bot.core.trade import Phase, Trade
from bot.core.universe import (
    SYMBOLS_MAX,
    Contract,
    Ranking,
    Reason,
    Rotation,
    Rules,
    UniverseState,
)
from bot.core.watching import (
    GONE,
    Claim,
    Watching,
    changes_of,
    timeframes_for,
    view_of,
    watching,
)
from data.model import Instrument
from tests.core.build import NOW_MS, config, desk, instrument

NAMES = [f"S{number:03}USDT" for number in range(60)]
HALF_HOUR_MS = 1_800_000


def all_of(*symbols: str) -> dict[str, Instrument]:
    """Instruments by symbol."""
    return {symbol: instrument(symbol=symbol) for symbol in symbols or NAMES}


def trade(symbol: str, phase: Phase = Phase.POSITION_ACTIVE, bot_id: str = "bot") -> Trade:
    """A trade in a phase, with little else."""
    return Trade(
        trade_id=f"t{symbol.lower()}",
        user_id="owner",
        account_id="main",
        bot_id=bot_id,
        symbol=symbol,
        phase=phase,
        opened_ms=NOW_MS,
        instrument=instrument(symbol=symbol),
    )


def holding(*trades: Trade, **changes: Any) -> Desk:
    """A desk with a bot that follows the universe, and these trades."""
    return replace(desk(), trades={one.trade_id: one for one in trades}, **changes)


def look(
    rules: Rules,
    of: Desk,
    *,
    now_ms: int = NOW_MS,
    rotation: Rotation | None = None,
    instruments: dict[str, Instrument] | None = None,
) -> Watching:
    """What is to be watched, all names ranked in their order."""
    state = UniverseState(
        ranking=Ranking(symbols=tuple(NAMES), ranked_ms=NOW_MS), rotation=rotation or Rotation()
    )
    return watching(state, rules, of, instruments or all_of(), now_ms)


def claims(found: Watching) -> dict[str, Claim]:
    """Who is watched, and by which claim."""
    return {symbol: watch.claim for symbol, watch in found.watches.items()}


def test_places_that_are_neither_held_fixed_nor_named_rotate() -> None:
    """Five places: one held, one fixed, one named, two in turn."""
    named = config(bot_id="named", symbols=("S030USDT",))
    of = holding(trade("S050USDT"))
    of = replace(of, bots={**of.bots, "named": named}, running=("bot", "named"))
    found = look(Rules(fixed=("S040USDT",), symbols_max=5), of)
    assert claims(found) == {
        "S050USDT": Claim.HELD,
        "S040USDT": Claim.FIXED,
        "S030USDT": Claim.NAMED,
        "S000USDT": Claim.TURN,
        "S001USDT": Claim.TURN,
    }


def test_what_is_held_is_never_dropped() -> None:
    """A question out, a card, an order, a position: watched beyond the cap, delisted or not."""
    phases = (Phase.EVALUATING, Phase.AWAITING_APPROVAL, Phase.ORDER_PENDING, Phase.CLOSING)
    trades = [trade(NAMES[n], phase) for n, phase in enumerate(phases)]
    of = holding(*trades, trade("S009USDT", Phase.IDLE))
    found = look(Rules(symbols_max=2), of, instruments=all_of("S020USDT"))
    assert claims(found) == dict.fromkeys(NAMES[:4], Claim.HELD)


def test_a_symbol_whose_trade_is_over_goes_at_the_end_of_its_turn() -> None:
    """While it is held it is not rotated out; released, it stays until its slot ends."""
    rules = Rules(symbols_max=2)
    first = look(rules, holding())
    assert list(first.watches) == NAMES[:2]
    busy = holding(trade(NAMES[0], Phase.AWAITING_APPROVAL))
    during = look(rules, busy, rotation=first.rotation)
    assert set(during.watches) == set(NAMES[:2])
    later = look(rules, busy, rotation=during.rotation, now_ms=NOW_MS + HALF_HOUR_MS)
    assert claims(later) == {NAMES[0]: Claim.HELD, NAMES[2]: Claim.TURN}
    over = look(rules, holding(), rotation=later.rotation, now_ms=NOW_MS + HALF_HOUR_MS)
    assert claims(over) == {NAMES[2]: Claim.TURN, NAMES[3]: Claim.TURN}
    same_slot = look(rules, holding(), rotation=during.rotation)
    assert set(same_slot.watches) == set(NAMES[:2])


def test_nothing_rotates_for_nobody() -> None:
    """Bots that name their symbols need no turn of others; a paused one needs nothing."""
    named = holding(bots={"bot": config(symbols=("S005USDT",))})
    assert claims(look(Rules(fixed=("S001USDT",)), named)) == {
        "S001USDT": Claim.FIXED,
        "S005USDT": Claim.NAMED,
    }
    paused = replace(named, running=())
    assert claims(look(Rules(fixed=("S001USDT",)), paused)) == {"S001USDT": Claim.FIXED}


def test_a_symbol_that_is_not_traded_is_set_aside_with_its_reason() -> None:
    """Unknown, untradable or delisting: not watched, said so, and with its delivery date."""
    known = all_of() | {"S002USDT": instrument(symbol="S002USDT", tradable=False)}
    barred = Contract(symbol="S000USDT", status="SETTLING", tradable=False, delivery_ms=NOW_MS + 9)
    of = holding(barred={"S000USDT": barred})
    rules = Rules(fixed=("TYPOUSDT", "S002USDT"), symbols_max=2)
    found = look(rules, of, instruments=known)
    assert claims(found) == {"S001USDT": Claim.TURN, "S003USDT": Claim.TURN}
    told = {one.symbol: (one.reason, one.note, one.moment_ms) for one in found.set_aside}
    assert told == {
        "TYPOUSDT": (Reason.NOT_TRADED, "", 0),
        "S002USDT": (Reason.NOT_TRADED, "", 0),
        "S000USDT": (Reason.NOT_TRADED, "SETTLING", NOW_MS + 9),
    }


def test_a_name_in_another_script_is_not_watched_even_when_it_is_named() -> None:
    """Nobody knows how its orders would have to be signed; held it stays watched."""
    name = "币安人生USDT"
    of = holding(bots={"bot": config(symbols=(name,))})
    found = look(Rules(), of, instruments=all_of(name))
    assert not found.watches
    assert [one.reason for one in found.set_aside] == [Reason.OTHER_SCRIPT]
    assert claims(look(Rules(), holding(trade(name)), instruments=all_of(name)))[name] is Claim.HELD


def test_six_hundred_are_the_most_whatever_is_named() -> None:
    """Named symbols beyond what is measured to work have no place, and are told."""
    many = tuple(f"N{number:04}USDT" for number in range(SYMBOLS_MAX + 3))
    of = holding(bots={"bot": config(symbols=many)})
    found = look(Rules(symbols_max=9_999), of, instruments=all_of(*many))
    assert len(found.watches) == SYMBOLS_MAX
    assert [one.reason for one in found.set_aside] == [Reason.NO_PLACE] * 3


def test_timeframes_are_those_of_the_bots_that_want_the_symbol() -> None:
    """A follower wants every symbol, a naming bot its own; what nobody wants gets all of them."""
    follower = config(bot_id="a", timeframe="4h")
    namer = config(bot_id="b", timeframe="1m", symbols=("S001USDT",))
    assert timeframes_for("S001USDT", (follower, namer)) == ("1m", "4h")
    assert timeframes_for("S002USDT", (follower, namer)) == ("4h",)
    assert timeframes_for("S002USDT", (namer,)) == ("1m",)
    assert timeframes_for("S002USDT", ()) == ()


def test_a_paused_bot_that_still_holds_keeps_its_timeframe() -> None:
    """Its adviser may be asked about the position: that needs bars."""
    of = replace(holding(trade("S007USDT")), running=())
    assert look(Rules(), of).watches["S007USDT"].timeframes == ("30m",)


@given(
    held=st.sets(st.sampled_from(NAMES), max_size=8),
    fixed=st.sets(st.sampled_from(NAMES), max_size=8),
    cap=st.integers(1, 20),
    slots=st.integers(1, 6),
)
def test_the_cap_binds_what_rotates_and_nothing_else(
    held: set[str], fixed: set[str], cap: int, slots: int
) -> None:
    """Held and fixed are always there; with the turns there are never more than the cap."""
    of, rules = (
        holding(*(trade(s) for s in sorted(held))),
        Rules(fixed=tuple(sorted(fixed)), symbols_max=cap),
    )
    rotation = Rotation()
    for slot in range(slots):
        found = look(rules, of, rotation=rotation, now_ms=NOW_MS + slot * HALF_HOUR_MS)
        rotation = found.rotation
        assert held | fixed <= set(found.watches)
        assert len(found.watches) == max(cap, len(held | fixed))


def test_the_view_tells_the_next_rotation_only_when_there_is_one() -> None:
    """With fewer candidates than places nothing rotates; without a ranking nothing refreshes."""
    rules, ranking = Rules(symbols_max=3), Ranking(symbols=tuple(NAMES), ranked_ms=NOW_MS)
    seen = view_of(look(rules, holding()), ranking, rules, 60_000)
    assert seen.next_rotation_ms is not None
    assert 0 < seen.next_rotation_ms - NOW_MS <= HALF_HOUR_MS
    assert seen.next_refresh_ms == NOW_MS + rules.refresh_ms
    still = Rules(symbols_max=100, top=0)
    seen = view_of(look(still, holding()), ranking, still, 60_000)
    assert (seen.next_rotation_ms, seen.next_refresh_ms) == (None, None)


# --------------------------------------------------------------------- listings, delistings


def contract(symbol: str, status: str = "TRADING", delivery_ms: int = 0) -> Contract:
    """One contract, tradable when TRADING."""
    return Contract(
        symbol=symbol, status=status, tradable=status == "TRADING", delivery_ms=delivery_ms
    )


def contracts(*found: Contract) -> dict[str, Contract]:
    """By symbol."""
    return {one.symbol: one for one in found}


def test_listings_and_delistings_are_what_two_readings_differ_in() -> None:
    """New ones, ended ones, vanished ones; what never traded says nothing."""
    before = contracts(contract("AUSDT"), contract("BUSDT"), contract("OLDUSDT", "SETTLING"))
    now = contracts(
        contract("AUSDT", "SETTLING", 9), contract("NEWUSDT"), contract("SOONUSDT", "PENDING")
    )
    assert changes_of(desk(), before, now) == (
        (contract("AUSDT", "SETTLING", 9), False),
        (contract("BUSDT", GONE), False),
        (contract("NEWUSDT"), True),
    )


def test_a_start_tells_only_what_concerns_us() -> None:
    """Without an older reading nothing is new; a bot's delisted symbol is told all the same."""
    now = contracts(contract("AUSDT"), contract("BUSDT", "SETTLING"), contract("CUSDT", "CLOSE"))
    of = holding(bots={"bot": config(symbols=("BUSDT",))})
    assert changes_of(of, {}, now) == ((contract("BUSDT", "SETTLING"), False),)


def test_a_contract_that_trades_again_is_told_once() -> None:
    """What the desk thinks barred and is not, whatever was read before."""
    of = holding(barred={"AUSDT": contract("AUSDT", "TRADING_HALT")})
    now = contracts(contract("AUSDT"))
    assert changes_of(of, now, now) == ((contract("AUSDT"), False),)
    assert not changes_of(holding(), now, now)
