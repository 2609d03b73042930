"""Bytes that are no honest update: cut, changed, out of place, endless, deep, or poison to a CRDT library."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.attacks.mark import Mark, Succeeded, must_end
from tests.hostile import updates
from tests.raw_device import RawDevice
from tests.rooms.forged import collected, made_type, section, skipped, string, struct, update, value

from threadline.protocol.sync import SyncStep1
from threadline.protocol.varint import encode_text, encode_uint

ATTICS = 4


def attic() -> str:
    """A session of eve's own on the same server, where she may do what she likes to herself."""
    return f"attic-{random.randrange(ATTICS)}"


MINE = 4_000_000_000
"""Client ids of attackers begin here."""


async def gapped(mark: Mark) -> None:
    """What leans on something that never comes: nothing of it is stored."""
    async with mark.member() as eve:
        first = random.randrange(MINE, 1 << 32)
        value_at = updates.any_at("state", "/by/eve", updates.integer(1))
        for lonely in (
            update(section(first, 5, value("x", parent="state", key="/by/eve"))),
            update(section(first, 0, string("x", origin=(first + 1, 7)))),
            update(section(first, 0, skipped(3), value("x", parent="state", key="/by/eve"))),
            update(deletes={first: [(0, 5)]}),
            updates.update(first, 1 << 30, value_at),
        ):
            await eve.send_update(lonely, whole=random.random() < 0.5)
            await eve.until_answered()
        if eve.refused:
            raise AssertionError("something with a gap was refused, which honest devices send too")
    async with mark.member() as newcomer:
        if "/by/eve" in newcomer.state:
            raise Succeeded("something with a gap was taken")


async def replayed(mark: Mark) -> None:
    """Ada's own updates again, in any order: known, and without effect."""
    async with mark.member() as eve:
        captured = [bytes.fromhex(each) for each in mark.captured]
        random.shuffle(captured)
        for data in (*captured, *captured[:3]):
            await eve.send_update(data, whole=random.random() < 0.3)
        await eve.until_answered()


async def truncated(mark: Mark) -> None:
    data = bytes.fromhex(random.choice(mark.captured))
    for end in random.sample(range(1, len(data)), min(3, len(data) - 1)):
        async with mark.member() as eve:
            await eve.send_update(data[:end], whole=random.random() < 0.5)
            await must_end(eve)


def mutated_update(rng: random.Random, data: bytes) -> bytes:
    """A few bytes changed, inserted, removed or repeated."""
    out = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(out))
        kind = rng.randrange(5)
        if kind == 0:
            out[at] = rng.randrange(256)
        elif kind == 1:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            out.insert(at, rng.choice((0, 1, 0x7F, 0x80, 0xFF)))
        elif kind == 3 and len(out) > 1:
            del out[at]
        else:
            out[at:at] = out[at : at + rng.randrange(1, 9)]
    return bytes(out)


async def mutated(mark: Mark) -> None:
    """Refused, held back, known, or a harmless write of eve's own under another client id."""
    async with mark.member() as eve:
        for _ in range(20):
            if eve.document_closed is not None or eve.close_code is not None:
                return
            data = mutated_update(random.Random(), bytes.fromhex(random.choice(mark.captured)))
            await eve.send_update(data, whole=random.random() < 0.3)
        await eve.until_answered()


async def refuse_all(mark: Mark, malformed: Sequence[bytes]) -> None:
    for data in malformed:
        async with mark.member() as eve:
            await eve.send_update(data, whole=random.random() < 0.5)
            await must_end(eve)


GIANT_LENGTHS = (
    bytes.fromhex("8080808001"),
    bytes.fromhex("01012a0600f9ffffff0f00"),
    bytes.fromhex("010109ffffffffffffffff7f040101740568656c6c6f00"),
    b"\x01" + encode_uint((1 << 53) - 1) + b"\x2a\x00",
    update(section(MINE, 0, b"\x04\x01\x05state" + encode_uint(1 << 40) + b"x")),
    update(section(MINE, 0, collected((1 << 31) + 5))),
    update(section(MINE, 0, b"\x08\x01\x05state" + encode_uint(1 << 32) + b"\x7e")),
    b"\x00\x01\x2a" + encode_uint(1 << 50) + b"\x00\x01",
    b"\xff" * 64,
    updates.many_clients(3_000),
)

