"""Seeds that once broke an invariant, each with what it found. A failing seed is kept."""

KNOWN_SEEDS = {
    57: "a liquidation's fee is income too (9)",
    105: "a liquidation's fee, after a lost stream (9)",
    182: "the last word on the wallet was lost (3)",
    4119: "a position seen and gone, its orders not yet found: it ended without its fills (9)",
    1845: "a late position report made a flat symbol look foreign (3)",
}
