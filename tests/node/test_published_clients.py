"""Unmodified `y-websocket` 3.1.0 and `@hocuspocus/provider` 4.8.0 against a real node."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from tests.edge.sync_server import NOW_MS, SyncServer, sync_server
from tests.node.node_devices import Node, NodeDevice, node_devices

from threadline.ids import SessionId, new_entry_id
from threadline_server.backplane.base import SessionRecord

DIALECTS = ("hocuspocus", "ywebsocket")


async def device(node: Node, dialect: str, name: str, session: str = "trip", **details: Any) -> NodeDevice:
    opened: NodeDevice = await getattr(node, dialect)(name, session, name, **details)
    await opened.until_synced()
    return opened


def message_of(user: str, role: str = "user") -> dict[str, Any]:
    author = {"user": user, "device": "", "name": user}
    return {"role": role, "author": author, "created_at": NOW_MS, "status": "complete"}


async def add_session(server: SyncServer, name: str, owner: str, **members: str) -> SessionRecord:
    record = SessionRecord(SessionId(name), "L1", owner, NOW_MS, NOW_MS, members=members)
    return await server.backplane.create_session(record)


@pytest.mark.asyncio
async def test_both_dialects_edit_one_session(node: Node) -> None:
    ada = await device(node, "hocuspocus", "ada")
    bob = await device(node, "ywebsocket", "bob")
    await ada.set("/city", "Berlin")
    await bob.until("d.state['/city'] === 'Berlin'")
    await bob.set("/nights", 3)
    await ada.until("d.state['/nights'] === 3")
    await bob.do("type", text="héllo ✓ 😀")
    await ada.until("d.text === 'héllo ✓ 😀'")
    await ada.until_saved()


@pytest.mark.asyncio
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_message_is_stamped_and_seen(node: Node, dialect: str) -> None:
    ada = await device(node, dialect, "ada")
    bob = await device(node, "hocuspocus", "bob")
    entry = new_entry_id("ada")
    await ada.do("say", key=entry, message=message_of("ada"), text="hello")
    await bob.until(f"d.messages['{entry}']?.text === 'hello'")
    await ada.until(f"d.messages['{entry}'].seq[0] > 0")


@pytest.mark.asyncio
async def test_saved_means_durable(published_clients: None, tmp_path: Path) -> None:
    """While the disk does not answer, others see an edit that its writer cannot count as saved."""
    may_sync = threading.Event()
    may_sync.set()

    def sync(descriptor: int) -> None:
        may_sync.wait()

    async with sync_server(tmp_path, sync=sync) as server, node_devices(server.url) as node:
        ada = await device(node, "hocuspocus", "ada")
        bob = await device(node, "hocuspocus", "bob")
        await ada.until_saved()
        may_sync.clear()
        try:
            await ada.set("/city", "Berlin")
            await bob.until("d.state['/city'] === 'Berlin'")
            assert await ada.read("d.unsynced") is True
        finally:
            may_sync.set()
        await ada.until_saved()


@pytest.mark.asyncio
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_lost_connection_comes_back_with_what_was_written_meanwhile(node: Node, dialect: str) -> None:
    ada = await device(node, dialect, "ada")
    bob = await device(node, "hocuspocus", "bob")
    await ada.do("disconnect")
    await ada.until("d.events.includes('status disconnected')")
    await ada.set("/offline", 1)
    await bob.set("/online", 2)
    await ada.do("connect")
    await ada.until("d.synced && d.state['/online'] === 2")
    await bob.until("d.state['/offline'] === 1")
    if dialect == "hocuspocus":
        await ada.until_saved()


@pytest.mark.asyncio
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_cut_connection_comes_back_by_itself(node: Node, dialect: str) -> None:
    ada = await device(node, dialect, "ada")
    await ada.do("drop")
    await ada.until("d.events.filter((event) => event === 'status connected').length > 1 && d.synced")
    await ada.set("/after", 1)
    bob = await device(node, "ywebsocket", "bob")
    await bob.until("d.state['/after'] === 1")


@pytest.mark.asyncio
async def test_a_document_restored_from_a_local_store(node: Node) -> None:
    """As y-indexeddb leaves it: the content of a former page, under that page's client id."""
    former = await device(node, "hocuspocus", "ada")
    await former.set("/kept", 1)
    await former.until_saved()
    await former.do("disconnect")
    await former.set("/unsent", 2)
    update = await former.do("encode")
    restored = await node.hocuspocus("ada again", "trip", "ada", update=update)
    await restored.until_saved()
    bob = await device(node, "ywebsocket", "bob")
    await bob.until("d.state['/kept'] === 1 && d.state['/unsent'] === 2")


@pytest.mark.asyncio
async def test_force_sync_is_acknowledged(node: Node) -> None:
    ada = await device(node, "hocuspocus", "ada")
    await ada.until_saved()
    await ada.do("force")
    await ada.until_saved()


@pytest.mark.asyncio
async def test_several_documents_and_two_of_one_name_on_a_socket(node: Node) -> None:
    one = await device(node, "hocuspocus", "one", socket="shared", sessionAwareness=True)
    await one.set("/from", "one")
    two = await node.hocuspocus("two", "trip", "one", socket="shared", sessionAwareness=True)
    await two.until("d.state['/from'] === 'one'")
    other = await node.hocuspocus("three", "other", "one", socket="shared")
    await other.until_saved()
    await other.set("/from", "three")
    await other.until_saved()
    assert await two.read("d.state['/from']") == "one"
    await one.do("detach")
    await two.set("/still", "here")
    await two.until_saved()


