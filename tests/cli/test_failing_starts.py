"""Every kind of start that fails: one clear paragraph, and the exit code that docs/operations.md states."""

from __future__ import annotations

import re
import socket
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.cli.starter import Starter

from threadline_server.backplane.embedded import schema
from threadline_server.backplane.embedded.lock import DirectoryLock
from threadline_server.cli.exits import Exit

ROOT = Path(__file__).parents[2]
LONGEST_PARAGRAPH = 8
USAGE, COULD_NOT_START = Exit.USAGE, Exit.COULD_NOT_START


@dataclass(frozen=True)
class Case:
    """kind:  the row of the page
    says:  what must be in the paragraph: what is wrong, and what to change
    data:  whether `--data data` is added
    """

    kind: str
    code: Exit
    arguments: tuple[str, ...]
    says: str
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    data: bool = True

    def __str__(self) -> str:
        return f"{self.kind}: {' '.join(self.arguments)}"


def serve(kind: str, code: Exit, *arguments: str, says: str, **more: Any) -> Case:
    return Case(kind, code, ("serve", *arguments), says, **more)


CASES = [
    # usage: the words given cannot be meant
    serve("an unknown option", USAGE, "--prot", "1", says="No such option"),
    Case("an unknown option", USAGE, ("sreve",), "No such command", data=False),
    serve(
        "an unknown variable",
        USAGE,
        says="Did you mean THREADLINE_PORT?",
        environment={"THREADLINE_PROT": "1"},
    ),
    serve("a value that cannot be", USAGE, "--port", "many", says="not a valid integer", data=False),
    serve("a value that cannot be", USAGE, "--port", "70000", says="--port 70000", data=False),
    serve("a value that cannot be", USAGE, "--agent", "travel", says="MODULE:AGENT"),
    serve(
        "a value that cannot be",
        USAGE,
        says="THREADLINE_GRACE_S 'soon'",
        environment={"THREADLINE_GRACE_S": "soon"},
    ),
    serve("a file of settings that is not there", USAGE, "--config", "none.toml", says="Correct --config"),
    serve(
        "a file of settings that cannot be read",
        USAGE,
        *("--config", "t.toml"),
        says="A line is `name = value`",
        files={"t.toml": "port: 80"},
    ),
    serve(
        "an unknown line in the file of settings",
        USAGE,
        *("--config", "t.toml"),
        says="Did you mean stop_grace_s?",
        files={"t.toml": "stop_grace = 3"},
    ),
    serve("two stores", USAGE, "--redis", "redis://127.0.0.1", "--data", "d", says="Leave one", data=False),
    serve("open to all on a network", USAGE, "--host", "0.0.0.0", says="choose --auth token", data=False),
    serve(
        "pairing with Redis", USAGE, "--redis", "redis://h", "--auth", "pairing", says="--redis", data=False
    ),
    serve("tokens without keys", USAGE, "--auth", "token", says="--auth-keys-file"),
    serve("keys without tokens", USAGE, "--auth-keys-file", "keys", says="Add --auth token, or leave it out"),
    serve("half a TLS certificate", USAGE, "--tls-certificate", "c.pem", says="give both or none"),
    serve("half a webhook", USAGE, "--webhook-url", "https://example.com", says="go together"),
    serve(
        "two files of master keys",
        USAGE,
        *("--encryption-keys-file", "keys"),
        says="exclude each other",
        environment={"THREADLINE_ENCRYPTION_KEYS": "k"},
    ),
    serve(
        "master keys in a file and in a service",
        USAGE,
        *("--encryption-keys-file", "keys", "--encryption-service", "keys:service"),
        says="exclude each other",
    ),
    serve("objects without Redis", USAGE, "--objects", "there", says="Add --redis"),
    serve("bounds that contradict each other", USAGE, "--heartbeat-s", "100", says="raise the second"),
    Case("a worker without Redis", USAGE, ("worker", "travel:agent"), "threadline serve --agent", data=False),
    # what lies around the server keeps it from starting
    serve("the port is taken", COULD_NOT_START, says="in use by another program"),
    serve(
        "the host is another's",
        COULD_NOT_START,
        *("--host", "192.0.2.1", "--auth", "pairing"),
        says="is no address of this machine",
    ),
    serve(
        "the data directory is a file",
        COULD_NOT_START,
        *("--data", "file/data"),
        says="choose another with --data",
        files={"file": ""},
        data=False,
    ),
    serve(
        "the data directory cannot be written",
        COULD_NOT_START,
        *("--data", "/proc/self/attr"),
        says="choose another with --data",
        data=False,
    ),
    serve("the data directory is in use", COULD_NOT_START, says="is in use by process"),
    serve("the store is of a newer version", COULD_NOT_START, says="was written by a newer version"),
    serve(
        "the store is no store",
        COULD_NOT_START,
        says="cannot be opened as a store",
        files={"data/threadline.sqlite3": "not a database" * 100},
    ),
    serve("there is no such agent", COULD_NOT_START, "--agent", "nowhere:agent", says="no module nowhere"),
    serve(
        "there is no such agent",
        COULD_NOT_START,
        *("--agent", "travel:agent"),
        says="has no agent. It has: agnt.",
        files={"travel.py": "agnt = 1"},
    ),
    serve(
        "the agent cannot be imported",
        COULD_NOT_START,
        *("--agent", "travel:agent"),
        says="importing travel failed with ZeroDivisionError",
        files={"travel.py": "1 / 0"},
    ),
    serve(
        "the agent cannot be imported",
        COULD_NOT_START,
        *("--agent", "travel:agent"),
        says="needs holidays, which is not installed",
        files={"travel.py": "import holidays"},
    ),
    serve(
        "the agent is none",
        COULD_NOT_START,
        *("--agent", "travel:agent"),
        says="--agent travel:agent",
        files={"travel.py": "agent = 1"},
    ),
    serve(
        "two agents with one name",
        COULD_NOT_START,
        *("--agent", "threadline.agents.travel:agent", "--agent", "threadline.agents.travel:agent"),
        says="have the same name",
    ),
    serve(
        "the rules of roots are none",
        COULD_NOT_START,
        *("--root-rules", "shop:roots"),
        says="must be a dict of RootRule",
        files={"shop.py": "roots = 1"},
    ),
    serve(
        "the TLS certificate cannot be used",
        COULD_NOT_START,
        *("--tls-certificate", "c.pem", "--tls-key", "k.pem"),
        says="There is no file c.pem. Correct --tls-certificate",
    ),
    serve(
        "the TLS certificate cannot be used",
        COULD_NOT_START,
        *("--tls-certificate", "c.pem", "--tls-key", "k.pem"),
        says="Give a certificate chain and its own key",
        files={"c.pem": "no certificate", "k.pem": "no key"},
    ),
    serve(
        "the keys of tokens cannot be used",
        COULD_NOT_START,
        *("--auth", "token", "--auth-keys-file", "keys.json"),
        says="keys.json",
    ),
    serve(
        "the keys of tokens cannot be used",
        COULD_NOT_START,
        *("--auth", "token", "--auth-keys-file", "keys.json"),
        says="keys.json",
        files={"keys.json": "no key"},
    ),
    serve(
        "the shared secret is too short",
        COULD_NOT_START,
        *("--auth", "token"),
        says="32",
        environment={"THREADLINE_AUTH_SECRET": "short"},
    ),
    serve(
        "the master keys cannot be used",
        COULD_NOT_START,
        *("--encryption-keys-file", "keys"),
        says="keys",
    ),
    serve(
        "the key management service is none",
        COULD_NOT_START,
        *("--encryption-service", "shop:keys"),
        says="coroutines `wrap` and `unwrap`",
        files={"shop.py": "keys = 1"},
    ),
    serve(
        "the audit log cannot be written", COULD_NOT_START, "--audit-file", "/proc/audit", says="--audit-file"
    ),
    serve(
        "Redis is away",
        COULD_NOT_START,
        *("--redis", "redis://127.0.0.1:1", "--start-timeout-s", "0.1"),
        says="Redis did not answer for 0.1 s",
        data=False,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=map(str, CASES))
def test_a_start_that_fails_says_why_in_one_paragraph(case: Case, starter: Starter, tmp_path: Path) -> None:
    for name, text in case.files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1] if case.kind == "the port is taken" else 0
        lock = _prepare_store(case.kind, tmp_path / "data")
        code, said = starter.start(_arguments(case, port), tmp_path, case.environment)
        if lock is not None:
            lock.release()
    paragraph = " ".join(said.split())
    assert (code, case.says in paragraph) == (case.code, True), said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) <= LONGEST_PARAGRAPH


def _arguments(case: Case, port: int) -> list[str]:
    port_option = ("--port", str(port)) if case.code is COULD_NOT_START else ()
    data = ("--data", "data") if case.data else ()
    return [*case.arguments[:1], *port_option, *data, *case.arguments[1:]]


def _prepare_store(kind: str, directory: Path) -> DirectoryLock | None:
    if kind == "the data directory is in use":
        directory.mkdir()
        lock = DirectoryLock(directory)
        lock.acquire()
        return lock
    if kind == "the store is of a newer version":
        directory.mkdir()
        with sqlite3.connect(directory / schema.FILE_NAME) as connection:
            connection.execute(f"PRAGMA user_version={schema.VERSION + 1}")
        connection.close()
    return None


def test_the_page_of_operators_lists_every_kind_with_its_code() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    listed = re.findall(r"^\| ([^|`]+?) \| ([23]) \|", page, re.MULTILINE)
    assert sorted(set(listed)) == sorted({(case.kind, str(int(case.code))) for case in CASES})
    assert len(listed) >= 15
