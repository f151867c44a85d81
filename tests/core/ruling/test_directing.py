"""Directives at the desk: four modes, an owner's bounds that no model widens, versions, reverts."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import desk as desk_room
from bot.core.desk_state import Desk
from bot.core.directions import BotRemoved, DirectivesReverted, DirectivesTold
from bot.core.directives import Bias, Directives, Versions, as_pairs, narrowed, updated
from bot.core.messages import AskAdvisor, CardVerb, Tell
from bot.core.presets import AiMode, ApprovalMode, Sizing, faults_of
from bot.core.ruling.directing import MODEL, MODEL_VERSIONS_PER_DAY_MAX, directed, learned
from bot.core.trade import Outcome, Phase, Role
from data.journal import Codec
from data.model import Action, Direction
from memory.recall import Memory
from tests.core.build import BOT, USER, Case, config, decision, desk, signal

TEACHING = [AiMode.MECHANICAL, AiMode.ADAPTIVE]
FIXED = [AiMode.EXECUTOR, AiMode.TACTICAL]


def told(**updates: str) -> DirectivesTold:
    """An owner sets these."""
    return DirectivesTold(bot_id=BOT, updates=tuple(updates.items()), by=USER)


def advised(case: Case, *updates: tuple[str, str], name: str = "s1") -> Case:
    """A signal, and an answer that declines it with these updates."""
    case.raise_signal(signal(name))
    return case.decide(decision(Action.DO_NOTHING, directive_updates=updates), name=name)


def taught(mode: AiMode, *updates: tuple[str, str], **bounds: object) -> Case:
    """A bot of that mode after one answer with updates."""
    return advised(Case(desk(config(ai_mode=mode, **bounds))), *updates)


def notice(case: Case, kind: str) -> dict[str, str]:
    """The fields of that notice of the last event."""
    (found,) = [dict(one.fields) for one in case.of(Tell) if one.kind == kind]
    return found


# ---------------------------------------------------------------------------------- four modes


@pytest.mark.parametrize("mode", FIXED)
def test_an_update_in_a_fixed_mode_is_recorded_and_ignored(mode: AiMode) -> None:
    """Executor and Tactical: the decision's record has it, the directives do not."""
    case = taught(mode, ("bias", "short"), ("leverage_max", "2"))
    assert not case.desk.directives
    assert notice(case, "directives_ignored")["what"] == "bias, leverage_max"
    kept = case.trade().decision
    assert kept is not None
    assert kept.directive_updates == (("bias", "short"), ("leverage_max", "2"))


@pytest.mark.parametrize("mode", TEACHING)
def test_an_update_in_a_teaching_mode_becomes_a_version(mode: AiMode) -> None:
    """Mechanical and Adaptive: it is in force, numbered, and says who wrote it."""
    case = taught(mode, ("bias", "short"), ("notes", "fade the spikes"))
    versions = case.desk.directives[BOT]
    assert versions.current == Directives(bias=Bias.SHORT, notes="fade the spikes")
    assert (versions.number, versions.kept[-1].by) == (1, MODEL)
    assert notice(case, "directives_changed")["version"] == "1"


@pytest.mark.parametrize(
    ("mode", "sizes"),
    [
        (AiMode.EXECUTOR, False),
        (AiMode.TACTICAL, True),
        (AiMode.MECHANICAL, False),
        (AiMode.ADAPTIVE, True),
    ],
)
def test_the_model_sizes_in_two_modes_only(mode: AiMode, sizes: bool) -> None:
    """Its quantity counts in Tactical and Adaptive; ours in the others.

    Risk 1 % of 1,000 is 10 USDT; a stop 2 away and fees 0.099 a unit: 4.764 units at most.
    """
    case = Case(desk(config(ai_mode=mode))).raise_signal()
    case.decide(decision(quantity=Decimal(1)))
    plan = case.trade().plan
    assert plan is not None
    assert plan.quantity == (Decimal(1) if sizes else Decimal("4.764"))


