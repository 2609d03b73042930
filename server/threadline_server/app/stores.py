"""The store that settings ask for, sealed where they have keys."""

from __future__ import annotations

import secrets
import socket

from threadline.errors import ConfigurationError
from threadline_server.agent_loading import load_agent
from threadline_server.backplane.base import Backplane, Durability, NodeId
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.backplane.embedded.reader import EmbeddedReader
from threadline_server.backplane.key_service import KeyService, is_wrapping
from threadline_server.backplane.master_keys import Wrapping, parse_master_keys, read_master_keys
from threadline_server.backplane.objects import open_objects
from threadline_server.backplane.redis import RedisBackplane
from threadline_server.backplane.sealed import SealedBackplane
from threadline_server.settings import Settings
from threadline_server.startup import CouldNotStart


def build_backplane(settings: Settings, *, read_only: bool = False) -> Backplane:
    """The store, not open yet; one that is only read may be in use by a node. Raises CouldNotStart."""
    if read_only and settings.redis is None:
        store: Backplane = EmbeddedReader(settings.data)
    else:
        store = _build_store(settings)
    try:
        wrapping = _wrapping(settings)
    except ConfigurationError as error:
        raise CouldNotStart(error.message) from error
    return store if wrapping is None else SealedBackplane(store, wrapping)


def _wrapping(settings: Settings) -> Wrapping | None:
    if settings.encryption_keys is not None:
        return parse_master_keys(settings.encryption_keys.get_secret_value(), "--encryption-keys")
    if settings.encryption_keys_file is not None:
        return read_master_keys(settings.encryption_keys_file)
    if settings.encryption_service is not None:
        return _service(settings.encryption_service)
    return None


def _service(path: str) -> KeyService:
    found = load_agent(path, "--encryption-service")
    if not is_wrapping(found):
        raise CouldNotStart(
            f"--encryption-service {path}: it must have a text `current` and coroutines `wrap` and `unwrap`, "
            "as threadline_server.backplane.master_keys.Wrapping says."
        )
    return KeyService(found)


def _build_store(settings: Settings) -> EmbeddedBackplane | RedisBackplane:
    if settings.redis is None:
        return EmbeddedBackplane(settings.data)
    least = None if settings.durability is None else Durability(settings.durability)
    try:
        return RedisBackplane(
            settings.redis,
            node=_new_node_id(),
            least=least,
            objects=None if settings.objects is None else open_objects(settings.objects),
            start_s=settings.start_timeout_s,
        )
    except ConfigurationError as error:
        raise CouldNotStart(error.message) from error


def _new_node_id() -> NodeId:
    """One per start: what a node of the same host wrote before it was killed is another's."""
    return NodeId(f"{socket.gethostname()[:32]}-{secrets.token_hex(4)}")
