"""Order keys: where an element stands in a list whose elements are entries of a map.

A key is a base-62 number `<integer><fraction>`, compared as plain ASCII text. The integer's first character
states its length (`a` has one digit, `b` two, ...; `Z` one digit below zero, `Y` two, ...), so appending
and prepending keep keys short; the fraction makes room between two neighbours. The scheme is Figma's
fractional indexing in the form of rocicorp/fractional-indexing, with one addition: every key ends in a
random suffix, so that two devices that insert at the same place while apart get different keys and both
elements stay.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SUFFIX_CHARS = 6
FIRST_INTEGER = "a0"

Suffix = Callable[[], str]

_KEY = re.compile(r"[A-Za-z][0-9A-Za-z]{0,510}[1-9A-Za-z]")


def random_suffix() -> str:
    """Six random digits; the last is not zero, so there is always room before a key."""
    body = "".join(secrets.choice(DIGITS) for _ in range(SUFFIX_CHARS - 1))
    return body + secrets.choice(DIGITS[1:])


def is_order_key(text: str) -> bool:
    """Whether `text` can stand in a list: an integer, then a fraction that does not end in zero."""
    return _KEY.fullmatch(text) is not None and len(text) > _integer_length(text[0])


def key_between(low: str | None, high: str | None, suffix: Suffix = random_suffix) -> str:
    """A new key after `low` (None: the start) and before `high` (None: the end).

    Raises ValueError where `low` is not before `high`, or either is not an order key.
    """
    for key in (low, high):
        if key is not None and not is_order_key(key):
            raise ValueError(f"{key!r} is not an order key.")
    if low is not None and high is not None and low >= high:
        raise ValueError(f"{low!r} is not before {high!r}.")
    return _stem_between(low, high) + suffix()


def keys_between(low: str | None, high: str | None, count: int, suffix: Suffix = random_suffix) -> list[str]:
    """`count` new keys in order, each after the one before it."""
    keys: list[str] = []
    for _ in range(count):
        low = key_between(low, high, suffix)
        keys.append(low)
    return keys


def _stem_between(low: str | None, high: str | None) -> str:
    if low is None and high is None:
        return FIRST_INTEGER
    if low is None:
        assert high is not None
        integer, fraction = _split(high)
        return _decrement(integer) or integer + _midpoint("", fraction)
    integer, fraction = _split(low)
    if high is None:
        return _increment(integer) or integer + _midpoint(fraction, None)
    high_integer, high_fraction = _split(high)
    if integer == high_integer:
        return integer + _midpoint(fraction, high_fraction)
    following = _increment(integer)
    if following is not None and following < high_integer:
        return following
    return integer + _midpoint(fraction, None)


def _split(key: str) -> tuple[str, str]:
    length = _integer_length(key[0])
    return key[:length], key[length:]


def _integer_length(head: str) -> int:
    return ord(head) - ord("a") + 2 if head >= "a" else ord("Z") - ord(head) + 2


def _increment(integer: str) -> str | None:
    """The integer after this one, or None after the last of all."""
    head, digits = integer[0], integer[1:]
    kept = digits.rstrip("z")
    if kept:
        return head + kept[:-1] + DIGITS[DIGITS.index(kept[-1]) + 1] + "0" * (len(digits) - len(kept))
    if head == "Z":
        return "a0"
    if head == "z":
        return None
    return chr(ord(head) + 1) + "0" * (len(digits) + (1 if head >= "a" else -1))


def _decrement(integer: str) -> str | None:
    """The integer before this one, or None before the first of all."""
    head, digits = integer[0], integer[1:]
    kept = digits.rstrip("0")
    if kept:
        return head + kept[:-1] + DIGITS[DIGITS.index(kept[-1]) - 1] + "z" * (len(digits) - len(kept))
    if head == "a":
        return "Zz"
    if head == "A":
        return None
    return chr(ord(head) - 1) + "z" * (len(digits) + (-1 if head > "a" else 1))


def _midpoint(low: str, high: str | None) -> str:
    """A fraction after `low` and before `high` that is no prefix of `high`, so that any suffix keeps it
    before.
    """
    if high is not None:
        shared = 0
        while (low[shared] if shared < len(low) else "0") == high[shared]:
            shared += 1
        if shared:
            return high[:shared] + _midpoint(low[shared:], high[shared:])
    first = DIGITS.index(low[0]) if low else 0
    last = len(DIGITS) if high is None else DIGITS.index(high[0])
    if last - first > 1:
        return DIGITS[(first + last) // 2]
    return DIGITS[first] + _midpoint(low[1:], None)
