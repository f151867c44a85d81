"""What a model's answer cost, and when a spent quota comes back.

Must not know: the network or a client library. Prices are a dated table, because they change on
announced days; an unknown model is charged as the dearest one, so that a budget errs on the safe
side. Source: the provider's price list as read on 2026-11-10 (USD for a million tokens; thinking
tokens are billed as output).
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from data.money import ZERO

MILLION: Final = Decimal(1_000_000)
CHARS_PER_TOKEN: Final = 3  # of JSON with numbers; low, so an estimate is rather too high
DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
# Daily quotas start anew at midnight Pacific time, which is 07:00 or 08:00 UTC: the later is safe.
QUOTA_RESET_MS: Final = 8 * HOUR_MS
YEAR_2027_MS: Final = 1_798_761_600_000
EPOCH: Final = date(1970, 1, 1)
PRICE_USD_MAX: Final = 10_000  # for a million tokens; beyond it somebody mistyped


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call. `cached` of the `prompt` ones were served from the provider's cache."""

    prompt: int = 0
    cached: int = 0
    output: int = 0
    thoughts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """USD for a million tokens, from a moment on. Models are matched by the longest prefix."""

    model: str
    from_ms: int
    input_usd: Decimal
    cached_usd: Decimal
    output_usd: Decimal


def _price(model: str, from_ms: int, input_usd: str, output_usd: str) -> Price:
    # Cached input costs a tenth of fresh input for every model in the list.
    return Price(
        model=model,
        from_ms=from_ms,
        input_usd=Decimal(input_usd),
        cached_usd=Decimal(input_usd) / 10,
        output_usd=Decimal(output_usd),
    )


PRICES: Final[tuple[Price, ...]] = (
    _price("gemini-3.8-flash", 0, "0.75", "3.75"),
    _price("gemini-3.8-flash", YEAR_2027_MS, "1.50", "7.50"),
    _price("gemini-3.7-flash", 0, "0.75", "3.75"),
    _price("gemini-3.7-flash", YEAR_2027_MS, "1.50", "7.50"),
    _price("gemini-3.6-flash", 0, "0.75", "3.75"),
    _price("gemini-3.6-flash", YEAR_2027_MS, "1.50", "7.50"),
    _price("gemini-3.5-flash-lite", 0, "0.30", "2.50"),
    _price("gemini-3.5-flash", 0, "1.50", "9.00"),
    _price("gemini-3.1-flash-lite", 0, "0.25", "1.50"),
    _price("gemini-3.1-pro", 0, "4.00", "18.00"),
    _price("gemini-2.5-pro", 0, "1.25", "10.00"),
    _price("gemini-2.5-flash-lite", 0, "0.10", "0.40"),
    _price("gemini-2.5-flash", 0, "0.30", "2.50"),
)


def cost_usd_of(
    model: str, usage: Usage, now_ms: int, prices: tuple[Price, ...] = PRICES
) -> Decimal:
    """What one call cost in USD at `now_ms`, exactly by the table."""
    price = price_of(model, now_ms, prices)
    cached = min(max(usage.cached, 0), max(usage.prompt, 0))
    fresh = max(usage.prompt, 0) - cached
    out = max(usage.output, 0) + max(usage.thoughts, 0)
    total = fresh * price.input_usd + cached * price.cached_usd + out * price.output_usd
    return total / MILLION


def price_of(model: str, now_ms: int, prices: tuple[Price, ...] = PRICES) -> Price:
    """The price in force; the dearest of the table when the model is not in it.

    Of two rows for the same model and day the later in the table counts.
    """
    name = model.removeprefix("models/")
    rows = [row for row in prices if name.startswith(row.model) and row.from_ms <= now_ms]
    if not rows:
        return max(prices, key=lambda row: row.output_usd)
    return max(reversed(rows), key=lambda row: (len(row.model), row.from_ms))


def tokens_of(text: str) -> int:
    """How many tokens a text has, estimated on the high side.

    Each digit is one, as the provider's tokenizer has it; of anything else three bytes are.
    """
    digits = sum(text.count(digit) for digit in "0123456789")
    return digits - (digits - len(text.encode())) // CHARS_PER_TOKEN


def worst_usd(
    model: str,
    prompt_tokens: int,
    output_tokens: int,
    now_ms: int,
    prices: tuple[Price, ...] = PRICES,
) -> Decimal:
    """The most one request can cost: nothing cached, every token of output used.

    By the dearer of today's price and tomorrow's, so that midnight changes nothing.
    """
    usage = Usage(prompt=prompt_tokens, output=output_tokens)
    moments = (now_ms, now_ms + DAY_MS)
    return max(cost_usd_of(model, usage, moment, prices) for moment in moments)


def prices_of(text: str) -> tuple[Price, ...]:
    """The table with rows of one's own: "MODEL=IN/OUT@YYYY-MM-DD", with commas between.

    IN and OUT are USD for a million tokens; a row without a date has always held. Raises ValueError
    with one sentence.
    """
    own = [_row_of(part.strip()) for part in text.split(",") if part.strip()]
    return (*PRICES, *own)


def _row_of(text: str) -> Price:
    model, _, rest = text.partition("=")
    amounts, _, day = rest.partition("@")
    given, _, got = amounts.partition("/")
    try:
        start = date.fromisoformat(day) if day else EPOCH
        row = _price(model.strip(), (start - EPOCH).days * DAY_MS, given.strip(), got.strip())
    except (ValueError, InvalidOperation):
        row = None
    sound = (
        row is not None
        and row.model
        and all(
            usd.is_finite() and 0 <= usd <= PRICE_USD_MAX for usd in (row.input_usd, row.output_usd)
        )
    )
    if row is None or not sound:
        raise ValueError(f"{text!r} is no price; allowed is MODEL=IN/OUT@YYYY-MM-DD")
    return row


def estimate_usd(
    model: str, prompt_chars: int, now_ms: int, prices: tuple[Price, ...] = PRICES
) -> Decimal:
    """What a call that never reached the service, as far as known, is charged with: its input."""
    if prompt_chars <= 0:
        return ZERO
    tokens = -(-prompt_chars // CHARS_PER_TOKEN)
    return cost_usd_of(model, Usage(prompt=tokens), now_ms, prices)


def quota_resets_ms(now_ms: int) -> int:
    """When a daily quota that was spent at `now_ms` is surely back."""
    start = now_ms - now_ms % DAY_MS + QUOTA_RESET_MS
    return start if start > now_ms else start + DAY_MS
