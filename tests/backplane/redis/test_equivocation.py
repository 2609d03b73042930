"""Different structs under one client id on two nodes, in any order: the log takes one, both nodes see it."""

from __future__ import annotations

import random

import pytest
from tests.backplane.redis.conftest import Nodes
from tests.contract.writing import Outcome, Reader, Writer, a_document, eventually

from threadline_server.backplane.base import StaleRange

pytestmark = pytest.mark.redis

ROUNDS = 300
FULL_ROUNDS = 1_000


@pytest.mark.asyncio
async def test_nodes_are_equal_after_every_interleaving(nodes: Nodes, full: bool) -> None:
    rounds = FULL_ROUNDS if full else ROUNDS
    chance = random.Random(3)
    a, b = await nodes.start("a"), await nodes.start("b")
    document = (await a_document(a)).document
    readers = [Reader().follow(node, document) for node in (a, b)]
    clock = accepted = refused = 0
    for number in range(rounds):
        outcomes: list[tuple[Outcome, int]] = []
        for node in chance.sample((a, b), 2):
            forged = Writer(node, document, clock=clock, epoch=f"epoch-{node.node}-{number}")
            length = chance.randint(1, 3)
            outcomes.append((forged.begin(forged.turn(f"{node.node}'s", length=length)), length))
            if chance.random() < 0.5:
                await outcomes[-1][0].end()
        for outcome, length in outcomes:
            await outcome.end()
            if outcome.refusal is None:
                accepted += 1
                clock += length
            else:
                assert isinstance(outcome.refusal, StaleRange)
                refused += 1
    assert (accepted, refused) == (rounds, rounds)
    await eventually(lambda: all(len(reader.turns) == rounds for reader in readers))
    assert readers[0].turns == readers[1].turns
    assert (await a.load(document)).tail == (await b.load(document)).tail
