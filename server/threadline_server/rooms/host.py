"""What a room needs of the node it lives on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pycrdt import Doc

from threadline.changed import Changed
from threadline.document.judgement import RuleBook
from threadline_server.backplane.base import Backplane, DocumentName
from threadline_server.rooms.options import RoomOptions
from threadline_server.rooms.turns import Turns
from threadline_server.rooms.verdict import Created
from threadline_server.telemetry.histogram import LATENCIES_S, SIZES, Histogram
from threadline_server.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from threadline_server.rooms.room import Room


@dataclass(slots=True)
class Counts:
    """Since the start, of all rooms of this node."""

    updates: int = 0
    bytes: int = 0
    known: int = 0
    gaps: int = 0
    refused: int = 0
    outgrown: int = 0
    malformed: int = 0
    turns: int = 0
    foreign_turns: int = 0
    writes: int = 0
    fell_behind: int = 0
    caught_up: int = 0
    recoveries: int = 0
    second_looks: int = 0
    long_hearings: int = 0
    presence_delayed: int = 0
    compactions: int = 0
    compaction_failures: int = 0
    loads: int = 0
    load_failures: int = 0
    unloads: int = 0
    failures: int = 0
    flushes: int = 0
    joins_encoded: int = 0
    joins_cached: int = 0


def _unflushed(room: Room) -> None:
    """Nobody hands over the turns of this node yet."""


def _latencies() -> Histogram:
    return Histogram(LATENCIES_S)


def _sizes() -> Histogram:
    return Histogram(SIZES)


@dataclass(slots=True)
class Timings:
    """Of one turn of each flush, which stands for the others.

    flush_turns:         turns that one flush handed over, of as many rooms
    append_seconds:      from there until the log has taken it
    acknowledge_seconds: until it is durable and its senders are told
    """

    flush_turns: Histogram = field(default_factory=_sizes)
    append_seconds: Histogram = field(default_factory=_latencies)
    acknowledge_seconds: Histogram = field(default_factory=_latencies)


@dataclass(slots=True)
class Host:
    """One per node, shared by its rooms.

    rules:       the write rules of a document
    spawn:       run something for a room that outlives the call, within the node's task group
    long:        the tail of this room's log asks for a new base
    closed:      the room serves nobody any more
    report:      log a failure with the document it befell
    progress:    notified when something of a closed room became durable
    on_created:  entries that devices created are taken by the log (a hint for runs)
    mark_dirty:  flush this room at the end of the loop turn, or in line where that is whence it was dirtied;
                 set by who does so
    turns:       who has the loop next
    encoding:    held by who has a child process encode a document, lest there be many of them
    waiting:     entries of a document that are still there for somebody to act on; `on_created` hears of them
                 again in every round, since who was told may have died with the news
    pause_bytes, max_session_bytes: those of the options, which every update asks for
    """

    backplane: Backplane
    options: RoomOptions
    rules: Callable[[DocumentName], RuleBook]
    now_ms: Callable[[], int]
    now_s: Callable[[], float]
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    long: Callable[[Room], None]
    closed: Callable[[Room], None]
    report: Callable[[str, DocumentName, BaseException], None]
    on_created: Callable[[DocumentName, Created], None]
    waiting: Callable[[DocumentName, Doc[Any]], Created]
    pause_bytes: int = field(init=False)
    max_session_bytes: int = field(init=False)
    mark_dirty: Callable[[Room], None] = _unflushed
    progress: Changed = field(default_factory=Changed)
    turns: Turns = field(default_factory=Turns)
    encoding: asyncio.Lock = field(default_factory=asyncio.Lock)
    counts: Counts = field(default_factory=Counts)
    timings: Timings = field(default_factory=Timings)
    tracing: Tracing | None = None

    def __post_init__(self) -> None:
        self.pause_bytes = self.options.pause_bytes
        self.max_session_bytes = self.options.max_session_bytes
