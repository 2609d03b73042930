"""What a device presents: a token, and attributes after its first space.

    TOKEN device=Pixel%209 lineage=01J8...

Stock providers have one string to send, so the attributes travel inside it; their values are percent-encoded.
In the y-websocket dialect the same names are query parameters: `?token=...&device=...&lineage=...`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from threadline.protocol.errors import InvalidText, UnknownMessage

ATTRIBUTES = ("device", "lineage")

MAX_ATTRIBUTE_CHARS = 256


@dataclass(frozen=True, slots=True)
class Credentials:
    """`token` may be empty (a guest, where the server allows it).

    `device` is a label for people; `lineage` is that of the local copy, empty when there is none.
    """

    token: str
    device: str = ""
    lineage: str = ""

    def __repr__(self) -> str:
        """Without the token, which must not reach a log."""
        return f"Credentials(device={self.device!r}, lineage={self.lineage!r})"


def encode_credentials(credentials: Credentials) -> str:
    """The one string that a provider sends. Raises ValueError for a token with a space in it."""
    if " " in credentials.token:
        raise ValueError("a token contains no space")
    pairs = (("device", credentials.device), ("lineage", credentials.lineage))
    return " ".join(
        [credentials.token, *(f"{name}={quote(value, safe='')}" for name, value in pairs if value)]
    )


def parse_credentials(text: str) -> Credentials:
    """The token and attributes of the string a provider sent. Raises a MalformedFrame."""
    token, _, rest = text.partition(" ")
    return from_pairs(token, (_split_pair(part) for part in rest.split(" ") if part))


def _split_pair(part: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if not equals:
        raise InvalidText("an attribute of the token has no value")
    try:
        return name, unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidText("an attribute of the token is not UTF-8") from error


def from_pairs(token: str, pairs: Iterable[tuple[str, str]]) -> Credentials:
    """Credentials of a token and decoded attributes. Raises a MalformedFrame."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in ATTRIBUTES:
            raise UnknownMessage("the token has an attribute other than device and lineage")
        if name in found:
            raise InvalidText(f"the attribute {name} appears twice")
        if len(value) > MAX_ATTRIBUTE_CHARS or not value.isprintable():
            raise InvalidText(f"the attribute {name} is too long or not printable")
        found[name] = value
    return Credentials(token, found.get("device", ""), found.get("lineage", ""))
