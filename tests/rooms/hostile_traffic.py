"""Hostile sessions: `python -m tests.rooms.hostile_traffic KIND FIRST_SEED CASES`, in a process that may be
lost.

Two honest devices write with pycrdt; a third sends what they sent, changed (`mutated`), or structs made up
from ids that exist (`forged`). Whatever the gate accepts goes to a pycrdt document, which must neither raise
nor hang, say the same after a reload, and say what Yjs says. One line is printed for each case that went
well.
"""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText
from tests.rooms.forged import collected, section, skipped, struct, update
from tests.rooms.honest_traffic import NODE
from tests.rooms.open_rules import OpenRules
from tests.rooms.said import document_of, said, unformatted

from threadline.actors import Actor, Role
from threadline.document.judgement import Content, Path
from threadline.errors import ProtocolError, Refused
from threadline.protocol.sync import EMPTY_UPDATE
from threadline.protocol.varint import encode_text, encode_uint
from threadline_server.rooms.gate import Gate

HONEST = (Actor("ada", Role.EDITOR), Actor("bob", Role.EDITOR))
EVE = Actor("eve", Role.EDITOR)
HERS = (66, 5, 4_000_000_000)


class MoodyRules(OpenRules):
    """Now and then eve is refused something."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.random = rng

    def judge(self, actor: Actor, client: int, path: Path, content: Content) -> str | None:
        return "Not now." if actor is EVE and self.random.random() < 0.05 else None


class Session:
    """`stored` is what the gate gave, `sent` what the honest devices sent."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.gate = Gate(MoodyRules(self.random))
        self.gate.admit(EMPTY_UPDATE, EVE)  # so that her name is known
        self.live: Doc[Any] = document_of()
        self.stored: list[bytes] = []
        self.sent: list[bytes] = []
        self.accepted = 0

    def admit(self, data: bytes, actor: Actor) -> None:
        before = self.gate.dump()
        try:
            self.take(data, actor)
        except (ProtocolError, Refused):
            assert self.gate.dump() == before, "a refused update left something behind"

    def take(self, data: bytes, actor: Actor) -> bool:
        """Whether the gate let through all of it."""
        verdict = self.gate.admit(data, actor)
        if verdict.update is not None:
            self.stored.append(verdict.update)
            self.live.apply_update(verdict.update)
            self.accepted += 1
        return not verdict.gap

    def honest(self, steps: int) -> None:
        """Two devices that edit and now and then tell each other."""
        devices: list[Doc[Any]] = [
            document_of(*self.stored, client_id=self.random.getrandbits(32)) for _ in HONEST
        ]
        news: list[list[bytes]] = [[] for _ in devices]
        kept = [
            device.observe(lambda event, at=at: news[at].append(event.update))
            for at, device in enumerate(devices)
        ]
        for _ in range(steps):
            edit(self.random, self.random.choice(devices))
            if self.random.random() < 0.2:
                self.exchange(devices, news)
        self.exchange(devices, news)
        del kept

    def exchange(self, devices: list[Doc[Any]], news: list[list[bytes]]) -> None:
        batches = [list(each) for each in news]
        for at, batch in enumerate(batches):
            for data in batch:
                self.sent.append(data)
                assert self.take(data, HONEST[at]), "an honest update has a gap"
                devices[1 - at].apply_update(data)
        for each in news:
            each.clear()


def edit(rng: random.Random, document: Doc[Any]) -> None:
    what = rng.randrange(5)
    if what <= 1:
        text: Text = document.get("t", type=Text)
        content = str(text)
        if len(text) != len(content.encode()):
            return  # embeds count, and are not in the string: its offsets mean nothing
        at = len(content[: rng.randrange(len(content) + 1)].encode())
        if len(text) > 8 and rng.random() < 0.3:
            rest = content.encode()[at:].decode()[:2]
            del text[at : at + len(rest.encode())]
        else:
            text.insert(at, rng.choice(("abc", "👍", "x", "é")), rng.choice((None, {"bold": True})))
    elif what == 2:
        made: Any = rng.choice((1, "v", {"k": [1]}, Map({"in": Text("side"), "n": 1}), Array([1, 2])))
        document.get("m", type=Map)[rng.choice("abc")] = made
    elif what == 3:
        array: Array[Any] = document.get("a", type=Array)
        if len(array) > 3 and rng.random() < 0.4:
            del array[rng.randrange(len(array))]
        else:
            array.insert(rng.randrange(len(array) + 1), rng.choice((1, "x", Map({"k": 1}), Text("deep"))))
    else:
        fragment: XmlFragment = document.get("x", type=XmlFragment)
        fragment.children.insert(
            rng.randrange(len(fragment.children) + 1),
            rng.choice((XmlText("words"), XmlElement("p", {"a": "b"}, [XmlText("text")]))),
        )


def mutated(rng: random.Random, data: bytes) -> bytes:
    """A few bytes changed, inserted, removed or doubled."""
    out = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(out))
        what = rng.randrange(5)
        if what == 0:
            out[at] = rng.randrange(256)
        elif what == 1:
            out[at] ^= 1 << rng.randrange(8)
        elif what == 2:
            out.insert(at, rng.randrange(256))
        elif what == 3 and len(out) > 1:
            del out[at]
        else:
            out[at] = max(0, min(255, out[at] + rng.choice((-1, 1))))
    return bytes(out)


