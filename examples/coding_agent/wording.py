"""Code for plain words, without a model: enough for the dialogue of the documentation."""

from __future__ import annotations

import re

_FENCED = re.compile(r"```(?:python)?\n(.*?)```", re.DOTALL)
_LOAD = re.compile(r"\bload\b.*?([\w./-]+\.csv)", re.IGNORECASE)
_COLUMNS = re.compile(r"\bcolumns?\b", re.IGNORECASE)
_HISTOGRAM = re.compile(r"\bhistogram\b.*?\bof\s+(?:the\s+)?(\w+)", re.IGNORECASE)

_HISTOGRAM_CODE = """
from collections import Counter
from IPython.display import SVG, display
counts = sorted(Counter(row[{column!r}] for row in df).items())
bars = "".join(
    f'<rect x="{{place * 30}}" y="{{100 - 20 * n}}" width="25" height="{{20 * n}}"/>'
    for place, (value, n) in enumerate(counts)
)
head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{{30 * len(counts)}}" height="100">'
display(SVG(head + bars + "</svg>"))
print(counts)
""".strip()


def code_for(words: str) -> str | None:
    """Code in the words, or code that they ask for; None where they ask for none."""
    if found := _FENCED.search(words):
        return found[1].rstrip()
    if found := _LOAD.search(words):
        path = found[1]
        return f"import csv\ndf = list(csv.DictReader(open({path!r})))\nprint(len(df), 'rows')"
    if found := _HISTOGRAM.search(words):
        return _HISTOGRAM_CODE.format(column=found[1])
    if _COLUMNS.search(words):
        return "print(', '.join(df[0]))"
    return None
