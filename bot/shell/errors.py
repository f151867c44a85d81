"""The error tree. One module holds it whole.

    BotError
    ├── OurFault       a bug or a broken promise of ours: stop the desk, leave stops on the exchange
    ├── SettingFault   a setting is missing or wrong: one line for a person, exit 2
    ├── TheirWord      the other side refused; its code and text are kept and become an event
    └── Unknown        the outcome is not known (timeout, 5xx, cut): never taken for a refusal

Expected outcomes are values, not exceptions. Nothing here logs.
"""


class BotError(Exception):
    """Every error this product raises on purpose."""


class OurFault(BotError):
    """A bug or a broken invariant of ours."""


class SettingFault(BotError):
    """A setting is missing or wrong; the text names it, its value and what is allowed."""


class TheirWord(BotError):
    """The other side refused. `code` and `text` are theirs, kept as they came."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class Unknown(BotError):
    """Nobody can say whether the request took effect; ask, do not assume."""
