from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest
import uvloop
from tests.edge.echo_server import PATIENCE_S, EchoServer, close_code_of, echo_server, next_message, until
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from threadline.protocol import close_codes
from threadline.protocol.limits import KIB, MIB, Limits


async def until_closed(client: ClientConnection) -> int:
    with suppress(ConnectionClosed):
        async for _ in client:
            pass
    return await close_code_of(client)


@pytest.mark.asyncio
async def test_messages_pings_and_close() -> None:
    async with echo_server() as server:
        async with server.client() as client:
            for message in (b"", b"a", b"b" * 125, b"c" * 126, b"d" * 65_536):
                await client.send(message)
                assert await next_message(client) == message
            await asyncio.wait_for(await client.ping(b"there?"), PATIENCE_S)
            await client.send([b"in ", b"three ", b"parts"])
            assert await next_message(client) == b"in three parts"
        await asyncio.wait_for(server.echoes[0].gone.wait(), PATIENCE_S)
        assert client.close_code == 1000


@pytest.mark.asyncio
async def test_nothing_is_left_of_a_closed_connection() -> None:
    async with echo_server() as server:
        async with server.client() as client:
            await client.send(b"x")
            await next_message(client)
            assert len(server.connections) == 1
        await asyncio.wait_for(server.echoes[0].gone.wait(), PATIENCE_S)
        await until(lambda: len(server.connections) == 0)
        assert server.connections.stats()["connections_closed_total"] == 1


@pytest.mark.asyncio
async def test_a_text_message_is_named_malformed() -> None:
    async with echo_server() as server, server.client() as client, server.client() as other:
        await client.send("text")
        assert await until_closed(client) == close_codes.MALFORMED.code
        assert close_codes.parse_reason(client.close_reason or "")[0] == close_codes.MALFORMED
        await other.send(b"still here")
        assert await next_message(other) == b"still here"


@pytest.mark.asyncio
async def test_oversized_messages() -> None:
    async with echo_server(Limits(max_frame_bytes=100 * KIB, max_step2_bytes=MIB)) as server:
        async with server.client() as client:
            await client.send(b"large" + bytes(200 * KIB))
            assert len(await next_message(client)) == 5 + 200 * KIB
            with suppress(ConnectionClosed):
                await client.send(bytes(200 * KIB))
            assert await until_closed(client) == close_codes.TOO_LARGE.code
        assert server.connections.stats()["large_message_bytes"] == 0


@pytest.mark.asyncio
async def test_large_messages_of_a_node_are_bounded_together() -> None:
    limits = Limits(large_frames_bytes=MIB)
    async with echo_server(limits) as server, server.client() as first, server.client() as second:
        half = Frame(Opcode.BINARY, b"large" + bytes(900 * KIB)).serialize(mask=True)[: 300 * KIB]
        first.transport.write(half)
        await until(lambda: server.connections.stats()["large_message_bytes"] > 0)
        with suppress(ConnectionClosed):
            await second.send(b"large" + bytes(900 * KIB))
        assert await until_closed(second) == close_codes.OVERLOADED.code
        first.transport.abort()
        await until(lambda: server.connections.stats()["large_message_bytes"] == 0)


@pytest.mark.asyncio
async def test_a_failure_is_an_internal_error_and_comes_back() -> None:
    async with echo_server() as server, server.client() as client:
        await client.send(b"fail")
        assert await until_closed(client) == close_codes.INTERNAL_ERROR.code


@pytest.mark.asyncio
async def test_a_turns_share_is_bounded_and_nothing_is_lost() -> None:
    async with echo_server(Limits(frames_per_turn=2)) as server, server.client() as client:
        for number in range(50):
            await client.send(number.to_bytes(2, "big"))
        received = [int.from_bytes(await next_message(client), "big") for _ in range(50)]
        assert received == list(range(50))


@pytest.mark.asyncio
async def test_who_asks_much_stands_in_line_and_nothing_is_lost() -> None:
    async with echo_server() as server, server.client() as client:
        turns = server.connections.turns
        for number in range(50):
            turns.note(turns.account_of("ada"), 10_000)
            turns.note(turns.door, 50_000_000)
            await client.send(number.to_bytes(2, "big"))
            assert int.from_bytes(await next_message(client), "big") == number
        assert turns.stats()["turns_deferred_total"] > 0
        await client.send(b"fail")
        turns.note(turns.door, 50_000_000)
        assert await until_closed(client) == close_codes.INTERNAL_ERROR.code


@pytest.mark.asyncio
async def test_who_leaves_while_it_stands_in_line_is_let_go() -> None:
    async with echo_server() as server:
        async with server.client() as client:
            turns = server.connections.turns
            turns.note(turns.account_of("ada"), 10_000)
            turns.note(turns.door, 50_000_000)
            await client.send(b"x")
            client.transport.abort()
        await until(lambda: len(server.connections) == 0)
        await until(lambda: turns.stats()["turns_waiting"] == 0)


@pytest.mark.asyncio
async def test_who_is_sent_away_from_the_line_need_not_wait_for_the_time_limit() -> None:
    async with echo_server(Limits(close_timeout_s=10 * PATIENCE_S)) as server:
        async with server.client() as client:
            turns = server.connections.turns
            turns.note(turns.account_of("ada"), 10_000)
            turns.note(turns.door, 50_000_000)
            await client.send(b"fail")
            await until(lambda: turns.stats()["turns_deferred_total"] > 0)
            assert await asyncio.wait_for(until_closed(client), PATIENCE_S) == close_codes.INTERNAL_ERROR.code
        await until(lambda: len(server.connections) == 0)


