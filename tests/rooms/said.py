"""What a pycrdt document says, in the form of `tests/node/gate_view.mjs`."""

from __future__ import annotations

import math
from typing import Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

_EXACT = 1 << 53
_VALUES = (str, int, float, bool, bytes, bytearray, list, dict)


def said(document: Doc[Any]) -> dict[str, object]:
    return {
        "t": _delta(document.get("t", type=Text)),
        "m": _plain(document.get("m", type=Map)),
        "a": _plain(document.get("a", type=Array)),
        "x": _xml(document.get("x", type=XmlFragment)),
    }


def unformatted(view: Any) -> object:
    """The view without formats: Yjs tidies them up as updates arrive, and tells its peers what it deleted."""
    if isinstance(view, dict):
        return {
            key: _bare(value) if key in ("t", "text") else unformatted(value) for key, value in view.items()
        }
    return [unformatted(each) for each in view] if isinstance(view, list) else view


def _bare(delta: Any) -> object:
    if not isinstance(delta, list):
        return unformatted(delta)
    parts: list[Any] = []
    for insert, _ in delta:
        if isinstance(insert, str) and parts and isinstance(parts[-1], str):
            parts[-1] += insert
        else:
            parts.append(insert if isinstance(insert, str) else unformatted(insert))
    return parts


def document_of(*updates: bytes, client_id: int | None = None) -> Doc[Any]:
    document: Doc[Any] = Doc(client_id=client_id)
    for update in updates:
        document.apply_update(update)
    return document


def _plain(value: Any) -> object:
    if isinstance(value, Text):
        return {"text": _delta(value)}
    if isinstance(value, XmlText | XmlElement | XmlFragment):
        return {"xml": _xml(value)}
    if isinstance(value, Map):
        return {"map": {key: _plain(value[key]) for key in sorted(value.keys())}}
    if isinstance(value, Array):
        return {"array": [_plain(each) for each in value]}
    if isinstance(value, bytes | bytearray):
        return {"bytes": list(value)}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return number(value) if isinstance(value, float) else value


def number(value: float) -> object:
    """As JSON and JavaScript have it: no difference between 1.0 and 1."""
    whole = math.isfinite(value) and value.is_integer() and abs(value) < _EXACT
    return int(value) if whole else value


def _delta(text: Text | XmlText) -> list[object]:
    parts: list[list[Any]] = []
    for insert, attributes in text.diff():
        formats = {key: _plain(value) for key, value in (attributes or {}).items() if value is not None}
        piece = insert if isinstance(insert, str) else {"embed": _plain(insert)}
        if parts and isinstance(piece, str) and isinstance(parts[-1][0], str) and parts[-1][1] == formats:
            parts[-1][0] += piece
        else:
            parts.append([piece, formats])
    return list(parts)


def _attribute(value: Any) -> object:
    """pycrdt gives a type that is an attribute as the extension's own object."""
    return _plain(value) if value is None or isinstance(value, _VALUES) else "a type"


def _xml(node: XmlText | XmlElement | XmlFragment) -> dict[str, object]:
    if isinstance(node, XmlText):
        return {"text": _delta(node)}
    children = [_xml(child) for child in node.children]
    if not isinstance(node, XmlElement):
        return {"children": children}
    pairs: Any = node.attributes
    attributes = {key: _attribute(value) for key, value in pairs}
    return {"name": node.tag, "attributes": attributes, "children": children}
