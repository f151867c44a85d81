"""Seeds that once broke an invariant, each with what it found. A failing seed is kept."""

KNOWN_SEEDS = {
    57: "a liquidation's fee is income too (9)",
    105: "a liquidation's fee, after a lost stream (9)",
    182: "the last word on the wallet was lost (3)",
    4119: "a position seen and gone, its orders not yet found: it ended without its fills (9)",
    7527: "an entry lost beside a stranger's position was asked about for ever (3)",
    8063: "a stranger's position, netted with ours before we saw it, kept a trade closing (3)",
    1845: "a late position report made a flat symbol look foreign (3)",
    1923: "a reading without listing and fills made our position a stranger's for minutes (7)",
    2246: "a stranger's position went without a word and barred its symbol for minutes (3)",
    2546: "as 1923, after two lost journals (7)",
    3991: "as 1923, after five restarts and a funding payment (7)",
    5941: "as 1923, killed between the entry's fill and its stop (7)",
    7178: "a reading older than the close of a stranger's position brought it back (3)",
}
