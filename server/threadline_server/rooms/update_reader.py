"""Reads a Yjs v1 update strictly: what no Yjs or yrs encoder would write is an error, and nothing is applied.

An update is varUint(sections), each varUint(structs) varUint(client) varUint(clock) and the structs, then the
delete set: varUint(clients), each varUint(client) varUint(ranges) and (clock, length) pairs. A struct is an
info byte (bits 0-4 the content's kind, 0x80 has an origin, 0x40 has a right origin, 0x20 has a key), the ids
that the bits announce, the parent where neither origin is there to tell it, then the content.

What yrs, which pycrdt is made of, cannot read although Yjs can is an error too: values as JSON text (it reads
one string too many) and XML hooks (it does not read their name).

Source: yjs 13.6, `src/structs/Item.js`, `src/utils/encoding.js`, `src/utils/DeleteSet.js`; values as
`writeAny` of lib0's `encoding.js`.
"""

from __future__ import annotations

import json
import math
import struct
from time import perf_counter_ns
from typing import Final, NoReturn

from threadline.errors import ProtocolError
from threadline_server.rooms.gate_limits import GateLimits

GC: Final = 0
DELETED: Final = 1
JSON: Final = 2
BINARY: Final = 3
STRING: Final = 4
EMBED: Final = 5
FORMAT: Final = 6
TYPE: Final = 7
ANY: Final = 8
DOC: Final = 9
SKIP: Final = 10

ARRAY: Final = 0
MAP: Final = 1
TEXT: Final = 2
XML_ELEMENT: Final = 3
XML_FRAGMENT: Final = 4
XML_HOOK: Final = 5
XML_TEXT: Final = 6

HAS_ORIGIN: Final = 0x80
HAS_RIGHT: Final = 0x40
HAS_KEY: Final = 0x20

MAX_SAFE_INTEGER: Final = (1 << 53) - 1
_MAX_SHIFT: Final = 49
_MAX_EXPONENT: Final = 1023
_LEAST_SECTION_BYTES: Final = 3
_DUNDER_PROTO: Final = "__proto__"


class MalformedUpdate(ProtocolError):
    """These bytes are no update that an honest replica sends."""

    code = "malformed_update"


class Struct:
    """One struct of an update. Which fields mean something depends on `ref`; absent ids have client -1.

    `start`, `body` and `end` are where the struct, its content and the next struct begin in the update.
    `values` are the decoded values of ANY (none when read without values), `plain` one flag each.
    `text` is the string of STRING, None where it is ASCII.
    """

    __slots__ = (
        "body",
        "client",
        "clock",
        "end",
        "key",
        "length",
        "origin_client",
        "origin_clock",
        "parent_client",
        "parent_clock",
        "plain",
        "ref",
        "right_client",
        "right_clock",
        "root",
        "start",
        "text",
        "type_kind",
        "values",
    )

    def __init__(self, client: int, clock: int, ref: int, start: int) -> None:
        self.client: int = client
        self.clock: int = clock
        self.ref: int = ref
        self.start: int = start
        self.body: int = start
        self.end: int = start
        self.length: int = 1
        self.origin_client: int = -1
        self.origin_clock: int = 0
        self.right_client: int = -1
        self.right_clock: int = 0
        self.root: str | None = None
        self.parent_client: int = -1
        self.parent_clock: int = 0
        self.key: str | None = None
        self.type_kind: int = -1
        self.text: str | None = None
        self.values: list[object] | None = None
        self.plain: list[bool] | None = None


_FREED_AT_ONCE: Final = 512
"""Structs or deletes between two looks at the clock."""


class Section:
    """The structs of one client id, in the order of their clocks."""

    __slots__ = ("client", "structs")

    def __init__(self, client: int) -> None:
        self.client: int = client
        self.structs: list[Struct] = []


class ParsedUpdate:
    """`deletes` are (client, first clock, length), in the order of the update. `ascending` says that those of
    one client come with growing clocks, as encoders write them: taken the other way round they cost a
    library the square of their number.
    """

    __slots__ = ("ascending", "data", "deletes", "sections")

    def __init__(self, data: bytes) -> None:
        self.data: bytes = data
        self.sections: list[Section] = []
        self.deletes: list[tuple[int, int, int]] = []
        self.ascending: bool = True

    def let_go(self, until_ns: int) -> bool:
        """Let go of what was read until about `until_ns` by `perf_counter_ns`, since so many objects take
        milliseconds to be freed; whether that was the end.
        """
        for section in self.sections:
            while section.structs:
                del section.structs[-_FREED_AT_ONCE:]
                if perf_counter_ns() > until_ns:
                    return False
        while self.deletes:
            del self.deletes[-_FREED_AT_ONCE:]
            if perf_counter_ns() > until_ns:
                return False
        return True


