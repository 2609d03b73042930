"""The Hocuspocus dialect on a real node: order, queueing, several documents, and what ends what."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.edge.echo_server import until
from tests.edge.sync_server import SyncServer, sync_server
from tests.edge.test_ywebsocket import UPDATE
from tests.edge.wire_client import hocuspocus_wire

from threadline.protocol import close_codes
from threadline.protocol.close_codes import parse_reason
from threadline.protocol.hocuspocus import (
    PING_FRAME,
    Authenticate,
    Authenticated,
    CloseDocument,
    Scope,
    Stateless,
    SyncStatus,
)
from threadline.protocol.limits import Limits
from threadline.protocol.notices import Hello, decode_note
from threadline.protocol.sync import EMPTY_UPDATE, SyncStep1, SyncStep2, Update
from threadline.protocol.ywebsocket import AwarenessUpdate, PermissionDenied, QueryAwareness

NOTHING = SyncStep1(b"\x00")


@pytest.mark.asyncio
async def test_the_captured_order(server: SyncServer) -> None:
    async with hocuspocus_wire(server) as wire:
        await wire.say("d2", Authenticate("tok", "4.8.0"))
        await wire.say("d2", NOTHING)
        assert await wire.hear("d2") == Authenticated(Scope.READ_WRITE)
        hello = await wire.hear("d2")
        assert isinstance(hello, Stateless)
        note = decode_note(hello.payload)
        assert isinstance(note, Hello)
        assert (note.session, note.user, note.role) == ("d2", "tok", "owner")
        assert isinstance(await wire.hear("d2"), SyncStep1)
        assert isinstance(await wire.hear("d2"), SyncStep2)
        await wire.say("d2", SyncStep2(EMPTY_UPDATE))
        assert await wire.hear("d2") == SyncStatus(True)
        await wire.say("d2", Update(UPDATE))
        assert await wire.hear_kind(SyncStatus) == SyncStatus(True)
        await wire.say("d2", Update(UPDATE))
        assert await wire.hear("d2") == SyncStatus(True), "what is known already is acknowledged too"
        await wire.say("d2", CloseDocument())
        assert await wire.hear("d2") == CloseDocument("provider_initiated")
        assert await wire.is_alive()


@pytest.mark.asyncio
async def test_frames_before_the_token_wait_for_it(server: SyncServer) -> None:
    async with hocuspocus_wire(server) as wire:
        await wire.say("d2", Update(UPDATE))
        await wire.say("d2", NOTHING)
        await wire.say("d2", Authenticate("ada"))
        assert isinstance(await wire.hear_kind(SyncStep2), SyncStep2)
        await wire.say("d2", SyncStep2(EMPTY_UPDATE))
        assert await wire.hear_kind(SyncStatus) == SyncStatus(True)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("limits", "addresses", "close"),
    [
        (Limits(max_pending_frames=3), "aaaa", close_codes.NOT_AUTHENTICATED),
        (Limits(max_pending_bytes=100), "abcdef", close_codes.NOT_AUTHENTICATED),
        (Limits(max_pending_documents=3), "abcd", close_codes.TOO_MANY_DOCUMENTS),
    ],
)
async def test_what_may_wait_is_bounded(
    tmp_path: Path, limits: Limits, addresses: str, close: close_codes.CloseCode
) -> None:
    async with sync_server(tmp_path, limits=limits) as server, hocuspocus_wire(server) as wire:
        for address in addresses:
            await wire.say(address, Update(UPDATE))
        assert (await wire.until_closed())[0] == close.code


@pytest.mark.asyncio
async def test_large_messages_before_the_token_are_refused(server: SyncServer) -> None:
    async with hocuspocus_wire(server) as wire:
        await wire.say("d2", Update(bytes(70_000)))
        code, reason = await wire.until_closed()
        assert (code, parse_reason(reason)[0]) == (4413, close_codes.TOO_LARGE)


@pytest.mark.asyncio
async def test_documents_of_a_socket_are_bounded(tmp_path: Path) -> None:
    async with (
        sync_server(tmp_path, limits=Limits(max_documents_per_socket=2)) as server,
        hocuspocus_wire(server) as wire,
    ):
        await wire.enter("a", "ada")
        await wire.enter("b", "ada")
        await wire.say("c", Authenticate("ada"))
        assert (await wire.until_closed())[0] == close_codes.TOO_MANY_DOCUMENTS.code


@pytest.mark.asyncio
@pytest.mark.parametrize("silent", [True, False])
async def test_a_token_must_come_in_time(tmp_path: Path, silent: bool) -> None:
    async with (
        sync_server(tmp_path, limits=Limits(authentication_deadline_s=0.05)) as server,
        hocuspocus_wire(server) as wire,
    ):
        if not silent:
            await wire.say("d2", NOTHING)
        assert (await wire.until_closed())[0] == close_codes.AUTHENTICATION_TIMEOUT.code


@pytest.mark.asyncio
async def test_an_open_document_outlives_the_deadline(tmp_path: Path) -> None:
    async with (
        sync_server(tmp_path, limits=Limits(authentication_deadline_s=1.0)) as server,
        hocuspocus_wire(server) as wire,
    ):
        await wire.enter("d2", "ada")
        async with hocuspocus_wire(server) as idle:
            await idle.until_closed()
        assert await wire.is_alive()


@pytest.mark.asyncio
async def test_a_denied_document_can_be_tried_again(server: SyncServer) -> None:
    async with hocuspocus_wire(server) as wire:
        assert parse_reason(await wire.denied("d2", "agent:x"))[0] == close_codes.UNAUTHORIZED
        await wire.say("d2", Update(UPDATE))  # a stock provider goes on; nobody reads it
        await wire.enter("d2", "ada")
        await wire.say("d2", NOTHING)
        answer = await wire.hear_kind(SyncStep2)
        assert isinstance(answer, SyncStep2)
        assert b"\x28\x01\x01m\x01k" not in answer.update


@pytest.mark.asyncio
async def test_denied_tokens_are_bounded(tmp_path: Path) -> None:
    async with (
        sync_server(tmp_path, limits=Limits(max_denials=3)) as server,
        hocuspocus_wire(server) as wire,
    ):
        for _ in range(2):
            await wire.denied("d2", "agent:x")
        await wire.say("d2", Authenticate("agent:x"))
        assert (await wire.until_closed())[0] == close_codes.UNAUTHORIZED.code


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("address", "token", "close"),
    [
        ("a b", "ada", close_codes.INVALID_NAME),
        ("d2~bob", "ada", close_codes.FORBIDDEN),
        ("d2", "ada lineage=other", close_codes.LINEAGE_MISMATCH),
        ("d2", "ada lovelace", close_codes.MALFORMED),
        ("d2", "ada admin=1", close_codes.MALFORMED),
    ],
)
async def test_why_a_document_is_denied(
    server: SyncServer, address: str, token: str, close: close_codes.CloseCode
) -> None:
    async with hocuspocus_wire(server) as wire:
        assert parse_reason(await wire.denied(address, token))[0] == close
        assert await wire.is_alive()


@pytest.mark.asyncio
async def test_documents_of_one_socket_do_not_mix(server: SyncServer) -> None:
    async with hocuspocus_wire(server) as wire, hocuspocus_wire(server) as other:
        for address in ("a", "b", "a\0mine"):
            await wire.enter(address, "ada")
            await wire.say(address, NOTHING)
            assert isinstance(await wire.hear_kind(SyncStep2), SyncStep2)
        await other.enter("a", "bob")
        await other.say("a", NOTHING)
        await other.hear_kind(SyncStep2)
        await other.say("a", Update(UPDATE))
        assert {await wire.hear_update(UPDATE), await wire.hear_update(UPDATE)} == {"a", "a\0mine"}
        await wire.say("b", QueryAwareness())
        assert await wire.hear_kind(AwarenessUpdate) == AwarenessUpdate(b"\x00")


@pytest.mark.asyncio
async def test_a_refusal_ends_the_document_and_not_the_socket(server: SyncServer) -> None:
    forged = bytes.fromhex("01010900280104 6d657461 06 736368656d61 01 7d 05 00".replace(" ", ""))
    async with hocuspocus_wire(server) as wire:
        await wire.enter("a", "ada")
        await wire.enter("b", "ada")
        await wire.say("a", NOTHING)
        await wire.hear_kind(SyncStep2)
        await wire.say("a", Update(forged))
        assert await wire.hear("a") == SyncStatus(False)
        closed = await wire.hear("a")
        assert isinstance(closed, CloseDocument)
        close, detail = parse_reason(closed.reason or "")
        assert close == close_codes.REPLICA_REJECTED
        assert detail.startswith("meta/schema: ")
        await wire.say("a", Update(UPDATE))
        await wire.say("b", QueryAwareness())
        assert await wire.hear("b") == AwarenessUpdate(b"\x00")


@pytest.mark.asyncio
async def test_a_fresh_token_of_the_same_user(server: SyncServer) -> None:
    async with hocuspocus_wire(server) as wire:
        await wire.enter("d2", "ada")
        await wire.say("d2", Authenticate("ada device=phone"))
        assert await wire.hear("d2") == Authenticated(Scope.READ_WRITE)
        await wire.say("d2", Authenticate("bob"))
        denied = await wire.hear("d2")
        assert isinstance(denied, PermissionDenied)
        assert parse_reason(denied.reason)[0] == close_codes.FORBIDDEN


@pytest.mark.asyncio
async def test_the_token_of_the_address_serves_a_provider_without_one(server: SyncServer) -> None:
    async with hocuspocus_wire(server, "?token=ada") as wire:
        await wire.say("d2", Authenticate(""))
        await wire.hear("d2")
        hello = await wire.hear("d2")
        assert isinstance(hello, Stateless)
        assert '"user":"ada"' in hello.payload


@pytest.mark.asyncio
async def test_only_providers_that_announced_a_version_are_pinged(server: SyncServer) -> None:
    async with hocuspocus_wire(server) as old, hocuspocus_wire(server) as new:
        await old.enter("d2", "ada", version=None)
        await new.enter("d2", "bob")
        for _ in range(40):
            server.connections.beat_slice()
        assert await new.receive() == PING_FRAME
        assert await old.hear("d2") == AwarenessUpdate(b"\x00")


@pytest.mark.asyncio
async def test_what_is_no_frame_for_clients_ends_the_socket(server: SyncServer) -> None:
    for frame in (b"\x02d2\x04\x00\x01\x00", b"\x02d2\x06\x01a", b"\x02d2\x08\x01", b"\x00\x00\x01\x00"):
        async with hocuspocus_wire(server) as wire:
            await wire.enter("d2", "ada")
            await wire.send(frame)
            code, reason = await wire.until_closed()
            assert (code, parse_reason(reason)[0]) == (4400, close_codes.MALFORMED)


@pytest.mark.asyncio
async def test_stateless_messages_of_applications_are_left_aside(server: SyncServer) -> None:
    async with hocuspocus_wire(server) as wire:
        await wire.enter("d2", "ada")
        await wire.say("d2", Stateless('{"mine": 1}'))
        assert await wire.is_alive()


@pytest.mark.asyncio
async def test_a_socket_that_goes_while_it_is_let_in(server: SyncServer) -> None:
    for _ in range(20):
        async with hocuspocus_wire(server) as wire:
            await wire.say("d2", Authenticate("ada"))
            wire.socket.transport.abort()
    await until(lambda: len(server.connections) == 0)
    async with hocuspocus_wire(server) as wire, asyncio.timeout(10):
        await wire.enter("d2", "ada")
