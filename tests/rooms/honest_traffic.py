"""Real Yjs writes, the gate judges, pycrdt gets what the gate gives; then all of them must say the same."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rooms.open_rules import OpenRules
from tests.rooms.said import document_of, said

from threadline.actors import Actor, Role
from threadline_server.rooms.gate import Gate
from threadline_server.rooms.item_index import GONE, KIND_MASK, NO_KEY

NODE = Path(__file__).parent.parent / "node"


def fuzz_cases(default: int) -> int:
    """Cases per scenario: a few in the usual run, as many as `THREADLINE_FUZZ_CASES` says in a long one."""
    return int(os.environ.get("THREADLINE_FUZZ_CASES", default))


Place = tuple[int, int, int, str | list[int], str | None, bool]
"""Client id, clock, length; the root or the item that it is in; its key; whether it is deleted."""


@dataclass
class Case:
    seed: int
    messages: list[tuple[str, bool, bytes]]
    view: dict[str, object]
    order: list[list[int]]
    places: list[Place]


@dataclass
class Passed:
    """What came of one case: `stored` is what the log would have."""

    gate: Gate
    stored: list[tuple[str, bytes]] = field(default_factory=list)
    verbatim: int = 0
    gaps: int = 0

    @property
    def updates(self) -> list[bytes]:
        return [update for _, update in self.stored]


class Traffic:
    """The Node process that plays the devices of one scenario."""

    def __init__(self, scenario: str, first_seed: int, cases: int) -> None:
        command = ["node", str(NODE / "gate_traffic.mjs"), scenario, str(first_seed), str(cases)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Traffic:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def cases(self) -> Iterator[Case]:
        """Each case; the one before it must have been answered."""
        assert self._process.stdout is not None
        for text in self._process.stdout:
            line: dict[str, Any] = json.loads(text)
            if "done" in line:
                return
            assert "failed" not in line, line
            messages = [(user, whole, base64.b64decode(update)) for user, whole, update in line["messages"]]
            yield Case(line["seed"], messages, line["view"], line["order"], line["places"])
        raise AssertionError("node ended early")

    def answer(self, stored: list[bytes], snapshot: bytes) -> None:
        assert self._process.stdin is not None
        texts = [base64.b64encode(update).decode() for update in stored]
        line = {"stored": texts, "snapshot": base64.b64encode(snapshot).decode()}
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()


def pass_through(case: Case, rules: OpenRules) -> Passed:
    """Everything the case sends, through a new gate. What is refused raises."""
    passed = Passed(Gate(rules))
    actors = {user: Actor(user, Role.EDITOR) for user, _, _ in case.messages}
    for user, whole, update in case.messages:
        verdict = passed.gate.admit(update, actors[user], whole=whole)
        passed.gaps += verdict.gap
        if verdict.update is not None:
            passed.stored.append((user, verdict.update))
            passed.verbatim += verdict.update == update
    return passed


def assert_alike(case: Case, passed: Passed) -> bytes:
    """Fed by the gate, pycrdt says what Yjs says, live and after a reload. Gives back its snapshot."""
    live = document_of(*passed.updates)
    assert said(live) == case.view, case.seed
    snapshot = live.get_update()
    assert said(document_of(snapshot)) == case.view, case.seed
    assert passed.gate.list_order("t") == case.order, case.seed
    for place in case.places:
        assert_placed(passed.gate, place, case.seed)
    return snapshot


def assert_placed(gate: Gate, place: Place, seed: int) -> None:
    """The index has each unit of an item where Yjs has it, and as deleted only where Yjs does."""
    client, first, length, within, key, deleted = place
    index = gate._made().index
    runs = index.by_id[client]
    for clock in range(first, first + length):
        row = runs.row_at(clock)
        if runs.metas[row] & KIND_MASK == GONE:
            assert deleted, (seed, place)
            continue
        type_id = runs.parents[row]
        if index.is_root(type_id):
            assert index.root_name(type_id) == within, (seed, place)
        else:
            around = index.clients[index.type_clients[type_id]].client
            assert [around, index.type_clocks[type_id]] == within, (seed, place)
        key_id = index.key_at(runs, row, clock)
        assert (None if key_id == NO_KEY else index.keys.text(key_id)) == key, (seed, place)
        assert deleted or not runs.is_dead(clock), (seed, place)


def assert_remembered(passed: Passed, snapshot: bytes, rules: OpenRules) -> None:
    """The gate knows all of it; so does one that was stored, or built again from the log or the snapshot."""
    eve = Actor("eve", Role.EDITOR)
    loaded = Gate.load(passed.gate.dump(), rules)
    from_log = Gate(rules)
    for user, update in passed.stored:
        from_log.trust(update, user)
    followed = Gate(rules)
    for user, update in passed.stored:
        assert followed.follow(update, user), update.hex()
    assert followed.dump() == from_log.dump()
    from_snapshot = Gate(rules)
    from_snapshot.trust(snapshot, "ada")
    for gate in (passed.gate, loaded, from_log, from_snapshot):
        again = gate.admit(snapshot, eve, whole=True)
        assert again.update is None and not again.gap
        assert sorted(gate.clocks().items()) == sorted(passed.gate.clocks().items())
    assert loaded.dump() == passed.gate.dump()