def read_update(data: bytes, limits: GateLimits, *, whole: bool = False, values: bool = True) -> ParsedUpdate:
    """Parse all of `data`. Raises MalformedUpdate. Without `values` they are checked but not kept."""
    reading = Reading(data, limits, whole=whole, values=values)
    reading.advance(MAX_SAFE_INTEGER)
    return reading.parsed


def malformed(reason: str) -> NoReturn:
    raise MalformedUpdate(reason)


def utf16_length(text: str) -> int:
    """Units of `text` as JavaScript and every Yjs clock counts them."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le")) >> 1


class UpdateReader:
    __slots__ = ("data", "end", "keep_values", "limits", "plain", "position")

    def __init__(self, data: bytes, limits: GateLimits, keep_values: bool) -> None:
        self.data: bytes = data
        self.position: int = 0
        self.end: int = len(data)
        self.limits: GateLimits = limits
        self.keep_values: bool = keep_values
        self.plain: bool = True

    # primitives

    def byte(self) -> int:
        position = self.position
        if position >= self.end:
            malformed("the update ends early")
        self.position = position + 1
        return self.data[position]

    def uint(self) -> int:
        position = self.position
        if position >= self.end:
            malformed("the update ends early")
        byte = self.data[position]
        self.position = position + 1
        if byte < 0x80:
            return byte
        return self._long_uint(byte & 0x7F)

    def _long_uint(self, value: int) -> int:
        data = self.data
        position = self.position
        shift = 7
        while True:
            if position >= self.end:
                malformed("the update ends early")
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > _MAX_SHIFT:
                malformed("a number is longer than 53 bits")
        if byte == 0:
            malformed("a number is not in its shortest form")
        if value > MAX_SAFE_INTEGER:
            malformed("a number is longer than 53 bits")
        self.position = position
        return value

    def bounded(self, maximum: int, what: str) -> int:
        value = self.uint()
        if value > maximum:
            malformed(f"{what} is out of bounds")
        return value

    def skip(self, count: int) -> int:
        """Where `count` bytes begin; they are passed over."""
        position = self.position
        if count > self.end - position:
            malformed("the update ends early")
        self.position = position + count
        return position

    def text(self) -> str:
        length = self.uint()
        position = self.skip(length)
        try:
            return self.data[position : position + length].decode()
        except UnicodeDecodeError:
            malformed("a string is not UTF-8")

    def short_text(self, max_chars: int, what: str) -> str:
        text = self.text()
        if len(text) > max_chars:
            malformed(f"{what} is longer than {max_chars} characters")
        return text

    def integer(self) -> int:
        """A varInt: sign in bit 6 of the first byte."""
        first = self.byte()
        value = first & 0x3F
        if first & 0x80:
            position = self.position
            shift = 6
            while True:
                byte = self.byte()
                value |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
                if self.position - position > 8:
                    malformed("a number is longer than 53 bits")
            if byte == 0:
                malformed("a number is not in its shortest form")
            if value > MAX_SAFE_INTEGER:
                malformed("a number is longer than 53 bits")
        return -value if first & 0x40 else value

    # values

    def any(self, depth: int) -> object:
        """One value of lib0's `writeAny`; clears `self.plain` where JSON has no word for it."""
        tag = self.byte()
        if tag == 119:
            return self.text()
        if tag == 125:
            return self.integer()
        if tag == 120:
            return True
        if tag == 121:
            return False
        if tag == 126:
            return None
        if tag == 123:
            position = self.skip(8)
            number: float = struct.unpack_from(">d", self.data, position)[0]
            return self._number(number)
        if tag == 124:
            position = self.skip(4)
            short: float = struct.unpack_from(">f", self.data, position)[0]
            return self._number(short)
        if tag == 118 or tag == 117:
            return self._container(tag, depth + 1)
        self.plain = False
        if tag == 127:
            return None
        if tag == 116:
            length = self.uint()
            position = self.skip(length)
            return self.data[position : position + length]
        if tag == 122:
            position = self.skip(8)
            return int.from_bytes(self.data[position : position + 8], "big", signed=True)
        malformed("a value has an unknown tag")

    def _number(self, number: float) -> object:
        if not math.isfinite(number):
            self.plain = False
            return number
        if number.is_integer() and abs(number) <= MAX_SAFE_INTEGER:
            return int(number)
        return number

    def _container(self, tag: int, depth: int) -> object:
        if depth > self.limits.max_value_depth:
            malformed("a value is nested too deeply")
        count = self.uint()
        if count > self.end - self.position:
            malformed("the update ends early")
        if tag == 117:
            items: list[object] = []
            for _ in range(count):
                items.append(self.any(depth))  # noqa: PERF401  (a loop compiles, and stops at an error)
            return items
        entries: dict[str, object] = {}
        for _ in range(count):
            key = self.text()
            if key == _DUNDER_PROTO:
                malformed("an object has a key that JavaScript cannot hold")
            entries[key] = self.any(depth)
        return entries

    def skip_any(self, depth: int) -> None:
        """Pass over a value of the log."""
        tag = self.byte()
        if tag in (119, 116):
            self.skip(self.uint())
        elif tag == 125:
            self.integer()
        elif tag in (123, 122):
            self.skip(8)
        elif tag == 124:
            self.skip(4)
        elif tag in (118, 117):
            if depth >= self.limits.max_value_depth:
                malformed("a value is nested too deeply")
            for _ in range(self.bounded(self.end - self.position, "a count")):
                if tag == 118:
                    self.skip(self.uint())
                self.skip_any(depth + 1)
        elif tag not in (120, 121, 126, 127):
            malformed("a value has an unknown tag")

    def json_value(self) -> object:
        """A value that Yjs keeps as JSON text: embeds, format values."""
        return self.parse_json(self.text())

    def parse_json(self, text: str) -> object:
        try:
            value: object = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            malformed("a JSON value cannot be read")
        self.check_json(value, 0)
        return value

    def check_json(self, value: object, depth: int) -> None:
        if depth > self.limits.max_value_depth:
            malformed("a value is nested too deeply")
        if isinstance(value, str):
            _check_scalar_values(value)
        elif isinstance(value, float):
            if not math.isfinite(value):
                malformed("a JSON number is out of bounds")
        elif isinstance(value, int):
            # yrs reads integers in 64 bits with a sign, longer ones as floats, and fails in between
            if value.bit_length() > _MAX_EXPONENT or 1 << 63 <= value < 1 << 64:
                malformed("a JSON number is out of bounds")
        elif isinstance(value, list):
            for item in value:
                self.check_json(item, depth + 1)
        elif isinstance(value, dict):
            for key, item in value.items():
                _check_scalar_values(key)
                self.check_json(item, depth + 1)

    # structs

    def struct(self, client: int, clock: int) -> Struct:
        start = self.position
        info = self.byte()
        ref = info & 0x1F
        item = Struct(client, clock, ref, start)
        if ref in (GC, SKIP):
            if info != ref:
                malformed("a struct without content has flags")
            item.length = self._length()
        else:
            self._ids(item, info)
            item.body = self.position
            self._content(item)
        item.end = self.position
        return item

    def _ids(self, item: Struct, info: int) -> None:
        if info & HAS_ORIGIN:
            item.origin_client = self.uint()
            item.origin_clock = self.uint()
        if info & HAS_RIGHT:
            item.right_client = self.uint()
            item.right_clock = self.uint()
        if info & 0xC0 == 0:
            kind = self.uint()
            if kind == 1:
                item.root = self.short_text(self.limits.max_name_chars, "a root's name")
            elif kind == 0:
                item.parent_client = self.uint()
                item.parent_clock = self.uint()
            else:
                malformed("a parent is of an unknown kind")
            if info & HAS_KEY:
                item.key = self.short_text(self.limits.max_key_chars, "a key")
                if item.key == _DUNDER_PROTO and self.keep_values:
                    malformed("a key that JavaScript cannot hold")

    def _length(self) -> int:
        length = self.bounded(self.limits.max_clock, "a length")
        if length == 0:
            malformed("a struct is empty")
        return length

    def _content(self, item: Struct) -> None:
        ref = item.ref
        if ref == STRING:
            self._string(item)
        elif ref == ANY:
            self._values(item)
        elif ref == TYPE:
            self._type(item)
        elif ref == DELETED:
            item.length = self._length()
        elif ref == FORMAT:
            self.short_text(self.limits.max_key_chars, "a format's name")
            self.json_value()
        elif ref == EMBED:
            self.json_value()
        elif ref == BINARY:
            self.skip(self.uint())
        elif ref == DOC:
            malformed("documents within documents are not supported")
        elif ref == JSON:
            malformed("values as JSON text, which Yjs wrote before version 13, are not supported")
        else:
            malformed("a struct has content of an unknown kind")

    def _string(self, item: Struct) -> None:
        length = self.uint()
        if length == 0:
            malformed("a struct is empty")
        position = self.skip(length)
        raw = self.data[position : position + length]
        if raw.isascii():
            item.length = length
            return
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            malformed("a string is not UTF-8")
        item.text = text
        item.length = utf16_length(text)

    def _values(self, item: Struct) -> None:
        count = self._length()
        if count > self.end - self.position:
            malformed("the update ends early")
        item.length = count
        if not self.keep_values:
            for _ in range(count):
                self.skip_any(0)
            return
        values: list[object] = []
        plain: list[bool] = []
        for _ in range(count):
            self.plain = True
            values.append(self.any(0))
            plain.append(self.plain)
        item.values = values
        item.plain = plain

    def _type(self, item: Struct) -> None:
        kind = self.uint()
        if kind > XML_TEXT or kind == XML_HOOK:
            malformed("a type of a kind that is not supported")
        if kind == XML_ELEMENT:
            self.short_text(self.limits.max_name_chars, "a node's name")
        item.type_kind = kind


