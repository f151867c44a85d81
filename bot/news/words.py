"""What a headline says, as a number: cleaned, matched to one asset, scored by a list of words.

The text is a stranger's. It can move one number between -1 and +1 for the very asset somebody asks
about, and nothing else: no symbol, verb or size is ever read out of it, and it is shown to nobody.
Pure. Must not know: where text comes from, the clock.
"""

import re
import unicodedata
from html import unescape
from types import MappingProxyType
from typing import Final

TEXT_LENGTH_MAX: Final = 600  # characters that are read; a headline and its first sentences
WORDS_MAX: Final = 120
NEGATION_REACH: Final = 2  # words back: "not a hack", "denies the hack"

_LINK: Final = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^<>]{0,500}>")
_TOKEN: Final = re.compile(r"\$?[A-Za-z0-9]+(?:'[a-z]+)?")
_MULTIPLIED: Final = re.compile(r"^(?:1000000|10000|1000|1M)(?=[A-Z])")
_LOUD_SHARE: Final = 0.7  # of the letters in capitals: then capitals mean nothing

# The names the press uses for the largest; anything else must be written as its ticker.
_NAMES: Final = MappingProxyType(
    {
        "bitcoin": "BTC",
        "ethereum": "ETH",
        "ether": "ETH",
        "solana": "SOL",
        "ripple": "XRP",
        "cardano": "ADA",
        "dogecoin": "DOGE",
        "litecoin": "LTC",
        "polkadot": "DOT",
        "chainlink": "LINK",
        "avalanche": "AVAX",
        "toncoin": "TON",
        "uniswap": "UNI",
    }
)
_GOOD: Final = """
adopt adopts adoption approval approve approved approves breakthrough bull bullish gain gains
growth inflow inflows integrates integration invest invests jump jumps launch launches milestone
outperform outperforms partner partners partnership profit profits rally rallies rebound rebounds
record recover recovers recovery rise rises soar soars strong support supports surge surges
upgrade upgrades win wins
"""
_BAD: Final = """
attack attacked ban banned bans bear bearish bankrupt bankruptcy breach charged collapse collapses
crackdown crash crashes crime decline declines delay delays delist delisted delisting drop drops
dump dumps exploit exploited fall falls fear fears fine fined fraud halt halted halts hack hacked
hacker hackers lawsuit liquidated liquidation liquidations loss losses outage outflow outflows
plunge plunges probe reject rejected rejects risk scam selloff slump slumps stolen sue sued sues
theft tumble tumbles vulnerability warning warns weak
"""
_HEAVY: Final = """
approval approved bankrupt bankruptcy collapse crash delist delisted delisting exploit exploited
fraud hack hacked lawsuit scam stolen
"""
_NOT: Final = frozenset({"no", "not", "never", "without", "denies", "deny", "denied", "avoids"})
_WEIGHTS: Final = MappingProxyType(
    {
        word: sign * (2.0 if word in _HEAVY.split() else 1.0)
        for sign, words in ((1, _GOOD), (-1, _BAD))
        for word in words.split()
    }
)
_UNSEEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def clean(text: str) -> str:
    """Plain words: no markup, links, control or direction marks; one line, cut to length."""
    text = _LINK.sub(" ", _TAG.sub(" ", unescape(text[: 8 * TEXT_LENGTH_MAX])))
    kept = "".join(
        " " if unicodedata.category(letter) in _UNSEEN else letter
        for letter in unicodedata.normalize("NFKC", text).replace("\u2019", "'")
    )
    return " ".join(kept.split())[:TEXT_LENGTH_MAX]


def asset_of(base_asset: str) -> str:
    """The asset itself: `1000PEPE` is a contract on PEPE."""
    return _MULTIPLIED.sub("", base_asset)


def mentions(text: str, asset: str) -> bool:
    """Whether cleaned text names exactly this asset.

    By `$TICKER`, by its ticker in capitals (three letters or more, in a text that is not all
    capitals), or by the name the press uses. Never by a part of a word.
    """
    letters = [letter for letter in text if letter.isalpha()]
    loud = sum(letter.isupper() for letter in letters) > _LOUD_SHARE * len(letters)
    for token in _TOKEN.findall(text):
        if token == f"${asset}" or _NAMES.get(token.lower()) == asset:
            return True
        if token == asset and len(asset) >= 3 and not loud:
            return True
    return False


def score(text: str) -> float:
    """How good cleaned text sounds, -1 to +1; 0.0 when it says nothing we know.

    Words add up, a negation shortly before one turns it round, and one word alone is never
    certain: x good words more than bad ones give x / (1 + x).
    """
    words = [token.lower() for token in _TOKEN.findall(text)[:WORDS_MAX]]
    total = 0.0
    for place, word in enumerate(words):
        weight = _WEIGHTS.get(word)
        if weight is not None:
            before = words[max(0, place - NEGATION_REACH) : place]
            total += -weight if _denies(before) else weight
    return total / (1 + abs(total))


def _denies(words: list[str]) -> bool:
    return any(word in _NOT or word.endswith("n't") for word in words)
