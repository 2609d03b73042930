"""Whatever is lost, repeated, reordered or restarted: all replicas end with the same content, and nothing
that was acknowledged is missing.

`ROOM_CASES` sets how many random histories are tried, `ROOM_STEPS` how long each is.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.rooms.devices import EMPTY, Device, PlainEncoder, assert_converged
from tests.rooms.houses import TRIP, House, until

from threadline.document.session_document import SessionDocument
from threadline.protocol.close_codes import RESTARTING
from threadline_server.rooms.options import RoomOptions

CASES = int(os.environ.get("ROOM_CASES", "25"))
STEPS = int(os.environ.get("ROOM_STEPS", "40"))

WORDS = st.sampled_from(["a", "hello ", "😀", "é", "wörld", "\n", "𝔘𝔫𝔦", "  "])
CLIENT_IDS = (1, 200, 70_000, (1 << 32) - 1, (1 << 53) - 2)
WHICH = st.integers(0, 4)
KEYS = st.sampled_from("abc")
VALUES = st.one_of(st.integers(0, 9), st.lists(st.integers(0, 3), max_size=3))
PLACE = st.floats(0, 1)


class Unreliable(Device):
    """A device whose updates wait in an outbox until the network delivers them, in whatever order."""

    def __init__(self, number: int, client_id: int) -> None:
        encoder = PlainEncoder(f"dialect{number % 2}", greets=number % 2 == 1)
        super().__init__(f"user{number % 3}", encoder=encoder, client_id=client_id)
        self._ids = itertools.count()
        self.session = SessionDocument(self.doc, suffix=lambda: f"{number}{next(self._ids):04}1")
        self.outbox: list[bytes] = []

    def new_id(self) -> str:
        return f"{self.actor.user}/{self.doc.client_id}-{next(self._ids)}"

    def put(self) -> None:
        """What was written since the last time becomes one update."""
        update = self.doc.get_update(self._known)
        self._known = self.doc.get_state()
        if update != EMPTY:
            self.outbox.append(update)

    def _apply(self, update: bytes) -> None:
        self.put()
        self.doc.apply_update(update)
        self._known = self.doc.get_state()


class Conversation(RuleBasedStateMachine):
    """Devices come and go, the network misbehaves, rooms unload, the node restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        options = RoomOptions(compact_turns=15, compact_on_unload_turns=3)
        self.house = House(Path(self.directory.name), options)
        self.devices: list[Unreliable] = []
        self.run(self.house.open())
        self.run(self.house.create())

    def run(self, work: object) -> object:
        assert asyncio.iscoroutine(work)
        return self.runner.run(work)

    @initialize(client_ids=st.permutations(CLIENT_IDS))
    def two_are_there(self, client_ids: list[int]) -> None:
        """Concurrent edits are ordered by client ids, so their order matters."""
        self.devices = [Unreliable(number, client) for number, client in enumerate(client_ids)]
        self.connect(0, False)
        self.connect(1, False)

    def _online(self) -> bool:
        return any(device.room is not None for device in self.devices)

    # what people do

    @rule(which=WHICH, text=WORDS)
    def write_a_message(self, which: int, text: str) -> None:
        device = self.devices[which]
        device.write_message(text)
        device.put()

    @rule(which=WHICH, text=WORDS, place=PLACE)
    def type_into_the_draft(self, which: int, text: str, place: float) -> None:
        """A root outside the schema, which everyone may edit anywhere."""
        device = self.devices[which]
        draft = device.pad
        draft.insert(self._boundary(str(draft), place), text)
        device.put()

    @rule(which=WHICH, place=PLACE, size=PLACE)
    def delete_from_the_draft(self, which: int, place: float, size: float) -> None:
        device = self.devices[which]
        draft = device.pad
        text = str(draft)
        start = self._boundary(text, place)
        end = max(start, self._boundary(text, min(1.0, place + size / 3)))
        if end > start:
            del draft[start:end]
            device.put()

    @rule(which=WHICH, key=KEYS, value=VALUES)
    def set_a_key(self, which: int, key: str, value: object) -> None:
        device = self.devices[which]
        device.session.state.set(key, value)
        device.put()

    @rule(which=WHICH, key=KEYS)
    def delete_a_key(self, which: int, key: str) -> None:
        device = self.devices[which]
        device.session.state.delete(key)
        device.put()

    @rule(which=WHICH)
    def count(self, which: int) -> None:
        device = self.devices[which]
        device.session.counters.add("views", 1)
        device.put()

    @staticmethod
    def _boundary(text: str, place: float) -> int:
        """A byte offset between two characters, as pycrdt counts."""
        return len(text[: round(place * len(text))].encode())

    # what the network does

    @precondition(lambda self: self._online())
    @rule(which=WHICH, place=PLACE, again=st.booleans())
    def deliver(self, which: int, place: float, again: bool) -> None:
        device = self.devices[which]
        if device.room is None or not device.outbox:
            return
        at = round(place * (len(device.outbox) - 1))
        update = device.outbox[at] if again else device.outbox.pop(at)
        self.run(self._send(device, update))

    @rule(which=WHICH)
    def deliver_all(self, which: int) -> None:
        self.run(self._send_all(self.devices[which]))

    @rule(which=WHICH, place=PLACE)
    def lose(self, which: int, place: float) -> None:
        device = self.devices[which]
        if device.outbox:
            device.outbox.pop(round(place * (len(device.outbox) - 1)))

    @rule(which=WHICH, elsewhere=st.booleans())
    def connect(self, which: int, elsewhere: bool) -> None:
        device = self.devices[which]
        if device.room is None:
            self.run(self._join(device, elsewhere=elsewhere))

    @rule(which=WHICH)
    def change_nodes(self, which: int) -> None:
        """In one moment: the other node has not heard of what was just sent."""
        device = self.devices[which]
        if device.room is not None:
            self.run(self._move(device))

    @rule(which=WHICH)
    def disconnect(self, which: int) -> None:
        self.run(self._leave(self.devices[which]))

    @rule(which=WHICH, congested=st.booleans())
    def congest(self, which: int, congested: bool) -> None:
        device = self.devices[which]
        device.congested = congested
        if not congested and device.room is not None:
            device.room.drained(device)

    async def _send(self, device: Unreliable, update: bytes) -> None:
        device.send(update)

    async def _join(self, device: Unreliable, *, elsewhere: bool = False) -> None:
        device.congested = False
        room = await self.house.other_room() if elsewhere else await self.house.room()
        device.join(room)

    async def _move(self, device: Unreliable) -> None:
        other, here = await self.house.other_room(), await self.house.room()
        await self._send_all(device)
        target = here if device.room is other else other
        device.leave()
        device.congested = False
        device.join(target)

    async def _send_all(self, device: Unreliable) -> None:
        outbox, device.outbox = device.outbox, []
        for update in outbox:
            device.send(update)

    async def _leave(self, device: Unreliable) -> None:
        device.leave()

    # what the node does

    @rule()
    def let_the_loop_turn(self) -> None:
        self.run(self._settle())

    @rule()
    def restart(self) -> None:
        self.run(self.house.reopen())

    @rule()
    def unload(self) -> None:
        self.run(self._unload())

    async def _settle(self) -> None:
        for room in (await self.house.room(), await self.house.other_room()):
            await until(lambda room=room: room.log.tail.durable and room.interlude is None)  # type: ignore[misc]

    async def _unload(self) -> None:
        for device in self.devices:
            if device.room is not None and device.room is not self.house.other.get(TRIP):
                device.leave()
        await self.house.unload(await self.house.room())

    # what must hold

    def teardown(self) -> None:
        try:
            self.run(self._check())
        finally:
            self.run(self.house.shut())
            self.runner.close()
            self.directory.cleanup()

    async def _check(self) -> None:
        ends = {device.closed[0] for device in self.devices if device.closed}
        assert ends <= {RESTARTING.code}
        for device in self.devices:
            device.outbox = []
            device.leave()
            await self._join(device)
        await self._settle()
        for device in self.devices:
            device.sync()
        await self._settle()
        assert_converged(*self.devices)
        assert {device.pad_text for device in self.devices} == {self.devices[0].pad_text}
        assert [device.unsaved for device in self.devices if not device.encoder.greets] == [0, 0, 0]
        await self.house.reopen()
        stored = SessionDocument((await self.house.rooms.open(TRIP)).document())
        assert stored.digest() == self.devices[0].session.digest()
        assert all(message.seq for message in stored.messages)
        assert self.house.reports == []


TestConversation = Conversation.TestCase
TestConversation.settings = settings(
    max_examples=CASES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_what_follows_from_an_overwritten_value_comes_before_it() -> None:
    """The second count's update, delivered first, deletes a value whose replacement is still to come."""
    conversation = Conversation()
    conversation.two_are_there(client_ids=CLIENT_IDS)
    conversation.count(which=0)
    conversation.count(which=0)
    conversation.deliver(which=0, place=0.0, again=False)
    conversation.deliver(which=0, place=1.0, again=False)
    conversation.teardown()
