"""Refusals by the exchange's code, as far as the core reacts to them differently.

Source: the error table of the exchange's API, 2026-11; the venue room knows the whole of it.
"""

from typing import Final

WOULD_TRIGGER: Final = frozenset({-2021, -4142})  # the price is beyond the level already
# It sees no position to close, or none that a reduce-only order could reduce.
NEEDS_POSITION: Final = frozenset({-4509, -4129, -2022})
TOO_MANY_STOPS: Final = frozenset({-4045})  # the account's conditional orders are used up
OUT_OF_DATE: Final = frozenset({-1021, -5028})  # the request was stamped too early or too late
ALREADY_THERE: Final = frozenset({-4130})  # a closing stop of this kind rests already
# Surely not executed, for a reason that passes: the same order may be sent anew.
# 0: the request never left this machine; the positive ones are HTTP statuses without a code.
TRY_AGAIN: Final = frozenset({-1021, -5028, -1008, -1015, -1003, -1016, 0, 403, 418, 429, 503})
