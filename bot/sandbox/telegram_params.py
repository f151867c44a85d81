"""Arguments of one Bot API call, however they came: query, form, JSON or multipart.

Telegram takes nested objects as JSON strings in forms and as they are in JSON bodies; numbers
and booleans may be strings. It must not know what the methods do with them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.multipart import BodyPartReader

from bot.sandbox.telegram_checks import DOCUMENT_BYTES_MAX, Json, bad_request, check_json

FIELDS_MAX = 100
SHOWN_MAX = 8_192  # characters of one argument in the record of calls
BODY_BYTES_MAX = DOCUMENT_BYTES_MAX + 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came in a multipart field."""

    name: str
    data: bytes


class Params:
    """Typed access to a call's arguments; raises Refused with Telegram's words."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def has(self, name: str) -> bool:
        """Whether the argument came and is not empty."""
        return self._values.get(name) not in (None, "")

    def text(self, name: str) -> str:
        """A string argument, empty when absent."""
        value = self._values.get(name)
        if value is None:
            return ""
        if isinstance(value, Upload):
            raise bad_request(f'field "{name}" must be a string')
        return value if isinstance(value, str) else str(value)

    def integer(self, name: str, default: int) -> int:
        """An integer argument; text that is no number counts as absent, as at Telegram."""
        try:
            return int(self.text(name).strip() or default)
        except ValueError:
            return default

    def boolean(self, name: str) -> bool:
        """A boolean argument, false when absent."""
        return self.text(name).strip().lower() in {"true", "1", "yes", "y", "t"}

    def json(self, name: str, what: str) -> Any:
        """A nested argument, decoded when it came as a string; None when absent."""
        value = self._values.get(name)
        if isinstance(value, str):
            return check_json(value, what) if value.strip() else None
        return value

    def file(self, name: str) -> Upload | str:
        """An upload, following attach://, or a file id; empty when absent."""
        value = self._values.get(name)
        if isinstance(value, str) and value.startswith("attach://"):
            value = self._values.get(value.removeprefix("attach://"))
        return value if isinstance(value, Upload) else str(value or "")

    def attached(self, reference: str) -> Upload | str:
        """The upload that an attach:// reference inside a JSON argument names."""
        value = self._values.get(reference.removeprefix("attach://"))
        return value if isinstance(value, Upload) else reference

    def shown(self) -> Json:
        """The arguments for a record of calls: uploads by name and size, long texts cut."""
        return {name: _shown(name, value) for name, value in self._values.items()}


def _shown(name: str, value: object) -> object:
    if isinstance(value, Upload):
        return f"<{value.name}, {len(value.data)} bytes>"
    if name == "secret_token":
        return "<hidden>"
    if isinstance(value, str | int | float | None):
        return value[:SHOWN_MAX] if isinstance(value, str) else value
    # Nested JSON of a JSON body: kept as it came when small.
    text = json.dumps(value)
    return value if len(text) <= SHOWN_MAX else text[:SHOWN_MAX]


async def read_params(request: web.Request) -> Params:
    """Read a call's arguments from its query and body."""
    values: dict[str, object] = dict(request.query)
    content_type = request.content_type
    if request.method == "POST" and request.can_read_body:
        if content_type == "application/json":
            body = check_json((await request.read()).decode("utf-8", "replace"), "request")
            if not isinstance(body, dict):
                raise bad_request("can't parse request JSON object")
            values.update(body)
        elif content_type == "multipart/form-data":
            values.update(await _multipart(request))
        else:
            values.update({name: str(value) for name, value in (await request.post()).items()})
    return Params(values)


async def _multipart(request: web.Request) -> dict[str, object]:
    values: dict[str, object] = {}
    total = 0
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise bad_request("can't parse multipart body")
        data = bytearray()
        while chunk := await part.read_chunk(65_536):
            data += chunk
            total += len(chunk)
            if total > BODY_BYTES_MAX:
                raise bad_request("file is too big")
        filename = part.filename
        if filename is None:
            values[part.name] = data.decode("utf-8", "replace")
        else:
            values[part.name] = Upload(filename, bytes(data))
        if len(values) > FIELDS_MAX:
            raise bad_request("too many fields")
    return values
