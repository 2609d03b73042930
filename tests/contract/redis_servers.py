"""Real Redis servers in temporary directories: one, or a Cluster of three primaries. Loopback, free ports."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from tests.waiting import wait_until

PATIENCE_S = 20.0
PROGRAM = os.environ.get("REDIS_SERVER", "redis-server")
SLOTS = 16384


def free_port() -> int:
    """A port that nobody uses now, nor the Cluster bus port that goes with it."""
    while True:
        with socket.socket() as first, socket.socket() as bus:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            if port > 50_000:
                continue
            with contextlib.suppress(OSError):
                bus.bind(("127.0.0.1", port + 10_000))
                return port


class RedisServer:
    """One redis-server. `options` are those of its configuration, by name."""

    def __init__(self, directory: Path, **options: str) -> None:
        self.directory = directory
        self.port = free_port()
        self.options = {"appendonly": "yes", "appendfsync": "everysec"} | options
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> Redis:
        return Redis(port=self.port, socket_timeout=5)

    def start(self, environment: dict[str, str] | None = None) -> RedisServer:
        command = [PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", str(self.directory), "--daemonize", "no", "--loglevel", "warning"]
        for name, value in self.options.items():
            command += [f"--{name.replace('_', '-')}", value]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        wait_until(self._answers, "Redis answered", patience_s=PATIENCE_S)
        return self

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / "log").read_text()
        with contextlib.suppress(RedisError), self.client as client:
            return bool(client.ping())
        return False

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """As the kernel would; nothing is written any more."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def redis_server(**options: str) -> Iterator[RedisServer]:
    directory = Path(tempfile.mkdtemp(prefix="threadline-redis-"))
    server = RedisServer(directory, **options)
    try:
        yield server.start()
    finally:
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)


def _form_cluster(servers: list[RedisServer]) -> None:
    clients = [server.client for server in servers]
    share = SLOTS // len(servers) + 1
    for number, client in enumerate(clients):
        last = min((number + 1) * share, SLOTS) - 1
        _cluster(client, "ADDSLOTSRANGE", number * share, last)
        _cluster(client, "SET-CONFIG-EPOCH", number + 1)
    for client in clients[1:]:
        _cluster(client, "MEET", "127.0.0.1", servers[0].port)
    wait_until(lambda: all(map(_is_formed, clients)), "the Cluster formed", patience_s=PATIENCE_S)
    for client in clients:
        client.close()


def _is_formed(client: Redis) -> bool:
    return "cluster_state:ok" in _cluster(client, "INFO")


def _cluster(client: Redis, *arguments: str | int) -> str:
    reply = client.execute_command("CLUSTER", *arguments)  # type: ignore[no-untyped-call]
    if isinstance(reply, dict):
        return " ".join(f"{name}:{value}" for name, value in reply.items())
    return reply.decode() if isinstance(reply, bytes) else str(reply)


@contextlib.contextmanager
def redis_cluster(primaries: int = 3) -> Iterator[list[RedisServer]]:
    with contextlib.ExitStack() as stack:
        options = {"cluster_enabled": "yes", "cluster_node_timeout": "2000"}
        servers = [stack.enter_context(redis_server(**options)) for _ in range(primaries)]
        _form_cluster(servers)
        yield servers
