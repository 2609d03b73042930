"""The documentation, held to the product: programs run, commands exist, numbers are the defaults."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from tests.server_process import clean_environment, server_process

import threadline
from threadline_server.cli.main import threadline as command_line
from threadline_server.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TIMEOUT_S = 60
URL_IN_DOCUMENTS = "http://127.0.0.1:8000"

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# (\w+\.py)\n")
_INLINE_COMMAND = re.compile(r"`(threadline [^`]+)`")
_SETTING_ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| (.+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    page: Path
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}-{self.number}"

    @property
    def file(self) -> str | None:
        """The name of the file that this block is, when its first line says so."""
        named = _FILE.match(self.text)
        return named[1] if named else None


def _blocks() -> Iterator[Block]:
    for page in PAGES:
        for number, found in enumerate(_FENCE.finditer(page.read_text()), 1):
            yield Block(page, number, found[1], found[2])


BLOCKS = list(_blocks())
PROGRAMS = [block for block in BLOCKS if block.language == "python"]
SHELL_LINES = [
    (block.page.name, line)
    for block in BLOCKS
    if block.language == "sh"
    for line in block.text.splitlines()
    if line and not line.startswith("#")
]
COMMANDS = [(page, line) for page, line in SHELL_LINES if line.startswith("threadline ")] + [
    (page.name, command) for page in PAGES for command in _INLINE_COMMAND.findall(page.read_text())
]


@pytest.mark.asyncio
@pytest.mark.parametrize("block", PROGRAMS, ids=map(str, PROGRAMS))
async def test_programs_run_as_printed(block: Block, tmp_path: Path) -> None:
    """Each against a server whose agent is the demo's, beside the files that its page defines."""
    for other in PROGRAMS:
        if other.page == block.page and other.file is not None:
            (tmp_path / other.file).write_text(other.text)
    program = tmp_path / (block.file or "program.py")
    program.write_text(block.text)
    if URL_IN_DOCUMENTS not in block.text:
        await _run(program)
        return
    async with server_process(tmp_path / "data", "--agent", "threadline.agents.travel:agent") as server:
        program.write_text(block.text.replace(URL_IN_DOCUMENTS, server.url))
        await _run(program)


async def _run(program: Path) -> None:
    """It must end with 0 and warn of nothing."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", str(program)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=program.parent,
        env=clean_environment() | {"HOME": str(program.parent)},
    )
    output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    assert process.returncode == 0, output.decode()


@pytest.mark.asyncio
async def test_the_agent_of_the_readme_does_what_it_says_as_printed(tmp_path: Path) -> None:
    """Tools, approval and typed state in fewer than 30 lines."""
    block = next(block for block in PROGRAMS if block.file == "travel.py")
    assert len(block.text.splitlines()) < 30
    (tmp_path / "travel.py").write_text(block.text)
    async with (
        server_process(tmp_path / "data", "--agent", "travel:agent", cwd=tmp_path) as server,
        threadline.connect(server.url, token="ada") as client,
        asyncio.timeout(TIMEOUT_S),
    ):
        session = await client.open("trip")
        run = await session.send('set_city(city="Berlin"), then book_hotel(hotel="Adler")')
        await session.until(lambda: bool(run.pending))
        assert session["trip"] == {"city": "Berlin", "hotel": None}
        await run.approve()
        assert await run.wait() == "completed"
        assert session["trip"] == {"city": "Berlin", "hotel": "Adler"}
        assert "Booked Adler in Berlin" in run.output


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_commands_exist_with_their_options(page: str, command: str) -> None:
    words = [word for word in shlex.split(command) if word not in ("...", "…")]
    with command_line.make_context("threadline", words[1:], resilient_parsing=True) as context:
        if len(words) == 1:
            return
        verb = command_line.get_command(context, words[1])
        assert verb is not None, f"{page}: there is no verb {words[1]}"
        if isinstance(verb, click.Group) and len(words) > 2:
            verb = verb.get_command(context, words[2])
            assert verb is not None, f"{page}: there is no verb {words[1]} {words[2]}"
        known = {option for parameter in verb.params for option in parameter.opts}
        used = {word.partition("=")[0] for word in words[2:] if word.startswith("--")}
        assert used <= known | {"--help"}, page


@pytest.mark.parametrize(
    ("page", "line"), [(page, line) for page, line in SHELL_LINES if re.match(r"(\w+=\S+ )*make ", line)]
)
def test_targets_of_make_exist(page: str, line: str) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    wanted = [word for word in line.split() if "=" not in word and word != "make"]
    assert set(wanted) <= set(targets), page


def test_the_limits_in_the_readme_are_the_defaults() -> None:
    rows = _SETTING_ROW.findall((ROOT / "README.md").read_text())
    assert len(rows) >= 5
    for name, default, _ in rows:
        assert default == str(Settings.model_fields[name].default), name


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "ARCHITECTURE.md", ROOT / "PROTOCOL.md"], ids=lambda p: p.name
)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_verb_says_what_it_does() -> None:
    with click.Context(command_line) as context:
        for name in command_line.list_commands(context):
            verb = command_line.get_command(context, name)
            assert verb is not None
            assert verb.help, name