@given(quantity=st.decimals(allow_nan=True, allow_infinity=True))
def test_a_suggested_quantity_never_exceeds_what_the_owner_allows(quantity: Decimal) -> None:
    """However much a model wants, risk, caps and margin stand; nonsense orders nothing."""
    case = Case(desk(config(ai_mode=AiMode.ADAPTIVE))).raise_signal()
    case.decide(decision(quantity=quantity))
    plan = case.trade().plan
    if plan is not None:
        assert plan.quantity <= Decimal("4.764")
        assert plan.risk_usdt <= 10
    assert plan is not None or case.trade().outcome is Outcome.BLOCKED


def test_a_suggestion_goes_before_a_margin_target_and_is_cut_to_the_margin() -> None:
    """An amount named in USDT waits for its margin; what the model names is simply made smaller."""
    bot = config(
        ai_mode=AiMode.TACTICAL,
        sizing=Sizing.MARGIN_TARGET,
        margin_target_usdt=Decimal(20),
        leverage=1,
        risk_pct=Decimal(10),
    )
    case = Case(desk(bot, wallet=100)).raise_signal().decide(decision(quantity=Decimal(50)))
    plan = case.trade().plan
    assert plan is not None
    assert plan.quantity == Decimal("0.98"), "100 USDT less two percent, at a price of 100"


# ------------------------------------------------------------------------------- owner's bounds


def test_a_model_cannot_loosen_what_a_person_set() -> None:
    """The owner's directives bound the model's, field by field; the rest of its answer counts."""
    case = Case(desk(config(ai_mode=AiMode.ADAPTIVE, leverage=5)))
    case.feed(told(risk_pct_max="0.5", confidence_min="80"))
    advised(
        case,
        ("risk_pct_max", "0.9"),
        ("confidence_min", "70"),
        ("leverage_max", "6"),
        ("notes", "calm"),
    )
    current = case.desk.directives[BOT].current
    assert (current.risk_pct_max, current.confidence_min) == (Decimal("0.5"), 80.0)
    assert (current.leverage_max, current.notes) == (None, "calm")
    assert notice(case, "directives_changed")["refused"] == (
        "risk_pct_max is 0.9; the owner allows at most 0.5. "
        "confidence_min is 70.0; the owner allows at least 80.0. "
        "leverage_max is 6; the owner allows at most 5."
    )


def test_a_model_may_tighten_and_give_back_down_to_the_owners_bound() -> None:
    """What it tightened itself it may clear; what remains is the person's."""
    case = Case(desk(config(ai_mode=AiMode.ADAPTIVE)))
    case.feed(told(risk_pct_max="0.5"))
    advised(case, ("risk_pct_max", "0.2"))
    assert case.desk.directives[BOT].current.risk_pct_max == Decimal("0.2")
    advised(case, ("risk_pct_max", ""), name="s2")
    assert case.desk.directives[BOT].current.risk_pct_max == Decimal("0.5")


VALUES = st.one_of(
    st.sampled_from(["", "0", "0.01", "1", "5", "10", "50", "100", "125", "-1", "1e9", "NaN"]),
    st.text(max_size=20),
    st.decimals(0, 200, places=2).map(str),
)
UPDATES = st.lists(
    st.tuples(st.sampled_from([name for name, _ in as_pairs(Directives())]), VALUES), max_size=8
)


@given(people=UPDATES, model=st.lists(UPDATES, max_size=4))
def test_whatever_a_model_sends_no_bound_gets_looser_than_the_owners(
    people: list[tuple[str, str]], model: list[list[tuple[str, str]]]
) -> None:
    """Risk, leverage, trades, reward and confidence: never looser than configuration and person."""
    bot = config(ai_mode=AiMode.ADAPTIVE, risk_pct=Decimal(2), leverage=20, open_trades_max=3)
    owners, _ = updated(Directives(), people)
    versions = Versions().with_next(owners, set_ms=0, by=USER, owners=owners)
    for updates in model:
        after, _ = learned(bot, versions, updates)
        versions = versions.with_next(after, set_ms=0, by=MODEL)
    allowed, effective = narrowed(bot, owners), narrowed(bot, versions.current)
    assert effective.risk_pct <= allowed.risk_pct <= 2
    assert effective.leverage <= allowed.leverage <= 20
    assert effective.open_trades_max <= allowed.open_trades_max <= 3
    assert effective.reward_risk_min >= allowed.reward_risk_min
    assert effective.confidence_min >= allowed.confidence_min
    assert not faults_of(effective)