DEEP = (
    updates.update(MINE, 0, updates.any_at("state", "/k", updates.nested_lists(26_000))),
    updates.update(MINE, 0, updates.any_at("state", "/k", updates.nested_lists(100))),
    update(
        section(
            MINE,
            0,
            made_type(0, parent="deep"),
            *[made_type(0, parent=(MINE, clock)) for clock in range(2_000)],
        )
    ),
)

POISON = (
    updates.update(MINE, 0, updates.array_at_root("list"), updates.text_in((MINE, 0), "😀")),
    updates.update(MINE, 0, updates.text_at_root("messages", "x"), updates.array_in((MINE, 0))),
    updates.update(MINE, 0, updates.text_at_root("state", "😀")),
    updates.update(MINE, 0, updates.any_at("state", "/k", b"\x77\x03\xed\xa0\xbd")),
    updates.update(MINE, 0, updates.any_at("state", "__proto__", updates.integer(1))),
    update(section(MINE, 0, struct(9, encode_text("guid") + b"\x00", parent="state", key="/k"))),
    update(section(MINE, 0, struct(2, encode_uint(1) + encode_text("{"), parent="t"))),
    update(section(MINE, 0, made_type(5, parent="x"))),
    bytes.fromhex("01010100040101740568656c6c6f0000ff"),
)


async def arrays_in_arrays(mark: Mark) -> None:
    """Deep by many small updates, each of which is well formed."""
    client = random.randrange(MINE, 1 << 32)
    async with mark.member() as eve:
        await eve.send_update(updates.update(client, 0, updates.array_at_root("deep")))
        for clock in range(1, 200):
            if eve.document_closed is not None:
                return
            await eve.send_update(updates.update(client, clock, updates.array_in((client, clock - 1))))
        await eve.until(lambda: eve.document_closed is not None, "it became too deep")


STATE_VECTORS = (bytes.fromhex("8080808002"), b"\x01", b"\x01\x01", b"\xff" * 2_000, b"\x00\x00")


async def state_vectors(mark: Mark) -> None:
    for vector in STATE_VECTORS:
        async with mark.member() as eve:
            await eve.send(SyncStep1(vector))
            await must_end(eve)


async def many_small_strings(mark: Mark) -> None:
    """One update of thousands of strings that each follow the last: a library joins them one by one."""
    client = random.randrange(MINE, 1 << 32)
    typed = [string("x", origin=(client, clock)) for clock in range(mark.most)]
    async with mark.member(session=attic()) as eve:
        await eve.send_update(update(section(client, 0, string("x", parent="t"), *typed)))
        await eve.until_answered()


async def a_long_text_typed_on(mark: Mark) -> None:
    """Each key at the end of a long text costs a library as much as the text is long."""
    client = random.randrange(MINE, 1 << 32)
    async with mark.member(session=attic()) as eve:
        await eve.send_update(update(section(client, 0, string("x" * 900_000, parent="long"))))
        await _type_on(eve, client, 900_000)


async def _type_on(eve: RawDevice, client: int, clock: int) -> None:
    """With a value between the letters, so that they are not one string."""
    last = clock - 1
    for at in range(clock, clock + 200, 2):
        await eve.send_update(update(section(client, at, string("y", origin=(client, last)))))
        last = at
        await eve.send_update(update(section(client, at + 1, value("v", parent="state", key="/attic"))))
    await eve.until_answered()


async def crowded_places(mark: Mark) -> None:
    """Thousands of concurrent strings between the same two letters."""
    first = random.randrange(MINE, (1 << 32) - 20)
    async with mark.member(session=attic()) as eve:
        ends = (section(first, 0, string("a", parent="c"), string("z", origin=(first, 0))),)
        await eve.send_update(update(*ends))
        between = string("y", origin=(first, 0), right=(first, 1))
        for crowd in range(1, 6):
            if eve.document_closed is not None:
                return
            await eve.send_update(update(section(first + crowd, 0, *[between] * 1_500)))
        await eve.until_answered()


async def thousands_of_keys(mark: Mark) -> None:
    """A well-formed update that is as long as one may be."""
    client = random.randrange(MINE, 1 << 32)
    keys = [value("v", parent="state", key=f"/key/{number}") for number in range(mark.most)]
    async with mark.member(session=attic()) as eve:
        await eve.send_update(update(section(client, 0, *keys)))
        await eve.until_answered()
