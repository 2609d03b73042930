"""What NeMo Gym itself publishes, against the counter environment: its test file, and its SimpleAgent."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from examples.counter_environment import make_rows
from examples.counter_environment.counter import StatefulCounter
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.examples.running import ROOT

from threadline.environment import environment_app

PUBLISHED = Path(__file__).parent / "published" / "nemo_gym_test_app.py.txt"
SIMPLE_AGENT = ROOT / "examples" / "counter_environment" / "simple_agent.py"
OWN_PYTHON = ROOT / "tmp" / "nemo_gym"
SET_UP_S = 900
GYM = "nemo-gym==0.4.0"
NAMES = ("python3.12", "python3.13", "python3")


class OnItsLoop:
    """An application whose loop is another thread's: the published client has a new loop for each request."""

    def __init__(self, portal: BlockingPortal, app: ASGIApp) -> None:
        self._portal = portal
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        asked = await receive()
        for message in await asyncio.to_thread(self._portal.call, self._answer, scope, asked):
            await send(message)

    async def _answer(self, scope: Scope, asked: Message) -> list[Message]:
        said: list[Message] = []

        async def receive() -> Message:
            return asked

        async def send(message: Message) -> None:
            said.append(message)

        await self._app(dict(scope), receive, send)
        return said


@contextmanager
def modules(app: ASGIApp) -> Iterator[None]:
    """The modules that the published file imports; its server is ours."""

    class ServerClient: ...

    class Config(BaseModel):
        host: str
        port: int
        entrypoint: str
        name: str

    class Server:
        def __init__(self, config: Config, server_client: ServerClient) -> None:
            self.config = config

        def setup_webserver(self) -> ASGIApp:
            return app

    names: dict[str, dict[str, Any]] = {
        "nemo_gym": {},
        "nemo_gym.server_utils": {"ServerClient": ServerClient},
        "resources_servers": {},
        "resources_servers.example_session_state_mgmt": {},
        "resources_servers.example_session_state_mgmt.app": {
            "StatefulCounterResourcesServer": Server,
            "StatefulCounterResourcesServerConfig": Config,
        },
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, values in names.items():
            module = ModuleType(name)
            vars(module).update(values)
            patch.setitem(sys.modules, name, module)
        patch.setitem(sys.modules, "httpx", httpx2)  # what this version's test client is made of
        yield


@pytest.mark.asyncio
@pytest.mark.row("S0-17")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the published file sets cookies per request
async def test_the_published_test_file_passes_as_it_is(server: str) -> None:
    def run() -> None:
        with start_blocking_portal() as portal:
            app = environment_app(StatefulCounter(), server)
            with portal.wrap_async_context_manager(_open(app)), modules(OnItsLoop(portal, app)):
                found: dict[str, Any] = {}
                exec(compile(PUBLISHED.read_text(), str(PUBLISHED), "exec"), found)
                found["TestApp"]().test_sanity()

    await asyncio.to_thread(run)


class _open:  # noqa: N801  (a context manager)
    """The application's lifespan."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._given: asyncio.Queue[Message] = asyncio.Queue()
        self._said: asyncio.Queue[Message] = asyncio.Queue()

    async def __aenter__(self) -> None:
        self._given.put_nowait({"type": "lifespan.startup"})
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._task = asyncio.ensure_future(self._app(scope, self._given.get, self._said.put))
        assert (await self._said.get())["type"] == "lifespan.startup.complete"

    async def __aexit__(self, *error: object) -> None:
        self._given.put_nowait({"type": "lifespan.shutdown"})
        await self._task


def _pythons() -> Iterator[str]:
    """Those that may do: on the path (where one may be a shim that does not start), of pyenv, of uv."""
    yield sys.executable
    yield from filter(None, map(shutil.which, NAMES))
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(str(found) for found in root.glob("versions/3.1[2-9]*/bin/python"))
    if (uv := shutil.which("uv")) is not None:
        found = subprocess.run([uv, "python", "find", ">=3.12"], capture_output=True, text=True, timeout=60)
        if found.returncode == 0:
            yield found.stdout.strip()


def _makes_environments(python: str) -> bool:
    code = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 12))"
    try:
        return subprocess.run([python, "-c", code], capture_output=True, timeout=60).returncode == 0
    except OSError:
        return False


def _installs(python: Path) -> bool:
    """With uv, which takes a tenth of the time; with pip where uv does not find the packages."""

    def run(*command: str) -> bool:
        return subprocess.run([str(python), "-m", *command], timeout=SET_UP_S).returncode == 0

    install = ("pip", "install", "-q")
    with_uv = run(*install, "uv") and run("uv", *install, "--python", str(python), GYM)
    return with_uv or run(*install, GYM)


def nemo_gym_python() -> str:
    """A Python with nemo-gym 0.4.0: `NEMO_GYM_PYTHON`, or one set up once below `tmp/`. Skips without."""
    if (given := os.environ.get("NEMO_GYM_PYTHON")) is not None:
        return given
    python = OWN_PYTHON / "bin" / "python"
    if not python.exists():
        base = next(filter(_makes_environments, _pythons()), None)
        if base is None:
            pytest.skip(
                "NeMo Gym needs Python 3.12 or later with venv, and none was found; set NEMO_GYM_PYTHON"
            )
        subprocess.run([base, "-m", "venv", str(OWN_PYTHON)], check=True, timeout=SET_UP_S)
    ready = OWN_PYTHON / "ready"
    if not ready.exists():
        if not _installs(python):
            pytest.skip("nemo-gym 0.4.0 cannot be installed here")
        ready.touch()
    return str(python)


@pytest.mark.asyncio
@pytest.mark.row("S0-16", "S0-5")
async def test_nemo_gyms_own_agent_drives_the_environment(
    server: str, host: Callable[[Any], Awaitable[str]]
) -> None:
    python = await asyncio.to_thread(nemo_gym_python)
    url = await host(environment_app(StatefulCounter(), server))
    process = await asyncio.create_subprocess_exec(
        *(python, str(SIMPLE_AGENT), url, str(make_rows.ROWS), "4"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 180)
    assert process.returncode == 0, errors.decode()
    assert json.loads(output.splitlines()[-1]) == [1.0] * 20
