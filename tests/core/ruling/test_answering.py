"""A person's answers to a card: what counts, what does not, and what is kept of each."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.messages import (
    BotConfigured,
    BotSwitched,
    CardVerb,
    EntriesHalted,
    PanicPressed,
    PlaceOrder,
    PositionSeen,
    ShowCard,
    Tell,
)
from bot.core.presets import ApprovalMode, Exits, Sizing
from bot.core.trade import Effect, Outcome, Phase, Plan, Role
from tests.core.build import NOW_MS, Case, config, desk, instrument, signal


def asking(**changes: object) -> Case:
    """A desk whose one bot shows cards, with a card before a person."""
    bot = config(approval_mode=ApprovalMode.APPROVE, **changes)
    return Case(desk(bot)).raise_signal().decide()


def plan_of(case: Case) -> Plan:
    """The plan as the record has it."""
    plan = case.trade().plan
    assert plan is not None
    return plan


def edit(case: Case, **changes: Any) -> Case:
    """The bot is edited while its card waits."""
    return case.feed(BotConfigured(config=replace(case.desk.bots["bot"], **changes), by="u1"))


def details(case: Case) -> dict[str, str]:
    """The fields of the last event's one notice."""
    (told,) = case.of(Tell)
    return dict(told.fields)


def test_one_tap_opens_one_trade() -> None:
    """The second tap on the same card is refused."""
    case = asking().tap(CardVerb.APPROVE)
    assert len(case.placed(Role.ENTRY)) == 1
    case.tap(CardVerb.APPROVE)
    assert not case.of(PlaceOrder)
    assert case.told() == ["card_refused"]


def test_stale_approve_opens_nothing() -> None:
    """A tap at the very moment the card expires is too late, even before the desk was woken."""
    case = asking(approval_ttl_ms=8_000)
    case.now_ms += 8_000
    case.tap(CardVerb.APPROVE)
    assert (case.phase, case.trade().outcome) == (Phase.IDLE, Outcome.EXPIRED)
    assert not case.ever_placed(Role.ENTRY)


def test_a_tap_a_millisecond_before_expiry_counts() -> None:
    """Until then it is valid."""
    case = asking(approval_ttl_ms=8_000)
    case.now_ms += 7_999
    case.tap(CardVerb.APPROVE)
    assert case.placed(Role.ENTRY)


def test_a_late_reject_is_honoured() -> None:
    """A no counts after the expiry, too."""
    case = asking(approval_ttl_ms=8_000)
    case.now_ms += 9_000
    case.tap(CardVerb.REJECT, mark=None)
    assert case.trade().outcome is Outcome.REJECTED


@pytest.mark.parametrize("mark", [None, Decimal(100)])
def test_a_tap_without_a_fresh_price_opens_nothing(mark: Decimal | None) -> None:
    """No price, or one more than ten seconds old: the card stays, nothing is ordered."""
    case = asking()
    case.now_ms += 20_000
    case.tap(CardVerb.APPROVE, mark=mark, mark_ms=case.now_ms - 10_001)
    assert case.phase is Phase.AWAITING_APPROVAL
    assert case.told() == ["card_refused"]


def test_moved_price_asks_then_refuses() -> None:
    """Beyond 20 bps a tap asks "anyway?"; confirmed it opens; beyond 100 bps it is refused."""
    case = asking().tap(CardVerb.APPROVE, mark=Decimal("100.2"))  # 20 bps: not beyond
    assert case.placed(Role.ENTRY)
    case = asking().tap(CardVerb.APPROVE, mark=Decimal("100.3"))
    assert case.told() == ["card_moved"]
    assert case.phase is Phase.AWAITING_APPROVAL
    case.tap(CardVerb.APPROVE, mark=Decimal("100.3"), confirmed=True)
    assert case.placed(Role.ENTRY)
    case = asking().tap(CardVerb.APPROVE, mark=Decimal("101.1"), confirmed=True)
    assert case.trade().outcome is Outcome.BLOCKED
    assert "price_drift" in case.trade().note
    assert not case.ever_placed(Role.ENTRY)


def test_half_size() -> None:
    """HALF orders half of what the card showed, rounded down to the step.

    1 % of 1,000 is 10 USDT; a unit loses 2 + 0.0005 x 198 = 2.099: 4.764; half of it is 2.382.
    """
    case = asking()
    plan = case.trade().plan
    assert plan is not None
    assert plan.quantity == Decimal("4.764")
    case.tap(CardVerb.HALF)
    (entry,) = case.placed(Role.ENTRY)
    assert entry.quantity == Decimal("2.382")
    kept = case.trade().plan
    assert kept is not None
    assert kept.risk_usdt == Decimal("2.382") * Decimal("2.099")