def test_a_model_changes_them_a_bounded_number_of_times_a_day() -> None:
    """Else it would push every version of a person's out of reach of a revert."""
    case = Case(desk(config(ai_mode=AiMode.ADAPTIVE)))
    for number in range(MODEL_VERSIONS_PER_DAY_MAX + 2):
        advised(case, ("notes", f"note {number}"), name=f"s{number}")
    assert case.desk.directives[BOT].number == MODEL_VERSIONS_PER_DAY_MAX
    assert case.told()[-1] == "directives_refused"
    case.wait(86_400_000)
    advised(case, ("notes", "a new day"), name="tomorrow")
    assert case.desk.directives[BOT].current.notes == "a new day"


def test_an_abstention_teaches_nothing() -> None:
    """An answer that is not believed is not believed about directives either."""
    case = Case(desk(config(ai_mode=AiMode.ADAPTIVE))).raise_signal()
    case.decide(
        decision(Action.ABSTAIN, abstained="malformed", directive_updates=(("bias", "short"),))
    )
    other = Case(desk(config(ai_mode=AiMode.ADAPTIVE))).raise_signal()
    other.decide(decision(symbol="DOGEUSDT", directive_updates=(("bias", "short"),)))
    assert not case.desk.directives
    assert not other.desk.directives


# --------------------------------------------------------------------------- people and reverts


def test_a_faulty_value_sets_nothing() -> None:
    """All or none: the sentence names field, value and what is allowed."""
    case = Case().feed(told(bias="long", leverage_max="500"))
    assert not case.desk.directives
    said = notice(case, "directives_refused")["reason"]
    assert said == "leverage_max is '500'; allowed is a whole number from 1 to 125."


def test_a_revert_is_a_new_version_with_the_old_content() -> None:
    """Nothing is erased: the way back is a step forward that names what it brings back."""
    case = Case().feed(told(bias="long")).feed(told(bias="short"))
    case.feed(DirectivesReverted(bot_id=BOT, to=1, undoes=2, by=USER))
    versions = case.desk.directives[BOT]
    assert (versions.number, versions.kept[-1].reverts) == (3, 1)
    assert versions.current.bias is Bias.LONG


def test_a_stale_revert_changes_nothing() -> None:
    """A button under version 2 does not take version 3 away."""
    case = Case().feed(told(bias="long")).feed(told(bias="short")).feed(told(notes="mine"))
    case.feed(DirectivesReverted(bot_id=BOT, to=1, undoes=2, by=USER))
    assert case.desk.directives[BOT].number == 3
    assert notice(case, "directives_refused")["reason"] == "version 3 is in force now, not 2"
    case.feed(DirectivesReverted(bot_id=BOT, to=77, undoes=3, by=USER))
    assert notice(case, "directives_refused")["reason"] == "version 77 is not kept"


def test_setting_what_is_so_already_makes_no_version() -> None:
    """A version is a change."""
    case = Case().feed(told(bias="long")).feed(told(bias="long"))
    assert case.desk.directives[BOT].number == 1
    assert case.told() == ["directives_same"]


# ------------------------------------------------------------------------------ what they do


def test_a_bias_blocks_the_other_side_at_the_signal() -> None:
    """Nobody is even asked; the block names the directive."""
    case = Case().feed(told(bias="short")).raise_signal()
    assert not case.of(AskAdvisor)
    assert case.trade().note == "directive_bias: long (short only)"


def test_a_bias_blocks_an_answer_that_turns_the_trade_round() -> None:
    """A long signal under a long bias, answered with a short, opens nothing."""
    case = Case(desk(config(ai_mode=AiMode.ADAPTIVE))).feed(told(bias="long")).raise_signal()
    case.decide(
        decision(
            direction=Direction.SHORT,
            stop_price=Decimal(102),
            target_price=Decimal(96),
        )
    )
    assert case.trade().outcome is Outcome.BLOCKED
    assert "directive_bias: short (long only)" in case.trade().note


