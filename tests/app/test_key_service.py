"""Master keys that a service outside keeps."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.app.conftest import device_of, guarded_node
from tests.app.key_service_outside import OutsideService, service
from tests.app.test_encryption import found_in, name_session, write_words
from tests.raw_device import RawDevice
from tests.signing import token_of

from threadline.errors import StoreError
from threadline.protocol.close_codes import STORE_UNAVAILABLE
from threadline_server.app import running_server
from threadline_server.backplane.key_service import KeyService
from threadline_server.backplane.master_keys import Wrapped
from threadline_server.settings import load
from threadline_server.startup import CouldNotStart

SERVICE = "tests.app.key_service_outside:service"


@pytest.mark.asyncio
async def test_what_is_written_is_encrypted_by_keys_that_a_service_wrapped(tmp_path: Path) -> None:
    async with guarded_node(tmp_path, encryption_service=SERVICE) as server:
        await name_session(server.url)
        await write_words(server.url)
        kept = await server.node.backplane.list_values("data_key")
        assert {value.split(b" ")[0] for value in kept.values()} == {b"outside"}
    assert found_in(tmp_path) == []
    async with (
        guarded_node(tmp_path, encryption_service=SERVICE) as server,
        device_of(server, "trip", "ada") as ada,
    ):
        assert ada.state["/food"]


@pytest.mark.asyncio
async def test_while_the_service_is_away_open_sessions_go_on_and_others_wait(tmp_path: Path) -> None:
    async with guarded_node(tmp_path, encryption_service=SERVICE) as server:
        async with device_of(server, "trip", "ada") as ada:
            service.away = True
            try:
                await ada.set("/food", "soup")
                await ada.until_saved()
                other = RawDevice("plans", "ada", token=token_of("ada"))
                await other.join(server.url)
                assert await other.until_closed() == STORE_UNAVAILABLE.code
                await other.leave()
            finally:
                service.away = False
        async with device_of(server, "plans", "ada") as ada:
            await ada.set("/drink", "tea")
            await ada.until_saved()


class Silent(OutsideService):
    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.asyncio
async def test_a_service_that_fails_or_is_silent_is_a_store_that_is_away() -> None:
    keys = KeyService(Silent(), answer_s=0.01)
    wrapped = await keys.wrap(bytes(96), b"trip")
    with pytest.raises(StoreError, match="did not answer"):
        await keys.unwrap(wrapped, b"trip")
    failing = OutsideService()
    failing.away = True
    with pytest.raises(StoreError, match="failed: ConnectionRefusedError"):
        await KeyService(failing).wrap(bytes(96), b"trip")


@pytest.mark.asyncio
async def test_what_is_no_service_is_refused(tmp_path: Path) -> None:
    settings = load({"port": 0, "data": tmp_path, "encryption_service": "base64:b64encode"}, {})
    with pytest.raises(CouldNotStart, match="Wrapping"):
        async with running_server(settings):
            pass