def test_half_of_the_smallest_trade_is_refused_and_not_sent_as_nothing() -> None:
    """Half of what the filters just allow is below them, however rich the wallet has become."""
    bot = config(
        approval_mode=ApprovalMode.APPROVE, wallet_usdt_min=Decimal(1), notional_usdt_min=Decimal(0)
    )
    case = Case(
        desk(bot, wallet="1.5"),
        listing=instrument(quantity_min=Decimal("0.007"), notional_min=Decimal("0.1")),
    )
    case.raise_signal().decide()
    plan = case.trade().plan
    assert plan is not None
    assert plan.quantity == Decimal("0.007")
    case.desk = replace(case.desk, wallet_usdt=Decimal(1000))
    case.tap(CardVerb.HALF)
    assert case.trade().outcome is Outcome.BLOCKED
    assert not case.ever_placed(Role.ENTRY)


def test_an_approved_size_is_never_more_than_the_card_showed() -> None:
    """The wallet grew since: the card's quantity is the limit."""
    case = asking()
    shown = case.trade().plan
    case.desk = replace(case.desk, wallet_usdt=Decimal(5000))
    case.tap(CardVerb.APPROVE)
    assert shown is not None
    assert case.placed(Role.ENTRY)[0].quantity == shown.quantity


def test_limits_are_asked_again_at_the_tap() -> None:
    """Entries were halted while the card was shown: the tap is blocked and says why."""
    case = asking().feed(EntriesHalted(reason="disk full")).tap(CardVerb.APPROVE)
    assert case.trade().outcome is Outcome.BLOCKED
    assert "disk full" in case.trade().note


def test_two_cards_cannot_both_take_the_last_entry_of_the_day() -> None:
    """Both were let in; the first tap takes the day's last entry, the second is refused."""
    bot = config(approval_mode=ApprovalMode.APPROVE, open_trades_max=2, trades_per_day_max=1)
    case = Case(desk(bot)).raise_signal().raise_signal(signal("s2", symbol="ETHUSDT"))
    case.decide().decide(name="s2")
    case.tap(CardVerb.APPROVE).tap(CardVerb.APPROVE, name="s2")
    assert len(case.ever_placed(Role.ENTRY)) == 1
    assert "trades_per_day" in case.trade("s2").note


def test_percent_exits_are_laid_on_the_price_of_the_tap() -> None:
    """2 % under and 5 % over 100.1, where the market order will be filled."""
    case = asking(exits=Exits.PERCENT, stop_pct=Decimal(2), target_pct=Decimal(5))
    case.tap(CardVerb.APPROVE, mark=Decimal("100.1"))
    plan = case.trade().plan
    assert plan is not None
    assert (plan.stop_price, plan.target_price) == (Decimal("98.1"), Decimal("105.1"))


def test_the_second_person_decides_nothing_and_the_record_says_who_did() -> None:
    """Two people tap one card: the first answer stands, the second is told whose it was."""
    case = asking()
    case.now_ms += 4_000
    case.tap(CardVerb.HALF, user_id="an")
    case.now_ms += 1_000
    case.tap(CardVerb.APPROVE, user_id="binh")
    assert (case.told(), details(case)["by"]) == (["card_refused"], "an")
    assert len(case.ever_placed(Role.ENTRY)) == 1
    approval = case.trade().approval
    assert approval is not None
    assert (approval.user_id, approval.verb) == ("an", "half")
    assert approval.answered_ms - approval.shown_ms == 4_000
    kept = [(a.user_id, a.verb, a.effect, a.answered_ms - a.shown_ms) for a in case.trade().answers]
    assert kept == [
        ("an", "half", Effect.ORDERED, 4_000),
        ("binh", "approve", Effect.DECIDED, 5_000),
    ]


def test_an_approve_after_a_reject_opens_nothing() -> None:
    """No is no, also to somebody else's yes a moment later."""
    case = asking().tap(CardVerb.REJECT, user_id="an").tap(CardVerb.APPROVE, user_id="binh")
    assert not case.ever_placed(Role.ENTRY)
    assert details(case)["by"] == "an"
    assert [a.effect for a in case.trade().answers] == [Effect.REJECTED, Effect.DECIDED]


