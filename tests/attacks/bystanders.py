"""Two honest people in one session while others attack: ada types all the time, bob reads along.

What they have at the end is known to the letter, so whatever an attacker changed is seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.attacks.impostures import EVIL
from tests.attacks.latency import Latency, latency_of
from tests.attacks.mark import PAIR, Mark
from tests.hostile import updates
from tests.raw_device import RawDevice, raw_device, until_equal
from tests.signing import token_of

from threadline.protocol.awareness import decode_awareness
from threadline.protocol.ywebsocket import AwarenessUpdate

BETWEEN_S = 0.01
SHOWN_EVERY_S = 10.0
"""As devices do, lest their presence expires."""

CALM_UPDATES = 40


class Bystanders:
    """typed:  all that ada has typed, which is the text of her message"""

    def __init__(self, url: str, ada: RawDevice, bob: RawDevice) -> None:
        self.url = url
        self.ada = ada
        self.bob = bob
        self.typed = "hello wörld 😀"
        self.message = ""
        self.reply = ""
        self._captured: list[str] = []
        self._wide = len(self.typed.encode()) - len(self.typed)
        self._sent_s: dict[int, float] = {}
        self._took_s: list[float] = []
        self._presence = 0
        self._shown_s = time.perf_counter()
        self._arrived = asyncio.Event()

    async def begin(self) -> None:
        self.ada.doc.observe(lambda event: self._captured.append(event.update.hex()))
        self.message = await self.ada.say(self.typed)
        self.reply = await self.bob.say("I read along")
        await self.ada.set("/trip/city", "Berlin")
        await self.ada.until_saved()
        await until_equal(self.ada, self.bob)
        self.bob.on_frame = self._read

    def mark(self, most: int) -> Mark:
        captured = tuple(self._captured[:3] + self._captured[-8:])
        return Mark(self.url, self.message, self.ada.doc.client_id, self.ada.clock, captured, most)

    # typing and reading along

    async def type(self) -> None:
        """One more character, on its way to bob."""
        self.typed += "x"
        self._sent_s[len(self.typed)] = time.perf_counter()
        await self.ada.type(self.message, "x")

    async def measure(self, updates: int) -> Latency:
        """What so many updates took, one after the other."""
        self._took_s.clear()
        for _ in range(updates):
            self._arrived.clear()
            await self.type()
            await asyncio.wait_for(self._arrived.wait(), 20)
            await asyncio.sleep(BETWEEN_S)
        return latency_of(self._took_s)

    @asynccontextmanager
    async def typing(self) -> AsyncIterator[list[float]]:
        """Type at a steady pace, whatever happens; the seconds that each character took."""
        self._took_s = []
        task = asyncio.create_task(self._type_on())
        try:
            yield self._took_s
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.bob.until(lambda: not self._sent_s, "all that ada typed had come")

    async def _type_on(self) -> None:
        due_s = time.perf_counter()
        while True:
            await self.type()
            if time.perf_counter() - self._shown_s > SHOWN_EVERY_S:
                await self._show()
            due_s = max(due_s + BETWEEN_S, time.perf_counter() - 1)
            await asyncio.sleep(max(0, due_s - time.perf_counter()))

    def _read(self) -> None:
        now_s = time.perf_counter()
        if not self._sent_s:
            return
        seen = len(self.bob.text_of(self.message)) - self._wide
        for length in [each for each in self._sent_s if each <= seen]:
            self._took_s.append(now_s - self._sent_s.pop(length))
            self._arrived.set()

    # presence

    async def appear(self) -> None:
        """Say again who is here, and forget the presence that was seen before."""
        self.bob.awareness.clear()
        await self._show()

    async def _show(self) -> None:
        self._presence += 1
        self._shown_s = time.perf_counter()
        state = json.dumps({"cursor": self._presence})
        entry = (self.ada.doc.client_id, self._presence, state)
        await self.ada.send(AwarenessUpdate(updates.awareness(entry)))

    def forged_presence(self) -> list[object]:
        """What bob was told of others that cannot be true."""
        wrong: list[object] = []
        for data in self.bob.awareness:
            for entry in decode_awareness(data):
                state = entry.state
                if entry.client == self.ada.doc.client_id:
                    if state is None or EVIL in state or state.get("user") != "ada":
                        wrong.append(entry)
                elif state is not None and EVIL in state and not _is_named(state):
                    wrong.append(entry)
        return wrong

    # what must be there

    def view(self, doc: Any) -> dict[str, object]:
        """All that is in the session, but for what any editor may write."""
        device = RawDevice(PAIR, "reader")
        device.doc = doc
        return {
            "messages": {key: str(device.text_of(key)) for key in device.messages.keys()},  # noqa: SIM118
            "roles": {key: device.messages[key].get("role") for key in device.messages.keys()},  # noqa: SIM118
            "authors": {key: device.messages[key].get("author") for key in device.messages.keys()},  # noqa: SIM118
            "title": device.doc.get("meta", type=type(device.messages)).get("title"),
            "runs": device.doc.get("runs", type=type(device.messages)).to_py(),
            "intents": device.doc.get("intents", type=type(device.messages)).to_py(),
        }

    def expected(self) -> dict[str, object]:
        return {
            "messages": {self.message: self.typed, self.reply: "I read along"},
            "roles": {self.message: "user", self.reply: "user"},
            "authors": {
                self.message: {"user": "ada", "device": "", "name": "ada"},
                self.reply: {"user": "bob", "device": "", "name": "bob"},
            },
            "title": None,
            "runs": {},
            "intents": {},
        }

    async def assert_untouched(self) -> None:
        """Both devices and a newcomer have what honest people wrote and no more; both are at work."""
        assert self.ada.close_code is None and self.bob.close_code is None
        assert self.ada.refused == self.bob.refused == 0
        await self.ada.until_saved()
        async with raw_device(self.url, PAIR, "ada", token=token_of("ada")) as newcomer:
            await until_equal(self.ada, self.bob, newcomer)
            self.bob.on_frame = self._read
            for device in (self.ada, self.bob, newcomer):
                assert self.view(device.doc) == self.expected()
        assert self.forged_presence() == [], self.forged_presence()


def _is_named(state: dict[str, Any]) -> bool:
    """Whether a presence of an attacker says that it is the attacker's."""
    user = state.get("user")
    who = user.get("id") if isinstance(user, dict) else user
    return who in ("eve", "victor") and state.get("name") == who and state.get("role") in ("editor", "viewer")


@asynccontextmanager
async def bystanders(url: str) -> AsyncIterator[Bystanders]:
    async with contextlib.AsyncExitStack() as stack:
        devices = [
            await stack.enter_async_context(raw_device(url, PAIR, user, token=token_of(user)))
            for user in ("ada", "bob")
        ]
        pair = Bystanders(url, *devices)
        await pair.begin()
        yield pair
