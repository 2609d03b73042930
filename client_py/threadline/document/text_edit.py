"""Edits of shared texts. pycrdt counts UTF-8 bytes, Python code points, JavaScript and our events UTF-16
units.
"""

from __future__ import annotations

from pycrdt import Text


def append(text: Text, addition: str) -> None:
    """Add to the end. Appends of one client with nothing written in between stay one item."""
    if addition:
        text.insert(len(text), addition)


def rewrite(text: Text, value: str) -> bool:
    """Make the text read `value` by one deletion and one insertion where they differ. False where it
    already does.
    """
    stored = str(text)
    if stored == value:
        return False
    head = _shared_head(stored, value)
    tail = _shared_head(stored[head:][::-1], value[head:][::-1])
    start = utf8_length(stored[:head])
    removed = stored[head : len(stored) - tail]
    added = value[head : len(value) - tail]
    with text.doc.transaction():
        if removed:
            del text[start : start + utf8_length(removed)]
        if added:
            text.insert(start, added)
    return True


def truncate(text: Text, utf16_units: int) -> bool:
    """Cut the text after so many UTF-16 units. False where it is not longer."""
    kept = slice_utf16(str(text), 0, utf16_units)
    start = utf8_length(kept)
    end = len(text)
    if start >= end:
        return False
    del text[start:end]
    return True


def utf8_length(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode())


def utf16_length(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode("utf-16-le")) // 2


def slice_utf16(value: str, start: int, end: int | None = None) -> str:
    """`value[start:end]` counted in UTF-16 units; half of a surrogate pair at either end is left out."""
    if value.isascii():
        return value[start:end]
    units = value.encode("utf-16-le")[2 * start : None if end is None else 2 * end]
    return units.decode("utf-16-le", errors="ignore")


def _shared_head(left: str, right: str) -> int:
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return count