def test_a_reject_after_an_approve_takes_it_back() -> None:
    """The entry is out: somebody's no closes what it made, and is kept beside the yes."""
    case = asking().tap(CardVerb.APPROVE, user_id="an").tap(CardVerb.REJECT, user_id="binh")
    assert case.trade().exit_reason is not None
    assert case.trade().note == "close asked by binh"
    assert [a.effect for a in case.trade().answers] == [Effect.ORDERED, Effect.TAKEN_BACK]


def test_how_long_it_took_is_measured_from_the_card_whatever_is_edited_since() -> None:
    """The time to live was changed while the card waited: shown is when it was put out."""
    case = asking(approval_ttl_ms=60_000)
    case.now_ms += 7_000
    edit(case, approval_ttl_ms=600_000).tap(CardVerb.REJECT, mark=None)
    approval = case.trade().approval
    assert approval is not None
    assert (approval.shown_ms, approval.answered_ms) == (NOW_MS, NOW_MS + 7_000)


def test_a_confirmed_yes_counts_for_the_price_it_was_asked_at() -> None:
    """Asked at +0.3 %; by the tap it is +0.6 %, 30 bps further: asked again, at that price."""
    case = asking().tap(CardVerb.APPROVE, mark=Decimal("100.3"))
    case.tap(CardVerb.APPROVE, mark=Decimal("100.6"), confirmed=True)
    assert case.told() == ["card_moved"]
    assert details(case)["drift_bps"] == "60.0"
    assert not case.ever_placed(Role.ENTRY)
    case.tap(CardVerb.APPROVE, mark=Decimal("100.7"), confirmed=True)
    assert case.placed(Role.ENTRY)
    effects = [a.effect for a in case.trade().answers]
    assert effects == [Effect.ASKED_AGAIN, Effect.ASKED_AGAIN, Effect.ORDERED]


def test_a_plain_yes_to_a_moved_price_is_asked_again() -> None:
    """A card on another phone still shows the old buttons: its Approve is not "anyway"."""
    case = asking().tap(CardVerb.APPROVE, mark=Decimal("100.3"))
    case.tap(CardVerb.APPROVE, mark=Decimal("100.3"))
    assert case.told() == ["card_moved"]
    assert not case.ever_placed(Role.ENTRY)


def test_what_moved_is_told_with_both_ratios() -> None:
    """Reward 4, risk 2 at 100; at 100.3 it is 3.7 over 2.3."""
    case = asking().tap(CardVerb.APPROVE, mark=Decimal("100.3"))
    told = details(case)
    assert told == {"drift_bps": "30.0", "reward_risk": "1.61", "reward_risk_before": "2.00"}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"drift_bps_max": Decimal(25)}, "price_drift"),
        ({"reward_risk_min": Decimal("1.7")}, "reward_risk"),
        ({"stop_distance_bps_max": Decimal(200)}, "stop_distance"),
        ({"risk_pct": Decimal("0.01"), "notional_usdt_min": Decimal(100)}, "trade_value_min"),
        ({"approval_mode": ApprovalMode.SIGNAL_ONLY}, "signals only"),
    ],
)
def test_limits_edited_while_the_card_waited_count(changes: dict[str, Any], rule: str) -> None:
    """At +0.3 % each of these would have let the card through as it was, and refuses now."""
    case = edit(asking(), **changes).tap(CardVerb.APPROVE, mark=Decimal("100.3"), confirmed=True)
    assert case.trade().outcome is Outcome.BLOCKED
    assert rule in case.trade().note
    assert case.trade().answers[-1].effect is Effect.BLOCKED
    assert not case.ever_placed(Role.ENTRY)


def test_a_symbol_taken_while_the_card_waited_is_left_alone() -> None:
    """Somebody opened a position in it by hand: the tap is refused by that name."""
    case = asking().feed(
        PositionSeen(
            symbol="BTCUSDT", quantity=Decimal(1), entry_price=Decimal(100), seen_ms=NOW_MS
        )
    )
    case.tap(CardVerb.APPROVE)
    assert not case.ever_placed(Role.ENTRY)
    assert "BTCUSDT is taken" in case.trade().note


