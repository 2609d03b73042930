"""Sends changed frames and made-up updates from many connections, in a process of its own.

Reads a `Fuzz` as JSON from its input; prints one line of JSON with what was sent and what came of it.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass

from tests.attacks.attackers import yield_to_honest_people
from tests.attacks.bare_device import BareDevice, masked
from tests.attacks.broken_updates import mutated_update
from tests.attacks.mark import EDITOR
from tests.hostile import updates
from tests.rooms.hostile_traffic import forged
from tests.signing import token_of

from threadline.protocol.varint import encode_bytes

MUTATED, FORGED, CHANGED, NOISE = "mutated updates", "forged updates", "changed messages", "noise"
SHARES = {MUTATED: 50, FORGED: 30, CHANGED: 15, NOISE: 5}


@dataclass(frozen=True, slots=True)
class Fuzz:
    """bases:  by session, the updates that honest devices wrote, in hex
    clocks:  by session, the clocks of those
    """

    url: str
    seed: int
    frames: int
    connections: int
    bases: dict[str, list[str]]
    clocks: dict[str, dict[int, int]]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Fuzz:
        fields = json.loads(text)
        clocks = {
            session: {int(client): clock for client, clock in known.items()}
            for session, known in fields["clocks"].items()
        }
        return cls(**fields | {"clocks": clocks})


class Fuzzer:
    """One connection. `hers` are the client ids under which it makes things up."""

    def __init__(self, fuzz: Fuzz, number: int) -> None:
        self.random = random.Random(f"{fuzz.seed} {number}")
        names = sorted(fuzz.bases)
        session = names[number % len(names)]
        self._base = [bytes.fromhex(each) for each in fuzz.bases[session]]
        self._clocks = fuzz.clocks[session]
        self._device = BareDevice(fuzz.url, session, token_of(EDITOR))
        self.tolls = Counter[str]()

    async def run(self, frames: int) -> None:
        makers: dict[str, Callable[[], bytes]] = {
            MUTATED: self._mutated,
            FORGED: self._forged,
            CHANGED: self._changed,
        }
        for kind in self.random.choices(list(SHARES), list(SHARES.values()), k=frames):
            await self._device.enter()
            if not self._device.open:
                self.tolls["not let in"] += 1
                continue
            self.tolls[kind] += 1
            if kind == NOISE:
                await self._noise()
            else:
                await self._send(makers[kind]())
        self._device.leave()

    async def _send(self, message: bytes) -> None:
        known = self._device.acknowledged
        await self._device.send(message)
        if self._device.acknowledged > known:
            self.tolls["acknowledged"] += 1
        elif not self._device.open:
            self.tolls["refused"] += 1

    def _mutated(self) -> bytes:
        """An honest update under a client id of hers, so that it is new, then changed."""
        return self._update(mutated_update(self.random, self._as_hers(self.random.choice(self._base))))

    def _as_hers(self, data: bytes) -> bytes:
        """The first section under another client id: what no longer fits is part of the game."""
        if self.random.random() < 0.3 or data[0] != 1 or len(data) < 12:
            return data
        position = 2
        while data[position] >= 0x80:
            position += 1
        return data[:2] + bytes((self.random.randrange(1, 128),)) + data[position + 1 :]

    def _forged(self) -> bytes:
        return self._update(forged(self.random, self._clocks, (self.random.getrandbits(32),)))

    def _update(self, data: bytes) -> bytes:
        return bytes((0, self.random.choice((1, 2, 2, 2)))) + encode_bytes(data)

    def _changed(self) -> bytes:
        """A message of any kind that is nearly right."""
        rng = self.random
        client = rng.choice((*self._clocks, rng.getrandbits(32)))
        state = rng.choice(('{"evil":true}', "null", "[1]", '{"user":{"id":"ada"},"evil":1}'))
        whole = (
            b"\x00\x00" + encode_bytes(rng.choice((b"\x00", rng.randbytes(9), b"\x01\x05\x07"))),
            b"\x01" + encode_bytes(updates.awareness((client, rng.getrandbits(20), state))),
            b"\x03",
            b"\x05" + encode_bytes(b'{"type":"notice"}'),
            b"\x08\x01",
            self._update(rng.choice(self._base)),
        )
        message = rng.choice(whole)
        return mutated_update(rng, message) if rng.random() < 0.7 else message

    async def _noise(self) -> None:
        """Bytes where a frame should begin; the socket is given up then."""
        rng = self.random
        frame = masked(rng.randbytes(rng.randrange(1, 60)), rng.choice((0x82, 0x81, 0x02, 0x89, 0xC2, 0x8F)))
        await self._device.send_raw(mutated_update(rng, frame) if rng.random() < 0.5 else frame)
        self._device.leave()


async def fuzz(fuzz: Fuzz) -> dict[str, object]:
    fuzzers = [Fuzzer(fuzz, number) for number in range(fuzz.connections)]
    began_s = time.perf_counter()
    share, rest = divmod(fuzz.frames, fuzz.connections)
    await asyncio.gather(*(each.run(share + (number < rest)) for number, each in enumerate(fuzzers)))
    tolls = sum((each.tolls for each in fuzzers), Counter[str]())
    return {"seconds": time.perf_counter() - began_s, "tolls": dict(tolls)}


def main() -> None:
    yield_to_honest_people()
    print(flush=True)
    told = Fuzz.from_json(sys.stdin.readline())
    print(json.dumps(asyncio.run(fuzz(told))), flush=True)
    sys.stdin.read()  # that a process ends keeps its core busy for some milliseconds


if __name__ == "__main__":
    main()