class Reading:
    """Reads an update so many structs and deletions at a time; `parsed` is whole once `advance` says so."""

    __slots__ = (
        "_client",
        "_clients_left",
        "_clock",
        "_least",
        "_max_deletes",
        "_max_structs",
        "_ranges_left",
        "_reader",
        "_sections_left",
        "_seen",
        "_structs",
        "_structs_left",
        "_total",
        "parsed",
    )

    def __init__(self, data: bytes, limits: GateLimits, *, whole: bool = False, values: bool = True) -> None:
        """Raises MalformedUpdate, as `advance` does."""
        reader = UpdateReader(data, limits, values)
        self.parsed: ParsedUpdate = ParsedUpdate(data)
        self._reader: UpdateReader = reader
        self._max_structs: int = limits.max_whole_structs if whole else limits.max_update_structs
        self._max_deletes: int = limits.max_whole_deletes if whole else limits.max_update_deletes
        self._sections_left: int = reader.uint()
        if self._sections_left * _LEAST_SECTION_BYTES > reader.end - reader.position:
            malformed("the update ends early")
        self._seen: set[int] = set()
        self._total: int = 0
        self._structs: list[Struct] = []
        self._structs_left: int = 0
        self._client: int = -1
        self._clock: int = 0
        self._clients_left: int = -1  # of the delete set, which is not begun
        self._ranges_left: int = 0
        self._least: int = 0

    def advance(self, count: int) -> bool:
        """Read about `count` more; whether that was the end."""
        while count > 0:
            if self._structs_left:
                count -= self._read_structs(count)
            elif self._sections_left:
                self._begin_section()
            elif self._ranges_left:
                count -= self._read_ranges(count)
            elif self._clients_left < 0:
                self._clients_left = self._reader.uint()
            elif self._clients_left:
                self._begin_client()
                count -= 1
            else:
                if self._reader.position != self._reader.end:
                    malformed("bytes follow the delete set")
                return True
        return False

    def _begin_section(self) -> None:
        reader = self._reader
        self._sections_left -= 1
        self._structs_left = reader.uint()
        self._total += self._structs_left
        if self._total > self._max_structs:
            malformed("the update has too many structs")
        client = self._client = reader.uint()
        if client in self._seen:
            malformed("a client id has two sections")
        self._seen.add(client)
        self._clock = reader.uint()
        section = Section(client)
        self._structs = section.structs
        self.parsed.sections.append(section)

    def _read_structs(self, most: int) -> int:
        """How many were read."""
        reader = self._reader
        client = self._client
        clock = self._clock
        structs = self._structs
        max_clock = reader.limits.max_clock
        count = min(self._structs_left, most)
        for _ in range(count):
            item = reader.struct(client, clock)
            clock += item.length
            if clock > max_clock:
                malformed("a clock is out of bounds")
            structs.append(item)
        self._clock = clock
        self._structs_left -= count
        return count

    def _begin_client(self) -> None:
        reader = self._reader
        self._clients_left -= 1
        self._client = reader.uint()
        self._ranges_left = reader.uint()
        self._least = 0
        if len(self.parsed.deletes) + self._ranges_left > self._max_deletes:
            malformed("the update deletes too many ranges")

    def _read_ranges(self, most: int) -> int:
        """How many were read."""
        reader = self._reader
        parsed = self.parsed
        max_clock = reader.limits.max_clock
        least = self._least
        count = min(self._ranges_left, most)
        for _ in range(count):
            clock = reader.uint()
            length = reader.uint()
            if length == 0 or clock + length > max_clock:
                malformed("a deletion is out of bounds")
            if clock < least:
                parsed.ascending = False
            least = clock
            parsed.deletes.append((self._client, clock, length))
        self._least = least
        self._ranges_left -= count
        return count


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _check_scalar_values(text: str) -> None:
    """A lone surrogate, escaped in JSON, is a string in JavaScript and an error in yrs."""
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        malformed("a string has half a surrogate pair")
