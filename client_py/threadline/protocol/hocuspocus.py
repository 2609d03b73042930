"""The Hocuspocus dialect, version 4: several documents on one socket.

Every frame is `varString(address) varUint(type) body`, except Ping and Pong, which are one byte. The address
is the document name, or for a session-aware provider the name, a NUL and the provider's own id; answers carry
the address as it came.

     0 sync             a sync message
     1 awareness        varBytes(awareness update)
     2 auth             client: varUint(0) varString(token) [varString(provider version)]
                        server: varUint(0) "send a token", varUint(1) varString(reason) "denied",
                                varUint(2) varString("read-write" | "readonly") "authenticated"
     3 query awareness
     5 stateless        varString(payload)
     7 close            client: nothing; server: varString(reason)
     8 sync status      varUint(1 stored | 0 refused), server only
     9 ping, 10 pong    without an address

4 and 6 are for servers among themselves and are refused here.
Source: https://github.com/ueberdosis/hocuspocus, packages/common and packages/provider.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from threadline.protocol.errors import InvalidText, UnknownMessage
from threadline.protocol.limits import DEFAULT_LIMITS, MAX_ADDRESS_BYTES, Limits
from threadline.protocol.sync import SyncMessage, SyncStep1, SyncStep2, Update, encode_sync, read_sync
from threadline.protocol.varint import Reader, encode_bytes, encode_text
from threadline.protocol.ywebsocket import MAX_REASON_BYTES, AwarenessUpdate, PermissionDenied, QueryAwareness

SYNC = 0
AWARENESS = 1
AUTH = 2
QUERY_AWARENESS = 3
STATELESS = 5
CLOSE = 7
SYNC_STATUS = 8
PING = 9
PONG = 10

AUTH_TOKEN = 0
AUTH_DENIED = 1
AUTH_GRANTED = 2

PING_FRAME = b"\x09"
PONG_FRAME = b"\x0a"

MAX_VERSION_BYTES = 64


class Scope(StrEnum):
    """What the provider shows its application as `authorizedScope`."""

    READ_WRITE = "read-write"
    READONLY = "readonly"


@dataclass(frozen=True, slots=True)
class Authenticate:
    """`token` is as in `threadline.protocol.credentials`; `version` is None before provider 4."""

    token: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class TokenRequested:
    pass


@dataclass(frozen=True, slots=True)
class Authenticated:
    scope: Scope


@dataclass(frozen=True, slots=True)
class Stateless:
    payload: str


@dataclass(frozen=True, slots=True)
class CloseDocument:
    """One document ends, the socket stays. `reason` is None from a client."""

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """`applied`: one step 2 or update of this document is stored, or was refused."""

    applied: bool


@dataclass(frozen=True, slots=True)
class Ping:
    pass


@dataclass(frozen=True, slots=True)
class Pong:
    pass


Common = SyncMessage | AwarenessUpdate | QueryAwareness | Stateless
ClientMessage = Common | Authenticate | CloseDocument | Ping | Pong
ServerMessage = (
    Common | TokenRequested | PermissionDenied | Authenticated | CloseDocument | SyncStatus | Ping | Pong
)
Message = ClientMessage | ServerMessage


@dataclass(frozen=True, slots=True)
class ClientFrame:
    """`address` is empty for Ping and Pong."""

    address: str
    message: ClientMessage


@dataclass(frozen=True, slots=True)
class ServerFrame:
    """`address` is empty for Ping and Pong."""

    address: str
    message: ServerMessage


def split_address(address: str) -> tuple[str, str]:
    """(document name, the provider's own id or the empty string) of an address."""
    name, _, own = address.partition("\0")
    return name, own


def decode_from_client(frame: bytes, limits: Limits = DEFAULT_LIMITS) -> ClientFrame:
    """The address and message of one frame that a device sent. Raises a MalformedFrame."""
    if frame == PING_FRAME:
        return ClientFrame("", Ping())
    if frame == PONG_FRAME:
        return ClientFrame("", Pong())
    reader = Reader(frame)
    address = _read_address(reader)
    return ClientFrame(address, _read_from_client(reader, limits))


def decode_from_server(frame: bytes, limits: Limits = DEFAULT_LIMITS) -> ServerFrame:
    """The address and message of one frame that a server sent. Raises a MalformedFrame."""
    if frame == PING_FRAME:
        return ServerFrame("", Ping())
    if frame == PONG_FRAME:
        return ServerFrame("", Pong())
    reader = Reader(frame)
    address = _read_address(reader)
    return ServerFrame(address, _read_from_server(reader, limits))


def _read_address(reader: Reader) -> str:
    address = reader.read_text(MAX_ADDRESS_BYTES, "address")
    if not address:
        raise InvalidText("the address is empty")
    return address


def _read_from_client(reader: Reader, limits: Limits) -> ClientMessage:
    kind = reader.read_uint()
    if kind == SYNC:
        return read_sync(reader, limits)
    message: ClientMessage
    if kind == AUTH:
        message = _read_authenticate(reader, limits)
    elif kind == CLOSE:
        message = CloseDocument()
    else:
        message = _read_common(kind, reader, limits)
    reader.expect_end()
    return message


def _read_authenticate(reader: Reader, limits: Limits) -> Authenticate:
    kind = reader.read_uint()
    if kind != AUTH_TOKEN:
        raise UnknownMessage(f"auth message {kind} from a client")
    token = reader.read_text(limits.max_token_bytes, "token")
    version = reader.read_text(MAX_VERSION_BYTES, "provider version") if reader.remaining else None
    return Authenticate(token, version)


def _read_from_server(reader: Reader, limits: Limits) -> ServerMessage:
    kind = reader.read_uint()
    if kind == SYNC:
        return read_sync(reader, limits)
    message: ServerMessage
    if kind == AUTH:
        message = _read_auth_answer(reader)
    elif kind == CLOSE:
        message = CloseDocument(reader.read_text(MAX_REASON_BYTES, "reason"))
    elif kind == SYNC_STATUS:
        message = _read_sync_status(reader)
    else:
        message = _read_common(kind, reader, limits)
    reader.expect_end()
    return message


def _read_auth_answer(reader: Reader) -> TokenRequested | PermissionDenied | Authenticated:
    kind = reader.read_uint()
    if kind == AUTH_TOKEN:
        return TokenRequested()
    if kind == AUTH_DENIED:
        return PermissionDenied(reader.read_text(MAX_REASON_BYTES, "reason"))
    if kind != AUTH_GRANTED:
        raise UnknownMessage(f"auth message {kind}")
    scope = reader.read_text(MAX_VERSION_BYTES, "scope")
    try:
        return Authenticated(Scope(scope))
    except ValueError as error:
        raise InvalidText("the scope is neither read-write nor readonly") from error


def _read_sync_status(reader: Reader) -> SyncStatus:
    status = reader.read_int()
    if status not in (0, 1):
        raise UnknownMessage(f"sync status {status}")
    return SyncStatus(status == 1)


def _read_common(kind: int, reader: Reader, limits: Limits) -> AwarenessUpdate | QueryAwareness | Stateless:
    if kind == AWARENESS:
        return AwarenessUpdate(reader.read_bytes(limits.max_awareness_bytes, "awareness"))
    if kind == QUERY_AWARENESS:
        return QueryAwareness()
    if kind == STATELESS:
        return Stateless(reader.read_text(limits.max_stateless_bytes, "stateless payload"))
    raise UnknownMessage(f"Hocuspocus message {kind}")


def encode(address: str, message: Message) -> bytes:
    """The frame of `message` for the document at `address`; Ping and Pong have none."""
    if isinstance(message, Ping):
        return PING_FRAME
    if isinstance(message, Pong):
        return PONG_FRAME
    return encode_text(address) + encode_body(message)


def encode_body(message: Message) -> bytes:
    """What follows the address, the message type included."""
    match message:
        case SyncStep1() | SyncStep2() | Update():
            return b"\x00" + encode_sync(message)
        case AwarenessUpdate(update):
            return b"\x01" + encode_bytes(update)
        case Authenticate(token, version):
            return b"\x02\x00" + encode_text(token) + (b"" if version is None else encode_text(version))
        case TokenRequested():
            return b"\x02\x00"
        case PermissionDenied(reason):
            return b"\x02\x01" + encode_text(reason)
        case Authenticated(scope):
            return b"\x02\x02" + encode_text(scope)
        case QueryAwareness():
            return b"\x03"
        case Stateless(payload):
            return b"\x05" + encode_text(payload)
        case CloseDocument(reason):
            return b"\x07" + (b"" if reason is None else encode_text(reason))
        case SyncStatus(applied):
            return b"\x08\x01" if applied else b"\x08\x00"
        case Ping() | Pong():
            raise ValueError("Ping and Pong have no address")