def forged(rng: random.Random, clocks: dict[int, int], hers: Sequence[int] = HERS) -> bytes:
    """One to three structs of a client id of hers, most with ids that exist, and sometimes a deletion."""
    client = rng.choice(hers)
    clock = clocks.get(client, 0)
    structs: list[bytes] = []
    for _ in range(rng.randrange(1, 4)):
        item = _forged_struct(rng, clocks, client, clock)
        structs.append(item[0])
        clock += item[1]
    deletes: dict[int, list[tuple[int, int]]] = {}
    if rng.random() < 0.3 and clocks:
        victim = rng.choice(list(clocks))
        if clocks[victim]:
            start = rng.randrange(clocks[victim])
            deletes[victim] = [(start, rng.randrange(1, min(5, clocks[victim] - start) + 1))]
    return update(section(client, clocks.get(client, 0), *structs), deletes=deletes)


def _forged_struct(rng: random.Random, clocks: dict[int, int], client: int, clock: int) -> tuple[bytes, int]:
    def known() -> tuple[int, int]:
        if clock and rng.random() < 0.3:
            return client, rng.randrange(clock)
        known_clients = [each for each in clocks if clocks[each]]
        if not known_clients:
            return client, clock
        chosen = rng.choice(known_clients)
        return chosen, rng.randrange(clocks[chosen])

    what = rng.random()
    if what < 0.08:
        length = rng.randrange(1, 4)
        return (collected(length), length) if rng.random() < 0.8 else (skipped(length), length)
    ref, content, length = _forged_content(rng)
    origin = known() if rng.random() < 0.6 else None
    right = known() if rng.random() < 0.5 else None
    if origin is not None and rng.random() < 0.4:
        right = (origin[0], origin[1] + rng.randrange(1, 3))
    parent: Any = rng.choice(("t", "m", "a", "x", "r")) if rng.random() < 0.6 else known()
    key = rng.choice("abk") if rng.random() < 0.3 else None
    if origin is not None or right is not None:
        parent = None
    return struct(ref, content, parent=parent, key=key, origin=origin, right=right), length


def _forged_content(rng: random.Random) -> tuple[int, bytes, int]:
    length = rng.randrange(1, 4)
    contents: tuple[tuple[int, bytes, int], ...] = (
        (1, encode_uint(length), length),
        (2, encode_uint(length) + encode_text("[1]") * length, length),
        (3, encode_uint(2) + b"\x00\xff", 1),
        (4, encode_text("xyz"), 3),
        (4, encode_text("a👍"), 3),
        (5, encode_text('{"image":1}'), 1),
        (6, encode_text("bold") + encode_text(rng.choice(("true", "null"))), 1),
        (7, encode_uint(rng.choice((0, 1, 2, 4, 6))), 1),
        (7, encode_uint(3) + encode_text("p"), 1),
        (7, encode_uint(5) + encode_text("hook"), 1),
        (8, encode_uint(length) + b"\x7d\x01" * length, length),
        (8, b"\x01\x75\x02\x7e\x78", 1),
        (8, b"\x01\x7b\x7f\xf8\x00\x00\x00\x00\x00\x00", 1),
    )
    return rng.choice(contents)


def play(kind: str, seed: int) -> Session:
    session = Session(seed)
    rng = session.random
    for _ in range(3):
        session.honest(rng.randrange(5, 25))
        for _ in range(rng.randrange(5, 30)):
            if kind == "forged":
                session.admit(forged(rng, session.gate.clocks()), EVE)
            else:
                session.admit(mutated(rng, rng.choice(session.sent)), rng.choice((*HONEST, EVE)))
    return session


class Yjs:
    """What Yjs says of the same bytes."""

    def __init__(self) -> None:
        command = ["node", str(NODE / "gate_check.mjs")]
        self._node = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def says(self, stored: list[bytes], snapshot: bytes) -> dict[str, Any]:
        assert self._node.stdin is not None and self._node.stdout is not None
        texts = [base64.b64encode(each).decode() for each in stored]
        line = {"stored": texts, "snapshot": base64.b64encode(snapshot).decode()}
        self._node.stdin.write(json.dumps(line) + "\n")
        self._node.stdin.flush()
        answer: dict[str, Any] = json.loads(self._node.stdout.readline())
        return answer

    def close(self) -> None:
        assert self._node.stdin is not None and self._node.stdout is not None
        self._node.stdin.close()
        self._node.stdout.close()
        self._node.wait()


def check(kind: str, seed: int, yjs: Yjs) -> int:
    """How many updates were accepted. Raises AssertionError with what differs."""
    session = play(kind, seed)
    live = _json(said(session.live))
    snapshot = session.live.get_update()
    assert _json(said(document_of(*session.stored))) == live, f"{seed}: the log says something else"
    assert _json(said(document_of(snapshot))) == live, f"{seed}: the snapshot says something else"
    again = session.gate.admit(snapshot, EVE, whole=True)
    assert not again.ranges and not again.gap, f"{seed}: the gate does not know what it gave"
    answer = yjs.says(session.stored, snapshot)
    assert "failed" not in answer, f"{seed}: {answer}"
    assert unformatted(_json(answer["stored"])) == unformatted(live), f"{seed}: Yjs reads the log otherwise"
    assert _json(answer["snapshot"]) == live, f"{seed}: Yjs reads the snapshot otherwise"
    return session.accepted


def _json(view: object) -> object:
    """Without what JSON cannot say: Yjs sends null for it."""
    text = json.dumps(view)
    return json.loads(text.replace("NaN", "null"), parse_int=_number)


def _number(digits: str) -> float:
    """JavaScript writes all the digits of some large floats."""
    value = int(digits)
    return value if abs(value) < 1 << 53 else float(digits)


def main() -> None:
    kind, first, cases = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    yjs = Yjs()
    for seed in range(first, first + cases):
        print(json.dumps({"begins": seed}), flush=True)
        print(json.dumps({"seed": seed, "accepted": check(kind, seed, yjs)}), flush=True)
    yjs.close()


if __name__ == "__main__":
    main()
