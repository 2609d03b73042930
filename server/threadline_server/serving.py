"""A bound socket and uvicorn on it. Signals are the command line's business, not this module's."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from threadline_server.startup import CouldNotStart

BACKLOG = 2048

_SEND_BYTES = 256 * 1024
"""Of one socket in the kernel, which takes twice that. Without a bound it takes up to 4 MB of a session in
one call: some 10 ms, in which nobody else is served.
"""

SendAway = Callable[[], Awaitable[None]]


def listen(host: str, port: int) -> socket.socket:
    """The socket to listen on, bound: nobody can connect before the node serves. Raises CouldNotStart where
    the address is taken, foreign or forbidden.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        listener.bind((host, port))
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise CouldNotStart(_why_not(host, port, error)) from None
    return listener


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is in use by another program. Stop it, or choose another port with "
            "--port (0 takes a free one)."
        )
    if error.errno == errno.EACCES:
        return f"This user may not listen on port {port}. Choose a port above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"{host} is no address of this machine. Choose one that is with --host, for example 127.0.0.1."
    return f"Cannot listen on {host} port {port}: {error.strerror}. Choose another with --host and --port."


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate chain and its key, as PEM files. Raises CouldNotStart where they are of no use."""

    certificate: Path
    key: Path

    def __post_init__(self) -> None:
        for option, file in (("--tls-certificate", self.certificate), ("--tls-key", self.key)):
            if not file.is_file():
                raise CouldNotStart(f"There is no file {file}. Correct {option}.")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
        except OSError as error:  # ssl.SSLError is one
            raise CouldNotStart(
                f"The certificate {self.certificate} and the key {self.key} cannot be used ({error}). Give a "
                "certificate chain and its own key, both in PEM form."
            ) from error


def url_of(listener: socket.socket, tls: Tls | None = None) -> str:
    host, port = listener.getsockname()[:2]
    scheme = "http" if tls is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class Server(uvicorn.Server):
    """Stops in order: no new connections, devices sent away, requests finished."""

    def __init__(self, config: uvicorn.Config, send_away: SendAway) -> None:
        super().__init__(config)
        self._send_away = send_away

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await self._send_away()
        await super().shutdown(sockets)


@asynccontextmanager
async def serving(
    app: ASGIApp,
    listener: socket.socket,
    *,
    http_protocol: type[asyncio.Protocol],
    websocket_protocol: type[asyncio.Protocol],
    send_away: SendAway,
    stop_grace_s: float,
    tls: Tls | None = None,
) -> AsyncIterator[None]:
    """Serve `app` on `listener` until the block ends; the listener is closed then."""
    config = uvicorn.Config(
        app,
        ws=websocket_protocol,
        http=http_protocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ssl_certfile=None if tls is None else str(tls.certificate),
        ssl_keyfile=None if tls is None else str(tls.key),
        backlog=BACKLOG,
        timeout_graceful_shutdown=max(1, round(stop_grace_s)),
    )
    config.load()
    server = Server(config, send_away)
    server.lifespan = config.lifespan_class(config)
    try:
        await server.startup([listener])
    except OSError as error:  # another program was quicker
        host, port = listener.getsockname()[:2]
        raise CouldNotStart(_why_not(host, port, error)) from None
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.main_loop(), name="uvicorn")
        try:
            yield
        finally:
            server.should_exit = True
            await server.shutdown([listener])
