"""Which elements of a stored list are which elements of a new one, so that a write touches only what
changed.
"""

from __future__ import annotations

from threadline.document.values import JSON, same

MAX_TABLE_CELLS = 40_000  # beyond it the changed middle of a list is aligned in order, without searching
IDENTITY_KEYS = ("id", "key", "name")


def align(stored: list[JSON], values: list[JSON]) -> list[int | None]:
    """For each of `values` the position in `stored` that it keeps or edits (ascending), or None where it is
    new.

    Equal elements are matched by a longest common subsequence; between two matches, an unmatched value
    edits the next unmatched stored element that is `similar`.
    """
    head = _shared_head(stored, values)
    tail = _shared_tail(stored[head:], values[head:])
    stored_end, values_end = len(stored) - tail, len(values) - tail
    middle = _match(stored[head:stored_end], values[head:values_end])
    matched = [None if position is None else position + head for position in middle]
    _pair_edits(stored, values, matched, head, stored_end)
    return [*range(head), *matched, *range(stored_end, len(stored))]


def similar(stored: JSON, value: JSON) -> bool:
    """Whether `value` is rather an edit of `stored` than another element.

    Dicts are told apart by the first of `id`, `key`, `name` that either has, else by having no equal field.
    """
    if isinstance(stored, dict) and isinstance(value, dict):
        for key in IDENTITY_KEYS:
            if key in stored or key in value:
                return key in stored and key in value and same(stored[key], value[key])
        return any(key in stored and same(stored[key], item) for key, item in value.items())
    return isinstance(stored, list) == isinstance(value, list) and isinstance(stored, dict) == isinstance(
        value, dict
    )


def _shared_head(stored: list[JSON], values: list[JSON]) -> int:
    count = 0
    while count < min(len(stored), len(values)) and same(stored[count], values[count]):
        count += 1
    return count


def _shared_tail(stored: list[JSON], values: list[JSON]) -> int:
    return _shared_head(stored[::-1], values[::-1])


def _match(stored: list[JSON], values: list[JSON]) -> list[int | None]:
    matched: list[int | None] = [None] * len(values)
    if len(stored) * len(values) > MAX_TABLE_CELLS:
        return matched
    lengths = _subsequence_lengths(stored, values)
    i = j = 0
    while i < len(stored) and j < len(values):
        if same(stored[i], values[j]):
            matched[j] = i
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return matched


def _subsequence_lengths(stored: list[JSON], values: list[JSON]) -> list[list[int]]:
    """Cell (i, j) is the length of the longest common subsequence of `stored[i:]` and `values[j:]`."""
    table = [[0] * (len(values) + 1) for _ in range(len(stored) + 1)]
    for i in range(len(stored) - 1, -1, -1):
        for j in range(len(values) - 1, -1, -1):
            if same(stored[i], values[j]):
                table[i][j] = table[i + 1][j + 1] + 1
            else:
                table[i][j] = max(table[i + 1][j], table[i][j + 1])
    return table


def _pair_edits(
    stored: list[JSON], values: list[JSON], matched: list[int | None], first: int, end: int
) -> None:
    """Fill in, gap by gap, which stored element an unmatched value edits. `matched` begins at position
    `first`.
    """
    following = end
    limits: list[int] = []
    for position in reversed(matched):
        limits.append(following)
        following = following if position is None else position
    limits.reverse()
    cursor = first
    for index, position in enumerate(matched):
        if position is None:
            for candidate in range(cursor, limits[index]):
                if similar(stored[candidate], values[first + index]):
                    matched[index] = candidate
                    cursor = candidate + 1
                    break
        else:
            cursor = position + 1
