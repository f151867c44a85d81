"""A purse in memory that tests share."""

from dataclasses import dataclass, field
from decimal import Decimal

from bot.advisor.purse import Allowance, Purse
from tests.advisor.cases import NOW_MS


@dataclass
class Note:
    """What is durable of a purse, and the moment it believes in."""

    text: str | None = None
    saves: list[str] = field(default_factory=list)
    now_ms: int = NOW_MS
    full: bool = False

    async def load(self) -> str | None:
        return self.text

    async def save(self, text: str) -> None:
        if self.full:
            raise OSError("disk full")
        self.text = text
        self.saves.append(text)


async def purse_of(note: Note, service: str = "1", user: str = "1") -> Purse:
    """An opened purse over a note; allowances in USD."""
    allowance = Allowance(service_usd=Decimal(service), user_usd=Decimal(user))
    purse = Purse(allowance, now_ms=lambda: note.now_ms, load=note.load, save=note.save)
    await purse.open()
    return purse
