"""Hostile text through prompt, validation, desk and chat: no action, size or symbol follows it.

The corpus is `tests/hostile/samples.json`: instructions in headlines, fake system text, letters in
disguise, huge numbers, markup, direction marks, JSON that breaks out, and the like, in several
languages.
"""

import json
import re
import unicodedata
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.advisor.answer import RawAnswer, Receipt, read_answer
from bot.advisor.prompt import MARKER, SYSTEM, prompt_of
from bot.advisor.rules import decide_by_rules
from bot.control.html import Html
from bot.control.views.card import Shown, Stage, card
from bot.control.views.directives import directives, refusal
from bot.control.views.edit import edit
from bot.control.views.making import bot_page, new_bot
from bot.control.views.notices import notice
from bot.control.views.terms import Verb
from bot.control.views.why import Story, why
from bot.core.directives import BOUNDING, FREE_TEXT, Directives, Versions, as_pairs, narrowed
from bot.core.editing import edited
from bot.core.messages import Level, Question, Tell
from bot.core.presets import AiMode, from_preset
from bot.core.ruling.directing import learned
from bot.core.strategies.registry import STRATEGIES
from bot.core.strategies.strategy import Proposal, signal_of
from bot.core.trade import Plan
from bot.news.board import NewsBoard
from bot.news.feed import parse
from bot.sandbox.gemini_answers import Asked, text_of
from bot.sandbox.telegram_html import parse_html
from bot.shell.provenance import Chain
from data.journal import decode_as, encode_as
from data.model import Action, Direction, Signal
from data.untrusted import tidy
from tests.advisor.cases import OPENING, SIGNAL, good_answer
from tests.advisor.cases import text_of as answer_text
from tests.control.samples import DECISION as SHOWN_DECISION
from tests.control.samples import NOW_MS as CHAT_NOW_MS
from tests.control.samples import SIGNAL as SHOWN_SIGNAL
from tests.control.samples import WAITING, look
from tests.control.samples import desk as chat_desk
from tests.core.build import Case, config, decision, desk, signal
from tests.core.markets import CONTEXT, window

CORPUS = Path(__file__).parents[1] / "hostile" / "samples.json"
SAMPLES: list[str] = [
    row["text"] * row.get("times", 1) for row in json.loads(CORPUS.read_text(encoding="utf-8"))
]
KINDS = {row["kind"] for row in json.loads(CORPUS.read_text(encoding="utf-8"))}
HARMLESS = "SMA 20 above SMA 50"
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
OURS = {"\n", "\u200b"}  # lines of a message, and what keeps a client from making links
CLICKABLE = re.compile(r"(?i)://|\bwww\.|\bt\.me/|@\w|(?<![\w/<])/[a-z]")

every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=range(len(SAMPLES)))


def test_the_corpus_is_as_wide_as_it_should_be() -> None:
    """At least forty samples, and every kind of them."""
    assert len(SAMPLES) >= 80
    assert {"instruction", "fake system", "fence", "json", "homoglyph", "number", "html", "link",
            "mention", "command", "callback", "token", "rtl", "control", "format", "vietnamese",
            "long", "empty"} <= KINDS  # fmt: skip


# ------------------------------------------------------------------------------------ prompt


def tainted(sample: str) -> Question:
    """A question with the text everywhere that strangers' or models' words may come."""
    sample = sample.encode("utf-8", "ignore").decode()  # See the test of strategies' words.
    told = tuple((name, sample) for name in FREE_TEXT)
    return replace(
        OPENING,
        signal=replace(SIGNAL, reasons=(sample, sample)),
        lessons=(sample,),
        directives=told,
    )


def facts_of(question: Question) -> dict[str, Any]:
    """The one JSON object of a prompt."""
    prompt = prompt_of(question)
    assert prompt.system == SYSTEM
    head, _, text = prompt.user.partition("\n")
    assert head == MARKER
    assert text.isprintable(), "one line, nothing hidden"
    facts: dict[str, Any] = json.loads(text)
    return facts


