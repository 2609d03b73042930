"""Reading tool calls out of plain words, without a model: which tools a message means, and with what
arguments.

A tool is meant when the words of its name are in the message (`find_hotels` by "Find hotels in Berlin"), or
when it is written as a call, `find_hotels(city="Berlin")`. Arguments are taken, in this order, from
`name=value` or `name: value`, from the values of an enumeration, from quoted texts and numbers in their
order, and from what follows a preposition.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from threadline.agents.tool import Tool
from threadline.document.values import JSON, to_json

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")
_QUOTED = re.compile(r"\"([^\"]*)\"|“([^”]*)”|(?<!\w)'([^']*)'(?!\w)")
_PREPOSITIONS = "in|to|at|for|from|of|on|called|named|by|with|as|is"
_PHRASE = re.compile(rf"\b(?i:{_PREPOSITIONS})\s+(?:the\s+)?([^\s,.;!?]+(?:\s+[^\W\d_a-z][^\s,.;!?]*)*)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tool that the words mean, with what they give for it and what of the required is missing."""

    tool: Tool
    arguments: dict[str, JSON]
    missing: tuple[str, ...]


def read_calls(words: str, tools: Iterable[Tool]) -> list[Wanted]:
    """The calls that a message means, in the order in which it names them."""
    found: list[tuple[int, Wanted]] = []
    for tool in tools:
        written = _written_call(words, tool)
        if written is not None:
            found.append(written)
            continue
        place = _place_of(tool.name, words)
        if place is not None:
            found.append((place, _by_words(words, tool)))
    return [wanted for _, wanted in sorted(found, key=lambda pair: pair[0])]


def _place_of(name: str, words: str) -> int | None:
    """Where the message begins to name the tool, or None where it does not."""
    spoken = {_stem(match.group()): match.start() for match in reversed(list(_WORD.finditer(words)))}
    parts = [_stem(part) for part in re.split(r"[_\W]+", name) if part]
    if not parts or any(part not in spoken for part in parts):
        return None
    return min(spoken[part] for part in parts)


def _stem(word: str) -> str:
    folded = word.casefold()
    return folded[:-1] if len(folded) > 3 and folded.endswith("s") else folded


def _written_call(words: str, tool: Tool) -> tuple[int, Wanted] | None:
    """`name(a=1, b="x")`, as in Python."""
    match = re.search(rf"\b{re.escape(tool.name)}\s*\(", words)
    if match is None:
        return None
    for end in range(match.end(), len(words) + 1):
        if words[end - 1] != ")":
            continue
        try:
            call = ast.parse(words[match.start() : end], mode="eval").body
            assert isinstance(call, ast.Call)
            names = list(tool.parameters["properties"])
            given = {names[i]: ast.literal_eval(arg) for i, arg in enumerate(call.args) if i < len(names)}
            given |= {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg}
            return match.start(), _wanted(tool, {k: to_json(v) for k, v in given.items()})
        except (SyntaxError, ValueError, AssertionError):
            continue
    return None


def _by_words(words: str, tool: Tool) -> Wanted:
    supply = _Supply(words, tool.name)
    given: dict[str, JSON] = {}
    properties: Mapping[str, Any] = tool.parameters.get("properties", {})
    for name, schema in properties.items():
        value = supply.named(name, schema)
        if value is not None:
            given[name] = value
    for name, schema in properties.items():
        if name not in given:
            value = supply.unnamed(name, schema, required=name in tool.parameters.get("required", ()))
            if value is not None:
                given[name] = value
    return _wanted(tool, given)


def _wanted(tool: Tool, given: dict[str, JSON]) -> Wanted:
    missing = tuple(name for name in tool.parameters.get("required", ()) if name not in given)
    return Wanted(tool, given, missing)


class _Supply:
    """What a message has to give; each number, quoted text and phrase once."""

    def __init__(self, words: str, tool_name: str) -> None:
        self._words = words
        self._quoted = [next(filter(None, match.groups()), "") for match in _QUOTED.finditer(words)]
        bare = _QUOTED.sub(" ", words)
        self._numbers = [match.group() for match in _NUMBER.finditer(bare)]
        own = {_stem(part) for part in tool_name.split("_")}
        phrases = [match.group(1) for match in _PHRASE.finditer(bare)]
        self._phrases = [p for p in phrases if _stem(p) not in own and _NUMBER.fullmatch(p) is None]
        self._rest = _after_name(bare, own)

    def named(self, name: str, schema: Mapping[str, Any]) -> JSON:
        """`name=value`, `name: value`; "name value" for numbers; true for a flag that is mentioned."""
        spoken = re.escape(name).replace("_", "[_ ]")
        match = re.search(rf"\b{spoken}\s*[=:]\s*(\"[^\"]*\"|'[^']*'|[^\s,;]+)", self._words, re.I)
        if match is not None:
            return self._converted(match.group(1).strip("\"'"), schema)
        kind = _kind(schema)
        if kind in ("integer", "number"):
            near = re.search(rf"\b{spoken}\s+(?:is\s+|of\s+|to\s+)?(-?\d+(?:\.\d+)?)", self._words, re.I)
            return self._converted(near.group(1), schema) if near else None
        if kind == "boolean" and re.search(rf"\b{spoken}\b", self._words, re.I):
            return re.search(rf"\b(?:no|not|without)\s+{spoken}\b", self._words, re.I) is None
        return self._of_enumeration(schema)

    def unnamed(self, name: str, schema: Mapping[str, Any], *, required: bool) -> JSON:
        kind = _kind(schema)
        if kind in ("integer", "number"):
            return self._converted(self._numbers.pop(0), schema) if self._numbers else None
        if kind not in ("string", "array") or "enum" in schema:
            return None
        for supply in (self._quoted, self._phrases):
            if supply:
                found = supply.pop(0)
                return [found] if kind == "array" else found
        if required and self._rest:
            rest, self._rest = self._rest, ""
            return [rest] if kind == "array" else rest
        return None

    def _of_enumeration(self, schema: Mapping[str, Any]) -> JSON:
        for value in schema.get("enum", ()):
            if isinstance(value, str) and re.search(rf"\b{re.escape(value)}\b", self._words, re.I):
                return value
        return None

    def _converted(self, text: str, schema: Mapping[str, Any]) -> JSON:
        kind = _kind(schema)
        if text in self._numbers:
            self._numbers.remove(text)
        try:
            if kind == "integer":
                return int(float(text))
            if kind == "number":
                return float(text)
        except ValueError:
            return None
        if kind == "boolean":
            return text.casefold() in ("true", "yes", "on", "1")
        return text


def _kind(schema: Mapping[str, Any]) -> str:
    """The JSON type of a parameter; of `X | None` that of X."""
    if "type" in schema:
        return str(schema["type"])
    options = [o for o in schema.get("anyOf", ()) if o.get("type") != "null"]
    return _kind(options[0]) if options else "string"


def _after_name(words: str, own: set[str]) -> str:
    """What follows the last word of the tool's name."""
    end = max((match.end() for match in _WORD.finditer(words) if _stem(match.group()) in own), default=0)
    return words[end:].strip(" .,:;!?")