def test_directives_bound_a_trade_like_the_configuration_does() -> None:
    """Risk, leverage and confidence under directives, with the figures of the stricter one."""
    case = Case().feed(told(risk_pct_max="0.5", leverage_max="2")).to_pending()
    plan = case.trade().plan
    assert plan is not None
    assert plan.leverage <= 2
    assert plan.risk_usdt <= 5
    sure = Case().feed(told(confidence_min="90")).to_pending()
    assert "confidence: 80 (>= 90)" in sure.trade().note


def test_directives_told_while_a_card_waits_bind_its_tap() -> None:
    """A card made before is judged by what is in force at the tap."""
    case = Case(desk(config(approval_mode=ApprovalMode.APPROVE))).raise_signal().decide()
    assert case.phase is Phase.AWAITING_APPROVAL
    case.feed(told(bias="short")).tap(CardVerb.APPROVE)
    assert case.trade().outcome is Outcome.BLOCKED
    assert not case.ever_placed(Role.ENTRY)


def test_an_open_trade_keeps_its_plan() -> None:
    """Directives and configuration bear on entries; what is open goes on as it was planned."""
    case = Case().to_active()
    plan = case.trade().plan
    case.feed(told(bias="short", leverage_max="1"))
    assert (case.phase, case.trade().plan) == (Phase.POSITION_ACTIVE, plan)


def test_a_bot_without_directives_is_judged_by_its_configuration() -> None:
    """No directives: the very same record."""
    case = Case()
    assert directed(case.desk, case.desk.bots[BOT]) is case.desk.bots[BOT]


# ---------------------------------------------------------------------------------- bots that go


def test_a_removed_bot_takes_its_directives_along() -> None:
    """A later bot of the same name begins anew."""
    case = Case().feed(told(bias="long")).feed(BotRemoved(bot_id=BOT, by=USER))
    assert (case.desk.bots, case.desk.directives, case.desk.running) == ({}, {}, ())
    assert case.told() == ["bot_removed"]
    assert not case.raise_signal().desk.trades


def test_a_bot_with_a_trade_at_work_is_paused_and_kept() -> None:
    """Who manages the position would be gone else; the notice says what was done instead."""
    case = Case().to_active().feed(BotRemoved(bot_id=BOT, by=USER))
    assert BOT in case.desk.bots
    assert case.desk.running == ()
    assert case.told() == ["bot_kept"]
    case.exit_by(Role.TARGET)


# --------------------------------------------------------------------------------- what is kept


def test_directives_survive_the_record_and_old_records_have_none() -> None:
    """A desk is kept with every version; one that was kept before there were any still reads."""
    codec = Codec((Desk, *desk_room.RECORDS))
    case = Case().feed(told(bias="long", support="99.5, 98", notes="chờ tín hiệu"))
    case.feed(told(leverage_max="3", entry_words="retest; volume"))
    kept = replace(case.desk, trades={}, memory=Memory())
    line = codec.encode(kept)
    assert codec.decode(line) == kept
    old = json.loads(codec.encode(replace(kept, directives={})))
    del old["body"]["directives"]
    for one in old["body"]["bots"].values():
        del one["ai_mode"]
    read = codec.decode(json.dumps(old))
    assert isinstance(read, Desk)
    assert read.directives == {}
    assert read.bots[BOT].ai_mode is AiMode.EXECUTOR


@pytest.mark.parametrize(
    "event",
    [
        told(bias="long", notes='"}]} \n'),
        DirectivesReverted(bot_id=BOT, to=1, undoes=2, by=USER),
        BotRemoved(bot_id=BOT, by=USER),
    ],
)
def test_the_events_are_records_of_the_journal(event: object) -> None:
    """What people direct is told back by a replay."""
    codec = Codec(desk_room.RECORDS)
    assert codec.decode(codec.encode(event)) == event
