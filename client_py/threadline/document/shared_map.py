"""Reading entries of a shared map without trusting what foreign peers have put there."""

from __future__ import annotations

from typing import Any, TypeAlias

from pycrdt import Array, Map, Text

SharedMap: TypeAlias = "Map[Any]"


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
