"""Copies of a store with one bit changed, and what a node makes of them.

Whatever is served must be what was written. A session may be refused by name, and so may the whole store.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.rooms.devices import Device
from tests.rooms.houses import House, until

from threadline.document.companion import CompanionDocument
from threadline.errors import SessionNotFound, ThreadlineError
from threadline.ids import SessionId, split_document_name
from threadline_server.backplane.base import Backplane, DocumentName, SessionRecord
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.rooms.compaction import compact
from threadline_server.rooms.options import RoomOptions
from threadline_server.rooms.registry import Rooms

SESSIONS = ("trip", "shop", "work")
NAMES = tuple(DocumentName(name) for name in (*SESSIONS, "trip~ada"))
MESSAGES = 12

Content = dict[str, str]
"""The canonical digest of each document, by name."""


@dataclass(slots=True)
class Outcome:
    """untouched: everything was served as it was written
    refused:   something was refused by name, the rest served as it was written
    wrong:     what was served is not what was written, by how it came to be
    """

    untouched: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        refused = ", ".join(f"{code} {count}" for code, count in self.refused.most_common())
        return (
            f"untouched {self.untouched}; refused {self.refused.total()} ({refused}); wrong {len(self.wrong)}"
        )


async def write_sessions(rooms: Rooms, backplane: Backplane) -> None:
    """Some sessions with a base, a long tail, and a companion."""
    for session in SESSIONS:
        await backplane.create_session(SessionRecord(SessionId(session), f"lineage-{session}", "ada", 1, 1))
    for name in NAMES:
        device = Device().join(await rooms.open(name))
        for number in range(MESSAGES):
            await _write(device, name, number)
            if number == MESSAGES // 2:
                await compact(await rooms.open(name))
        device.leave()


async def _write(device: Device, name: DocumentName, number: int) -> None:
    if split_document_name(name)[1] is None:
        device.say(f"message {number} of {name}")
    else:
        CompanionDocument(device.doc).draft.text = f"draft {number}"
        device.flush()
    await until(lambda: device.unsaved == 0)


async def write_store(directory: Path, crash_copy: Path | None = None) -> None:
    """Into a new directory; with `crash_copy`, what `kill -9` would have left is copied there."""
    async with House(directory) as house:
        await write_sessions(house.rooms, house.backplane)
        if crash_copy is not None:
            shutil.copytree(directory, crash_copy)


async def read_store(directory: Path) -> Content:
    """As a node would serve it. Raises ThreadlineError where it does not start."""
    backplane = EmbeddedBackplane(directory)
    await backplane.open()
    try:
        return await read_sessions(backplane)
    finally:
        await backplane.close()


async def read_sessions(backplane: Backplane) -> Content:
    """What devices are given, or the code of the refusal."""
    content: Content = {}
    async with Rooms(backplane, RoomOptions(load_timeout_s=5.0)) as rooms:
        for name in NAMES:
            try:
                content[name] = await _read(rooms, backplane, name)
            except ThreadlineError as error:
                content[name] = f"refused: {error.code}"
    return content


async def _read(rooms: Rooms, backplane: Backplane, name: DocumentName) -> str:
    session = split_document_name(name)[0]
    try:
        record = await backplane.get_session(session)
    except SessionNotFound:  # the first device to come makes it again
        record = await backplane.create_session(SessionRecord(session, "lineage-new", "ada", 1, 1))
    assert (record.owner, record.members) == ("ada", {})
    device = Device("ada").join(await rooms.open(name))
    is_companion = split_document_name(name)[1] is not None
    digest = CompanionDocument(device.doc).digest() if is_companion else device.session.digest()
    device.leave()
    return digest


def flip(data: bytearray, chance: random.Random) -> str:
    """Change one bit; which."""
    bit = chance.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    return f"bit {bit % 8} of byte {bit // 8}"


def judge(outcome: Outcome, whole: Content, found: Content, how: str) -> None:
    wrong = {
        name: value
        for name, value in found.items()
        if value != whole[name] and not value.startswith("refused: ")
    }
    if wrong:
        outcome.wrong.append(f"{how}: {sorted(wrong)}")
    elif found == whole:
        outcome.untouched += 1
    else:
        code = next(value for value in found.values() if value.startswith("refused: "))
        outcome.refused[code.removeprefix("refused: ")] += 1


async def flip_often(
    times: int, whole: Content, chance: random.Random, one: Callable[[random.Random], Awaitable[Case]]
) -> Outcome:
    """`one` makes a copy with a bit changed and reads it."""
    outcome = Outcome()
    for _ in range(times):
        case = await one(chance)
        if case.content is None:
            outcome.refused[f"start: {case.code}"] += 1
        else:
            judge(outcome, whole, case.content, case.how)
    return outcome


@dataclass(frozen=True, slots=True)
class Case:
    """`content` is None where the store as a whole was refused."""

    how: str
    content: Content | None
    code: str = ""


async def flip_file(source: Path, name: str, scratch: Path, chance: random.Random) -> Case:
    """A copy of the store with a bit of one file changed."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(source, scratch)
    path = scratch / name
    data = bytearray(path.read_bytes())
    how = f"{name}, {flip(data, chance)}"
    path.write_bytes(data)
    try:
        return Case(how, await read_store(scratch))
    except ThreadlineError as error:
        return Case(how, None, error.code)