def without_text(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts less what is fenced, and less the id that follows every letter."""
    return {name: facts[name] for name in facts if name not in ("untrusted_text", "snapshot_id")}


@every_sample
def test_text_stays_in_its_fence_and_changes_no_fact(sample: str) -> None:
    """With and without it a prompt has the same facts in the same places."""
    found, plain = facts_of(tainted(sample)), facts_of(tainted(HARMLESS))
    assert without_text(found) == without_text(plain)
    assert list(found) == list(plain)
    assert found["untrusted_text"].keys() == plain["untrusted_text"].keys()


@every_sample
def test_the_rules_and_the_pretend_model_read_the_same_question(sample: str) -> None:
    """Neither sees another action, price, size or symbol because of the text."""
    found, plain = (
        decide_by_rules(tainted(text), now_ms=OPENING.asked_ms) for text in (sample, HARMLESS)
    )
    same = {"snapshot_id": "", "reasons": ()}
    assert replace(found, **same) == replace(plain, **same)  # type: ignore[arg-type]
    body = {"contents": [{"parts": [{"text": prompt_of(tainted(sample)).user}]}]}
    asked = Asked(seed=1, step={}, body=body)
    read = json.loads(text_of(asked.body).partition("\n")[2])
    assert (read["symbol"], read["bot_id"]) == (OPENING.symbol, OPENING.bot_id)


@every_sample
def test_what_a_strategy_quotes_can_be_kept_and_read(sample: str) -> None:
    """Its reasons and names of parts are tidied when they become a signal."""
    strategy, bars = STRATEGIES["continuation"], window([100.0] * 40)
    proposal = Proposal(
        direction=Direction.LONG,
        stop_distance=1.0,
        reward_risk=2.0,
        parts=((sample, 80.0),),
        reasons=(sample,),
    )
    made = signal_of(strategy, proposal, bars, CONTEXT)
    assert made is not None
    kept = decode_as(Signal, encode_as(made))
    assert kept == made
    assert all(text.isprintable() for text in (*made.reasons, made.parts[0][0]))


# -------------------------------------------------------------------------------- validation


def read(text: str) -> Any:
    """What an answer's text means."""
    raw = RawAnswer(text=text, finish_reason="STOP")
    return read_answer(raw, OPENING, Receipt(now_ms=OPENING.asked_ms))


@every_sample
def test_an_answer_made_of_it_is_an_abstention(sample: str) -> None:
    """As the whole answer, behind a good one, or as what must be echoed or chosen from a list."""
    assert read(sample).action is Action.ABSTAIN
    if sample.strip():
        assert read(answer_text(good_answer()) + sample).action is Action.ABSTAIN
    for field in ("bot_id", "symbol", "snapshot_id", "action", "direction"):
        assert read(answer_text(good_answer(**{field: sample}))).action is Action.ABSTAIN


@every_sample
def test_in_a_free_field_it_changes_no_other(sample: str) -> None:
    """A reason is a reason: shown, cut, and nothing else; too long it is an abstention."""
    plain = read(answer_text(good_answer()))
    for changes in ({"reasons": [sample]}, {"invalidation": sample}):
        found = read(answer_text(good_answer(**changes)))
        if found.action is Action.ABSTAIN:
            continue
        assert replace(found, reasons=plain.reasons, invalidation=plain.invalidation) == plain
        assert all(text.isprintable() for text in (*found.reasons, found.invalidation))


# ------------------------------------------------------------------------------------- desk


def plan_with(sample: str) -> Plan | None:
    """The plan of a trade whose strategy and adviser both wrote the text."""
    case = Case(desk(config(ai_mode=AiMode.ADAPTIVE)))
    case.raise_signal(signal(reasons=(sample,)))
    case.decide(decision(reasons=(sample,), invalidation=sample))
    return case.trade().plan


PLAIN_PLAN = plan_with(HARMLESS)


@every_sample
def test_the_desk_plans_the_same_trade(sample: str) -> None:
    """Symbol, side, quantity, leverage and prices are what they were."""
    assert PLAIN_PLAN is not None
    assert plan_with(sample) == PLAIN_PLAN


@every_sample
def test_as_a_directive_it_never_widens_a_bound(sample: str) -> None:
    """Words may be kept as words, a number only as a tighter bound; nothing else is a directive."""
    bot = config(ai_mode=AiMode.ADAPTIVE)
    updates = [(name, sample) for name, _ in as_pairs(Directives())]
    updates += [(sample, sample), ("symbol", sample), ("leverage", sample)]
    after, _ = learned(bot, Versions(), updates)
    under = narrowed(bot, after)
    assert (under.risk_pct, under.open_trades_max) <= (bot.risk_pct, bot.open_trades_max)
    assert under.leverage <= bot.leverage
    assert (under.reward_risk_min, under.confidence_min) >= (
        bot.reward_risk_min,
        bot.confidence_min,
    )
    for name, text in as_pairs(after):
        assert text.isprintable()
        assert (
            name in (*FREE_TEXT, *BOUNDING, "support", "resistance")
            or not text
            or (name == "bias" and text == "neutral")
        )


@every_sample
def test_typed_as_a_configuration_it_is_refused_or_in_bounds(sample: str) -> None:
    """No name, symbol or number of it gets past the checks."""
    look_en, state = look(), chat_desk()
    argument = tidy(sample, 640)
    _, wanted = new_bot(look_en, state, f"{argument} multi", "owner")
    if wanted is not None:  # A name is a label: plain letters and digits, and nothing follows it.
        made = wanted.config
        assert made.bot_id.isascii()
        assert made.bot_id.isalnum()
        usual = from_preset("multi", bot_id="x", user_id="owner", account_id="main")
        assert replace(made, bot_id="x") == usual
    try:
        symbols = edited(config(), "symbols", sample).symbols
    except ValueError:
        symbols = ()
    assert all(name.isascii() and name.isalnum() for name in symbols)
    assert not symbols or sample.isascii(), "letters in disguise are no symbol's"
    for field in ("leverage", "risk_pct", "sizing", "strategy", "ai_mode"):
        answer, change = edit(look_en, state, f"signals {field} {argument}", "owner")
        parse_html(answer.markup)
        assert change is None or change.config.leverage <= 125


# ------------------------------------------------------------------------------------- chat


def reads_well(html: Html) -> None:
    """Telegram takes it; nothing in it is hidden, turned round, or can be clicked."""
    parse_html(html.markup)
    text = re.sub(r"<[^<>]*>", " ", html.markup)
    assert not {c for c in text if unicodedata.category(c) in HIDDEN} - OURS
    assert not CLICKABLE.search(text.replace("/why", "").replace("/resume", "")), text


@pytest.mark.parametrize("language", ["en", "vi"])
@every_sample
def test_a_card_and_its_story_show_it_as_dead_text(sample: str, language: str) -> None:
    """Same buttons, same numbers; no link, mention, command or mark of direction."""
    trade = replace(
        WAITING,
        signal=replace(SHOWN_SIGNAL, reasons=(sample,)),
        decision=replace(SHOWN_DECISION, reasons=(sample,), invalidation=sample),
    )
    shown = Shown(
        stage=Stage.OFFER,
        wallet_usdt=Decimal(1000),
        data={verb: f"1{verb.value}" for verb in (Verb.APPROVE, Verb.REJECT)},
    )
    found, plain = (card(look(language), one, shown) for one in (trade, WAITING))
    reads_well(found.html)
    assert found.keyboard == plain.keyboard
    assert "0.012" in found.html.markup
    story = Story(trade=trade, chain=Chain(snapshot=sample, answer=sample), closed=None)
    parse_html(why(look(language), story).markup)


@every_sample
def test_notices_directives_and_refusals_show_it_as_dead_text(sample: str) -> None:
    """Whatever the desk tells along with it."""
    told = Tell(kind="halted", level=Level.ALARM, fields=(("reason", sample), ("by", sample)))
    reads_well(notice(look(), told, None, chat_desk()))
    after, _ = learned(config(), Versions(), [(name, sample) for name in FREE_TEXT])
    versions = Versions().with_next(after, set_ms=CHAT_NOW_MS, by="model")
    state = chat_desk(directives={"signals": versions})
    parse_html(directives(look(), state, "signals").markup)
    parse_html(bot_page(look(), state, "signals").markup)
    changed = Tell(
        kind="directives_changed",
        fields=(("bot", "signals"), ("version", "1"), ("by", "model"), ("refused", sample)),
    )
    reads_well(notice(look(), changed, None, state))
    for field in ("leverage_max", sample):
        refused = refusal(look(), Directives(), field, sample)
        if refused is not None:
            reads_well(refused)


# ------------------------------------------------------------------------------------- news


@every_sample
def test_as_a_headline_it_moves_one_bounded_number(sample: str) -> None:
    """For the asset that is asked about, between -1 and +1, and nothing is read out of it."""
    feed = json.dumps({"items": [{"id": "1", "title": f"BTC: {sample}"}]}).encode()
    board = NewsBoard()
    board.add(parse(feed), 1_000)
    score = board.score_of("BTC", 1_000)
    assert score is None or -1 <= score <= 1