def test_a_paused_bot_and_a_panic_bind_its_card() -> None:
    """A card of a bot paused since opens nothing; a panic gives every card up."""
    case = asking().feed(BotSwitched(bot_id="bot", running=False, by="u1")).tap(CardVerb.APPROVE)
    assert "the bot is paused" in case.trade().note
    case = asking().feed(PanicPressed(by="u1")).tap(CardVerb.APPROVE)
    assert not case.ever_placed(Role.ENTRY)


@pytest.mark.parametrize(
    "changes",
    [
        {"risk_pct": Decimal(10)},
        {"leverage": 50, "risk_pct": Decimal(5)},
        {"sizing": Sizing.AMOUNT, "amount_usdt": Decimal(5000), "risk_pct": Decimal(10)},
        {
            "exits": Exits.PERCENT,
            "stop_pct": Decimal(8),
            "target_pct": Decimal(20),
            "risk_pct": Decimal(10),
        },
    ],
)
@pytest.mark.parametrize("verb", [CardVerb.APPROVE, CardVerb.HALF])
def test_a_yes_is_to_what_the_card_showed_and_to_no_more(
    changes: dict[str, Any], verb: CardVerb
) -> None:
    """The bot was made bolder since: quantity, leverage and loss stay within the card's."""
    case = asking()
    shown, share = plan_of(case), Decimal("0.5") if verb is CardVerb.HALF else Decimal(1)
    case.desk = replace(case.desk, wallet_usdt=Decimal(50_000))
    edit(case, **changes).tap(verb)
    (entry,) = case.placed(Role.ENTRY)
    got = plan_of(case)
    assert entry.quantity <= shown.quantity * share
    assert got.leverage <= shown.leverage
    assert got.risk_usdt <= shown.risk_usdt * share
    (sent,) = (c for c in case.of(PlaceOrder) if c.order.role is Role.ENTRY)
    assert sent.leverage == got.leverage


def test_the_least_order_is_not_lost_to_a_price_within_bounds() -> None:
    """One step of quantity, the price 0.1 % worse: the same step is ordered, not none."""
    bot = config(
        approval_mode=ApprovalMode.APPROVE,
        sizing=Sizing.AMOUNT,
        amount_usdt=Decimal(101),
        risk_pct=Decimal(5),
    )
    case = Case(
        desk(bot), listing=instrument(market_step_size=Decimal(1), quantity_min=Decimal(1))
    ).to_pending()
    assert plan_of(case).quantity == 1
    case.tap(CardVerb.APPROVE, mark=Decimal("100.1"))
    assert case.placed(Role.ENTRY)[0].quantity == 1


TAPS = st.lists(
    st.tuples(
        st.sampled_from(list(CardVerb)),
        st.sampled_from(["an", "binh"]),
        st.integers(0, 9_000),  # milliseconds since the tap before
        st.sampled_from(["100", "100.1", "100.3", "100.6", "101.5", ""]),
        st.booleans(),
    ),
    max_size=8,
)


@given(taps=TAPS)
def test_whoever_taps_whatever_one_valid_yes_orders_once(taps: list[tuple[Any, ...]]) -> None:
    """Invariant 6 over any answers: nothing after a no or the expiry, one entry, the card's size.

    Every answer is kept with who, what and how long; at most one of them ordered.
    """
    case = asking(approval_ttl_ms=12_000)
    shown = plan_of(case).quantity
    rejected = False
    for verb, user, after_ms, price, confirmed in taps:
        case.now_ms += after_ms
        in_time = case.now_ms < NOW_MS + 12_000
        waits = case.phase is Phase.AWAITING_APPROVAL
        mark = Decimal(price) if price else None
        case.tap(verb, mark=mark, user_id=user, confirmed=confirmed)
        if case.placed(Role.ENTRY):
            assert waits
            assert in_time
            assert not rejected
            assert mark is not None
            assert verb is not CardVerb.REJECT
            half = verb is CardVerb.HALF
            assert case.placed(Role.ENTRY)[0].quantity <= shown * (Decimal("0.5") if half else 1)
        rejected = rejected or verb is CardVerb.REJECT
    assert len(case.ever_placed(Role.ENTRY)) <= 1
    assert len([c for c in case.all_said if isinstance(c, ShowCard)]) == 1
    answers = case.trade().answers
    assert [(a.verb, a.user_id) for a in answers] == [(t[0].value, t[1]) for t in taps]
    assert [a.effect for a in answers].count(Effect.ORDERED) == len(case.ever_placed(Role.ENTRY))
    assert all(a.shown_ms == NOW_MS for a in answers)
