"""An encrypted offline store: nothing that people wrote is plain in its files; without its key it is shut."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from tests.client.conftest import PATIENCE_S, Place, until

from threadline.errors import ConfigurationError, StoreError
from threadline.offline_file import Batch, OfflineFile, SetAside
from threadline.offline_key import KEY_BYTES, Sealed, read_key

KEY = bytes(range(KEY_BYTES))
SECRETS = (b"Grand Hotel Adlon", b"a quiet room", b"half a draft")


def files_of(store: Path) -> bytes:
    """Everything in the store's directory: the database with its write-ahead log."""
    return b"".join(path.read_bytes() for path in sorted(store.parent.iterdir()))


@pytest.mark.asyncio
async def test_a_session_comes_back_and_its_files_hold_no_plain_text(place: Place) -> None:
    await place.start()
    store = place.path / "device" / "ada.sqlite"
    async with place.connect("ada", store=store, store_key=KEY) as client:
        session = await client.open("trip")
        session["hotel"] = "Grand Hotel Adlon"
        session.draft.text = "half a draft"
        await session.send("a quiet room")
        await session.saved(PATIENCE_S)
        assert not any(secret in files_of(store) for secret in SECRETS)
    await place.stop()
    assert not any(secret in files_of(store) for secret in SECRETS)
    async with place.connect("ada", store=store, store_key=KEY) as client:
        session = await client.open("trip")
        assert session["hotel"] == "Grand Hotel Adlon"
        await until(session, lambda: session.draft.text == "half a draft")


@pytest.mark.asyncio
async def test_without_its_key_a_store_does_not_open(tmp_path: Path, place: Place) -> None:
    store = tmp_path / "ada.sqlite"
    OfflineFile(store, KEY).close()
    for wrong, says in ((None, "give its key"), (os.urandom(KEY_BYTES), "another key")):
        with pytest.raises(ConfigurationError, match=says):
            OfflineFile(store, wrong)
        with pytest.raises(ConfigurationError, match=says):
            async with place.connect("ada", store=store, store_key=wrong):
                pass
    OfflineFile(store, KEY).close()


def test_a_store_that_was_plain_is_sealed_when_it_gets_a_key(tmp_path: Path) -> None:
    store = tmp_path / "device" / "ada.sqlite"
    aside = SetAside("trip", "L1", "replica_rejected", "said: a quiet room", b"Grand Hotel Adlon" * 500)
    plain = OfflineFile(store)
    plain.write({"other": Batch(updates=[b"half a draft" * 1000])})
    plain.set_aside(aside)
    assert all(secret in files_of(store) for secret in SECRETS)
    plain.close()
    sealed = OfflineFile(store, KEY)
    assert not any(secret in files_of(store) for secret in SECRETS)
    copy = sealed.load("other")
    assert copy is not None
    assert copy.updates == (b"half a draft" * 1000,)
    assert sealed.list_set_aside() == [aside]
    sealed.set_aside(aside)
    assert sealed.list_set_aside() == [aside, aside]
    sealed.close()
    assert not any(secret in files_of(store) for secret in SECRETS)


def test_values_are_bound_to_their_place() -> None:
    sealing = Sealed(KEY, b"salt" * 4)
    sealed = sealing.seal(b"secret", "trip")
    assert sealing.unseal(sealed, "trip") == b"secret"
    assert sealing.seal(b"secret", "trip") != sealed
    for forged, at in ((sealed, "other"), (sealed[:-1] + b"x", "trip"), (sealed[:5], "trip"), (b"", "trip")):
        with pytest.raises(StoreError):
            sealing.unseal(forged, at)
    with pytest.raises(StoreError):
        Sealed(KEY, b"pepper" * 4).unseal(sealed, "trip")


def test_a_key_is_given_as_bytes_or_as_a_file(tmp_path: Path) -> None:
    assert read_key(KEY) == KEY
    file = tmp_path / "key"
    for line in (base64.b64encode(KEY).decode(), f"k1 {base64.b64encode(KEY).decode()}\n"):
        file.write_text(line)
        assert read_key(file) == read_key(str(file)) == KEY
    for bad in ("", "short", "k1 not/base64!", base64.b64encode(b"too few").decode()):
        file.write_text(bad)
        with pytest.raises(ConfigurationError) as caught:
            read_key(file)
        assert not bad or bad not in caught.value.message
    for unusable in (b"too few", tmp_path / "missing"):
        with pytest.raises(ConfigurationError):
            read_key(unusable)