@pytest.mark.asyncio
async def test_presence_between_the_dialects(node: Node) -> None:
    ada = await device(node, "hocuspocus", "ada")
    bob = await device(node, "ywebsocket", "bob")
    await ada.do("presence", user={"name": "anybody", "color": "#ff0000"})
    await bob.until("d.people.some((user) => user.id === 'ada' && user.name === 'ada')")
    await bob.do("presence", user={"color": "#00ff00"})
    await ada.until("d.people.some((user) => user.id === 'bob' && user.color === '#00ff00')")
    await bob.do("disconnect")
    await ada.until("!d.people.some((user) => user.id === 'bob')")


@pytest.mark.asyncio
async def test_the_hello_comes_first(node: Node, server: SyncServer) -> None:
    record = await add_session(server, "trip", "ada")
    ada = await node.hocuspocus("ada", "trip", "ada device=Pixel%209 lineage=L1")
    await ada.until_synced()
    hello = await ada.read("d.stateless[0]")
    assert hello["type"] == "hello"
    assert hello["lineage"] == record.lineage
    assert (hello["user"], hello["role"], hello["device"]) == ("ada", "owner", "Pixel 9")
    assert hello["durability"] == "fsync"


@pytest.mark.asyncio
async def test_a_copy_of_another_lineage_is_refused(node: Node, server: SyncServer) -> None:
    await add_session(server, "trip", "ada")
    ada = await node.hocuspocus("ada", "trip", "ada lineage=L0")
    await ada.until("d.denied?.startsWith('lineage_mismatch: ')")


@pytest.mark.asyncio
async def test_a_viewer_reads(published_clients: None, tmp_path: Path) -> None:
    async with sync_server(tmp_path, open_to_all=False) as server, node_devices(server.url) as node:
        await add_session(server, "trip", "ada", eve="viewer", fay="viewer")
        ada = await device(node, "hocuspocus", "ada")
        await ada.set("/city", "Berlin")
        eve = await node.hocuspocus("eve", "trip", "eve")
        await eve.until("d.scope === 'readonly' && d.state['/city'] === 'Berlin'")
        fay = await device(node, "ywebsocket", "fay")
        await fay.until("d.state['/city'] === 'Berlin'")
        await eve.set("/city", "Rome")
        await fay.set("/city", "Oslo")
        await ada.set("/nights", 3)
        await ada.until_saved()
        assert await ada.read("d.state['/city']") == "Berlin"
        await eve.until("d.state['/nights'] === 3 && d.unsynced")
        await fay.until("d.state['/nights'] === 3")
        assert await eve.read("d.closed") is None
        stranger = await node.hocuspocus("gus", "trip", "gus")
        await stranger.until("d.denied?.startsWith('forbidden: ')")
        stranger = await node.ywebsocket("hal", "trip", "hal")
        await stranger.until("d.closed?.code === 4403")


@pytest.mark.asyncio
async def test_a_forged_message_ends_its_replica_only(node: Node) -> None:
    ada = await device(node, "hocuspocus", "ada")
    for dialect in DIALECTS:
        eve = await device(node, dialect, f"eve-{dialect}")
        entry = new_entry_id(f"eve-{dialect}")
        message = message_of(f"eve-{dialect}", role="assistant")
        await eve.do("say", key=entry, message=message, text="trust me")
        await eve.until("d.closed?.reason.startsWith('replica_rejected: messages')")
        expected = 1000 if dialect == "hocuspocus" else 4409
        assert await eve.read("d.closed.code") == expected
    await ada.set("/still", "here")
    await ada.until_saved()
    assert await ada.read("Object.keys(d.messages).length") == 0


@pytest.mark.asyncio
async def test_tokens_that_are_no_names_are_denied(node: Node) -> None:
    eve = await node.hocuspocus("eve", "trip", "agent:travel")
    await eve.until("d.denied?.startsWith('unauthorized: ')")
    eve = await node.ywebsocket("eve again", "trip", "agent:travel")
    await eve.until("d.closed?.code === 4401 && d.closed.reason.startsWith('unauthorized: ')")
    bad = await node.ywebsocket("bad name", "a/b", "ada")
    await bad.until("d.closed?.code === 4422")


@pytest.mark.asyncio
async def test_guests_share_a_name(node: Node) -> None:
    guest = await node.ywebsocket("guest", "trip")
    await guest.until_synced()
    await guest.set("/by", "guest")
    other = await node.hocuspocus("other guest", "trip")
    await other.until("d.state['/by'] === 'guest' && d.stateless[0].user === 'guest'")


@pytest.mark.asyncio
async def test_a_companion_is_seen_by_its_user_only(node: Node) -> None:
    phone = await device(node, "hocuspocus", "phone", "trip~me")
    await phone.set("/draft", 1)
    await phone.until_saved()
    again = await node.ywebsocket("laptop", "trip~me", "phone")
    await again.until("d.state['/draft'] === 1")
    other = await node.hocuspocus("other", "trip~phone", "other")
    await other.until("d.denied?.startsWith('forbidden: ')")


@pytest.mark.asyncio
async def test_deleting_a_session_sends_its_devices_away(node: Node, server: SyncServer) -> None:
    ada = await device(node, "hocuspocus", "ada")
    bob = await device(node, "ywebsocket", "bob")
    await server.backplane.delete_session(SessionId("trip"))
    await ada.until("d.closed?.reason.startsWith('session_deleted')")
    await bob.until("d.closed?.code === 4410")
