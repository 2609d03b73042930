"""The canonical content digest: by this, replicas are compared.

State vectors can agree while contents differ, so two replicas are equal when the SHA-256 of their canonical
JSON is. The form is that of RFC 8785 (keys by UTF-16 code units, numbers as JavaScript prints them), the
same in Python and TypeScript. NaN and infinities become null, bytes `base64:...`, integers of 64 bits
are rounded to a double, because peers store them as either.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pycrdt import Array, Doc, Map, Text

from threadline.document.shared_map import contents
from threadline.document.values import JSON, plain

SESSION_ROOTS: dict[str, type[Map[Any] | Text]] = {
    "meta": Map,
    "messages": Map,
    "state": Map,
    "counters": Map,
    "intents": Map,
    "runs": Map,
}
COMPANION_ROOTS: dict[str, type[Map[Any] | Text]] = {"draft": Text, "read": Map, "state": Map}


def session_digest(doc: Doc[Any]) -> str:
    """The digest of a session document: 64 hexadecimal digits."""
    return digest(content(doc, SESSION_ROOTS))


def companion_digest(doc: Doc[Any]) -> str:
    return digest(content(doc, COMPANION_ROOTS))


def content(doc: Doc[Any], roots: dict[str, type[Map[Any] | Text]]) -> dict[str, JSON]:
    """The roots as plain JSON: texts as strings without formats, unknown shared types as null."""
    with doc.transaction():
        return {name: plain_content(doc.get(name, type=kind)) for name, kind in roots.items()}


def plain_content(value: object) -> JSON:
    if isinstance(value, Text):
        return str(value)
    if isinstance(value, Map):
        return {key: plain_content(item) for key, item in contents(value).items()}
    if isinstance(value, Array):
        return [plain_content(item) for item in value]
    return plain(value)


def digest(value: JSON) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def canonical(value: JSON) -> str:
    """`value` in the canonical form."""
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        return number_text(float(value))
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    ordered = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be"))
    return "{" + ",".join(f"{canonical(key)}:{canonical(item)}" for key, item in ordered) + "}"


def number_text(value: float) -> str:
    """A finite number as JavaScript's `String(value)` prints it (ECMA-262, Number::toString)."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = fraction.rstrip("0")
    point = len(whole) + int(exponent or 0)
    digits = whole + fraction
    point -= len(digits) - len(digits.lstrip("0"))
    digits = digits.lstrip("0").rstrip("0")
    return sign + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    """`digits` with the decimal point after `point` of them, by the rules of ECMA-262."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    exponent = point - 1
    power = f"e{'+' if exponent > 0 else '-'}{abs(exponent)}"
    return digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "") + power