@pytest.mark.asyncio
async def test_a_fast_sender_is_paced_and_a_persistent_one_is_sent_away() -> None:
    limits = Limits(frames_per_second=200, burst_s=0.05, abuse_s=0.2)
    async with echo_server(limits) as server, server.client() as client:

        async def flood() -> None:
            with suppress(ConnectionClosed):
                while True:
                    await client.send(b"x")
                    await asyncio.sleep(0)  # sending into a buffer that has room lets nobody else run

        task = asyncio.create_task(flood())
        assert await asyncio.wait_for(until_closed(client), PATIENCE_S) == close_codes.TOO_FAST.code
        await task


@pytest.mark.asyncio
async def test_a_late_loop_is_no_break_of_a_fast_sender() -> None:
    """It is read again later than it was paused for, each time by more than the burst."""
    limits = Limits(frames_per_second=200, burst_s=0.01, abuse_s=0.2)
    async with echo_server(limits) as server, server.client() as client:

        async def flood() -> None:
            with suppress(ConnectionClosed):
                while True:
                    for _ in range(50):
                        await client.send(b"x")
                    await asyncio.sleep(0)

        async def hold_up() -> None:
            while True:
                time.sleep(0.02)  # noqa: ASYNC251 - the loop is to be late
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as tasks:
            held_up = tasks.create_task(hold_up())
            tasks.create_task(flood())
            assert await asyncio.wait_for(until_closed(client), PATIENCE_S) == close_codes.TOO_FAST.code
            held_up.cancel()


@pytest.mark.asyncio
async def test_a_slow_reader_is_told_to_the_receiver() -> None:
    async with echo_server(Limits(high_water_bytes=64 * KIB)) as server:
        server.flood = 64 * MIB
        async with server.client() as client:
            client.transport.pause_reading()
            await client.send(b"big")
            await until(lambda: bool(server.echoes) and server.echoes[0].congestion == [True])
            client.transport.resume_reading()
            assert len(await next_message(client)) == 64 * MIB
            await until(lambda: server.echoes[0].congestion == [True, False])


@pytest.mark.asyncio
async def test_heartbeats_and_silence() -> None:
    limits = Limits(heartbeat_s=10, idle_timeout_s=20)
    async with echo_server(limits) as server:
        reader, writer = await raw_socket(server)
        connection = server.taken[0]
        connection.beat(2)
        assert await reader.readexactly(2) == b"\x89\x00"
        assert await reader.readexactly(11) == b"\x82\x09heartbeat"
        connection.beat(2)
        await reader.readexactly(13)
        connection.beat(2)
        await asyncio.wait_for(server.echoes[0].gone.wait(), PATIENCE_S)
        writer.close()


@pytest.mark.asyncio
async def test_every_connection_is_visited_once_a_heartbeat() -> None:
    async with echo_server() as server, server.client() as one, server.client() as two:
        await until(lambda: len(server.connections) == 2)
        for _ in range(40):
            server.connections.beat_slice()
        assert [await next_message(one), await next_message(two)] == [b"heartbeat"] * 2


async def raw_socket(server: EchoServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A socket after its handshake, without a WebSocket library."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
    return reader, writer


@pytest.mark.asyncio
async def test_held_devices_are_not_read() -> None:
    async with echo_server() as server, server.client() as client:
        await client.send(b"1")
        await next_message(client)
        server.taken[0].hold(True)
        server.taken[0].hold(True)
        await client.send(b"2")
        async with server.client() as other:  # the loop has turned often enough to have read `2`
            await other.send(b"x")
            await next_message(other)
        assert server.echoes[0].messages == [b"1"]
        server.taken[0].hold(False)
        assert await next_message(client) == b"2"


@pytest.mark.asyncio
async def test_a_client_that_ignores_the_close_is_cut_off() -> None:
    async with echo_server(Limits(close_timeout_s=0.05)) as server:
        reader, writer = await raw_socket(server)
        server.taken[0].close_with(close_codes.FORBIDDEN, "not here")
        assert await reader.readexactly(4) == b"\x88\x15\x11\x33"
        assert await reader.readexactly(19) == b"forbidden: not here"
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
        writer.close()


@pytest.mark.asyncio
async def test_leaving_sends_everyone_away_to_come_back() -> None:
    async with echo_server() as server, server.client() as client:
        await until(lambda: len(server.connections) == 1)
        server.connections.leave_all()
        assert await until_closed(client) == close_codes.RESTARTING.code


@pytest.mark.asyncio
@pytest.mark.parametrize(("path", "status"), [("/refuse", 403), ("/crash", 500)])
async def test_a_handshake_that_is_not_accepted(path: str, status: int) -> None:
    async with echo_server() as server:
        with pytest.raises(InvalidStatus) as caught:
            async with server.client(path):
                pass
        assert caught.value.response.status_code == status


@pytest.mark.asyncio
async def test_an_accepted_handshake_that_nobody_takes_ends() -> None:
    async with echo_server() as server, server.client("/forget") as client:
        assert await until_closed(client) == 1006


@pytest.mark.asyncio
async def test_a_request_that_is_no_handshake_is_answered() -> None:
    async with echo_server() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        writer.close()


@pytest.mark.asyncio
async def test_a_half_open_client_is_let_go() -> None:
    async with echo_server() as server:
        _, writer = await raw_socket(server)
        await until(lambda: len(server.connections) == 1)
        writer.transport.abort()
        await until(lambda: len(server.connections) == 0)


def test_writing_to_a_socket_that_is_gone_is_nothing() -> None:
    """uvloop, which a node runs on, raises then; a room may write before it has heard of the end."""

    async def write_late() -> None:
        async with echo_server() as server:
            async with server.client() as client:
                await until(lambda: len(server.connections) == 1)
                client.transport.abort()
                await until(lambda: len(server.connections) == 0)
            server.taken[0].write(b"x")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(write_late())
