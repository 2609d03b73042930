"""Reading entries of a shared map without trusting what foreign peers have put there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from pycrdt import Array, Map, Text

from threadline.document.values import JSON, plain

SharedMap: TypeAlias = "Map[Any]"


def plain_values(entries: SharedMap, keys: Iterable[str] | None = None) -> dict[str, JSON]:
    """All entries, or those of `keys` that are there, as JSON; shared types as None.

    Asks the document below pycrdt's Python layer, which would look up each key three times.
    """
    with entries.doc.transaction() as transaction:
        inner, shared = transaction._txn, entries.integrated
        found = shared.keys(inner) if keys is None else [key for key in keys if shared.has(inner, key)]
        return {key: plain(shared.get(inner, key)) for key in found}


def contents(entries: SharedMap) -> dict[str, object]:
    """All entries as they are: plain values and shared types."""
    with entries.doc.transaction() as transaction:
        inner, shared = transaction._txn, entries.integrated
        return {key: entries._maybe_as_type_or_doc(shared.get(inner, key)) for key in shared.keys(inner)}


def keys_of(entries: SharedMap) -> list[str]:
    return list(entries.keys())


def value_at(entries: SharedMap, key: str) -> object:
    """The value of an entry; None where it is missing or holds a shared type."""
    value = entries.get(key)
    return None if isinstance(value, Map | Text | Array) else value


def map_at(entries: SharedMap, key: str) -> SharedMap | None:
    """The map held by an entry, or None."""
    value = entries.get(key)
    return value if isinstance(value, Map) else None


def text_at(entries: SharedMap, key: str) -> Text | None:
    """The text held by an entry, or None."""
    value = entries.get(key)
    return value if isinstance(value, Text) else None


def array_at(entries: SharedMap, key: str) -> Array[Any] | None:
    """The array held by an entry, or None."""
    value = entries.get(key)
    return value if isinstance(value, Array) else None
