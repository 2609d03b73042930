"""The coding agent over HTTP and WebSocket, with real kernels."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import websockets
from examples.coding_agent.__main__ import DIALOGUE, running
from examples.coding_agent.agent import kernels
from examples.coding_agent.kernel import Executed, Kernel, KernelLimits
from examples.coding_agent.settings import Options
from pycrdt import Doc
from tests.contract.redis_servers import redis_server
from tests.examples.running import ROOT, becomes, run_example
from tests.server_process import clean_environment

import threadline
from threadline.agents import Session
from threadline.document.session_document import SessionDocument

Json = dict[str, Any]
NAME = "user_1_notebook_2"
HELLO = "hello there"
THREE_TURNS = Path(__file__).parent / "published" / "notebook_test_session.py.txt"


class Notebook:
    """A client of the running example."""

    def __init__(self, url: str, server: str) -> None:
        self.url = url
        self.server = server
        self.http = httpx.AsyncClient(base_url=url, timeout=120)

    async def ask(self, query: str, name: str = NAME, **context: Any) -> Json:
        body = {"query": query, "context": {"session_id": name, **context}}
        answer = await self.http.post("/api/agent/quick", json=body)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def run(self, code: str, name: str = NAME) -> str:
        return said(await self.ask(f"```python\n{code}\n```", name)).split("```\n")[-1]

    async def get(self, path: str) -> Json:
        found: Json = (await self.http.get(f"/api/sessions{path}")).json()
        return found


def said(answer: Json) -> str:
    return str(answer["messages"][0]["content"])


Start = Callable[..., Any]


@pytest_asyncio.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """`async with start(max_concurrent=3) as notebook`."""
    kernels.workspace, kernels.enabled = tmp_path, True
    (tmp_path / "data.csv").write_text("name,age\nAda,36\nAlan,41\nGrace,36\n")

    @asynccontextmanager
    async def begin(**options: Any) -> AsyncIterator[Notebook]:
        async with running({"data": tmp_path / "store"}, Options(**options)) as (url, server):
            notebook = Notebook(url, server)
            async with notebook.http:
                yield notebook

    yield begin
    kernels.enabled = False


@pytest_asyncio.fixture
async def notebook(start: Start) -> AsyncIterator[Notebook]:
    async with start() as notebook:
        yield notebook


@pytest.mark.asyncio
@pytest.mark.row("S2-1", "S2-2", "S2-3", "S2-7", "S2-38", "S2-39")
async def test_the_first_query_makes_the_session(notebook: Notebook) -> None:
    assert (await notebook.http.get(f"/api/sessions/{NAME}")).status_code == 404
    answer = await notebook.ask(HELLO, notebook_id="nb", cell_count=7)
    assert set(answer) == {"query", "route", "messages", "usage", "session_id"}
    assert (answer["query"], answer["session_id"], answer["route"]) == (HELLO, NAME, "chat")
    first = await notebook.get(f"/{NAME}")
    assert set(first) == {"session_id", "notebook_id", "turn_count", "last_activity", "variables"}
    assert (first["notebook_id"], first["turn_count"]) == ("nb", 2)
    await notebook.ask(HELLO)
    second = await notebook.get(f"/{NAME}")
    assert second["turn_count"] == 4
    assert second["last_activity"] > first["last_activity"]
    assert "7" in json.dumps((await notebook.get(f"/{NAME}/export"))["context"])


@pytest.mark.asyncio
@pytest.mark.row("S2-4", "S2-5", "S2-6", "S2-10")
async def test_the_history_is_a_window(start: Start) -> None:
    async with start(history_limit=24) as notebook:
        for turn in range(13):
            await notebook.ask(f"turn {turn}")
        history = await notebook.get(f"/{NAME}/history")
        assert set(history) == {"session_id", "turn_count", "history"}
        assert (len(history["history"]), history["turn_count"]) == (20, 24)
        assert [turn["role"] for turn in history["history"]] == ["user", "assistant"] * 10
        assert set(history["history"][0]) == {"role", "content"}
        assert [turn["content"] for turn in history["history"][::2]] == [f"turn {n}" for n in range(3, 13)]
        assert len((await notebook.get(f"/{NAME}/history?max_turns=50"))["history"]) == 24
        assert len((await notebook.get(f"/{NAME}/history?max_turns=3"))["history"]) == 3


@pytest.mark.asyncio
@pytest.mark.row("S2-8")
async def test_a_cleared_session_is_gone_and_its_name_free(notebook: Notebook) -> None:
    await notebook.ask(HELLO)
    answer = await notebook.http.delete(f"/api/sessions/{NAME}")
    assert answer.json() == {"status": "cleared", "session_id": NAME}
    answer = await notebook.http.get(f"/api/sessions/{NAME}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Session not found"})
    await notebook.ask(HELLO)
    assert (await notebook.get(f"/{NAME}"))["turn_count"] == 2


@pytest.mark.asyncio
@pytest.mark.row("S2-11")
async def test_the_agent_is_given_what_was_said(notebook: Notebook) -> None:
    await notebook.ask("first question")
    assert said(await notebook.ask("What did I ask before?")) == "You asked 1 times: first question"


@pytest.mark.asyncio
@pytest.mark.row("S2-12", "S2-13")
async def test_variables_that_clients_tell_are_merged(notebook: Notebook) -> None:
    await notebook.ask(HELLO, variables={"df": "DataFrame"})
    await notebook.ask(HELLO, variables={"age": "int"})
    assert (await notebook.get(f"/{NAME}"))["variables"] == ["age", "df"]
    assert said(await notebook.ask("What variables are available?")) == "age (int), df (DataFrame)"


@pytest.mark.asyncio
@pytest.mark.row("S2-15", "S2-23", "S2-25", "S2-26")
async def test_three_turns_over_a_table_really_run_and_devices_see_it(notebook: Notebook) -> None:
    answers = [await notebook.ask(words) for words in DIALOGUE]
    assert [answer["route"] for answer in answers] == ["code"] * 3
    assert said(answers[0]).endswith("3 rows")
    assert said(answers[1]).endswith("name, age")
    assert "[('36', 2), ('41', 1)]" in said(answers[2])
    async with threadline.connect(notebook.server, token="coding-agent") as client:
        (found,) = await client.sessions.list(label=f"name:{NAME}")
        session = await client.open(found.id)
        assert session["variables"]["df"]["type"] == "list"
        assert session["variables"]["df"]["shape"] == [3]
        (plot,) = session["last_execution"]["attachments"]
        assert plot["type"] == "image/svg+xml"
        assert "<rect" in plot["data"]
        await notebook.run("seen_live = 42")
        async with asyncio.timeout(20):
            await session.until(lambda: session["variables"].get("seen_live", {}).get("value") == "42")


@pytest.mark.asyncio
@pytest.mark.row("S2-15")
async def test_the_example_runs_by_one_command() -> None:
    assert "[('36', 2), ('41', 1)]" in await run_example("examples.coding_agent", "--check")


@asynccontextmanager
async def example_process(*arguments: str, **environment: str) -> AsyncIterator[str]:
    """`python -m examples.coding_agent ...` in a process of its own, killed at the end; its URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.coding_agent", *arguments),
        stdout=asyncio.subprocess.PIPE,
        env=clean_environment() | environment,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        yield line.split()[3].rstrip(",")
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.asyncio
@pytest.mark.row("S2-15")
async def test_a_program_of_a_user_has_its_three_turns(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("name,age\nAda,36\nAlan,41\nGrace,36\n")
    async with example_process("--execute", "--workspace", str(tmp_path)) as url:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, str(THREE_TURNS), url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(program.communicate(), 120)
    assert program.returncode == 0, output.decode()
    assert "histogram of age -> [('36', 2), ('41', 1)]" in output.decode()


@pytest.mark.asyncio
@pytest.mark.parametrize("store", ["data", pytest.param("redis", marks=pytest.mark.redis)])
@pytest.mark.row("S2-16", "S2-17")
async def test_a_conversation_survives_a_killed_process(store: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        where = stack.enter_context(redis_server()).url if store == "redis" else str(tmp_path)
        for turn in range(2):
            async with example_process(f"--{store}", where) as url, httpx.AsyncClient(base_url=url) as http:
                body = {"query": "What did I ask before?", "context": {"session_id": NAME}}
                answer = (await http.post("/api/agent/quick", json=body, timeout=60)).json()
                assert said(answer).startswith(f"You asked {turn} times")
                assert (await http.get(f"/api/sessions/{NAME}")).json()["turn_count"] == 2 * turn + 2


@pytest.mark.asyncio
@pytest.mark.row("S2-20", "S2-21", "S2-22")
async def test_the_example_keeps_to_its_environment(tmp_path: Path) -> None:
    """Running code is off too: nothing enables it."""
    options = {"SESSION_MAX_CONCURRENT": "1", "SESSION_HISTORY_LIMIT": "3", "SESSION_MAX_AGE_HOURS": "0.0006"}
    async with example_process(**options) as url, httpx.AsyncClient(base_url=url, timeout=60) as http:
        body: Json = {"query": "```python\nprint(1)\n```", "context": {"session_id": NAME}}
        for _ in range(2):
            answer = (await http.post("/api/agent/quick", json=body)).json()
            assert "Running code is off" in said(answer)
        assert len((await http.get(f"/api/sessions/{NAME}/history")).json()["history"]) == 3
        body["context"]["session_id"] = "another"
        assert (await http.post("/api/agent/quick", json=body)).status_code == 429

        async def is_gone() -> bool:
            return (await http.get(f"/api/sessions/{NAME}")).status_code == 404

        await becomes(is_gone)


@pytest.mark.asyncio
@pytest.mark.row("S2-18")
async def test_old_sessions_are_removed_without_traffic(start: Start, tmp_path: Path) -> None:
    async with start() as notebook:
        await notebook.ask(HELLO)
    async with start(max_age_hours=0.5 / 3600) as notebook:
        client = threadline.connect(notebook.server, token="coding-agent")
        async with client:

            async def is_gone() -> bool:
                return not await client.sessions.list(label=f"name:{NAME}")

            await becomes(is_gone)


@pytest.mark.asyncio
@pytest.mark.row("S2-19", "S2-33", "S2-34")
async def test_there_are_never_more_sessions_than_allowed(start: Start) -> None:
    async with start(max_concurrent=3) as notebook:
        for place in range(3):
            await notebook.ask(HELLO, f"user_{place}_notebook_1")
        body = {"query": HELLO, "context": {"session_id": "user_4_notebook_1"}}
        answer = await notebook.http.post("/api/agent/quick", json=body)
        assert answer.status_code == 429
        assert "3 sessions" in answer.json()["detail"]
        told = await notebook.get("?limit=2")
        assert told["active_sessions"] == 3
        assert len({each["session_id"] for each in told["sessions"]}) == 2
        for each in told["sessions"]:
            assert each == await notebook.get(f"/{each['session_id']}")
            assert each["turn_count"] == 2
        await notebook.ask(HELLO, "user_0_notebook_1")
        await notebook.http.delete("/api/sessions/user_0_notebook_1")
        await notebook.ask(HELLO, "user_4_notebook_1")
        for wrong in ("a b", "x" * 101):
            body = {"query": HELLO, "context": {"session_id": wrong}}
            assert (await notebook.http.post("/api/agent/quick", json=body)).status_code == 422


@pytest.mark.row("S2-20", "S2-21", "S2-22")
def test_options_come_from_the_environment() -> None:
    given = {"SESSION_MAX_AGE_HOURS": "2", "SESSION_MAX_CONCURRENT": "3", "SESSION_HISTORY_LIMIT": "7"}
    assert Options.from_environment(given) == Options(2.0, 3, 7)
    assert Options.from_environment({}) == Options(24.0, 1000, 100)
    with pytest.raises(ValueError, match="SESSION_MAX_CONCURRENT"):
        Options.from_environment({"SESSION_MAX_CONCURRENT": "0"})


@pytest.mark.asyncio
@pytest.mark.row("S2-30", "S2-37", "S2-9")
async def test_code_and_history_are_exported_as_they_are(notebook: Notebook) -> None:
    code = "text = '''a\n  b\t`c`'''\nprint(text)"
    await notebook.run(code)
    exported = await notebook.get(f"/{NAME}/export")
    copy = Session.import_(exported)
    assert copy.get_history()[0]["content"] == f"```python\n{code}\n```"
    assert copy["variables"]["text"]["type"] == "str"
    markdown = (await notebook.http.get(f"/api/sessions/{NAME}/export?format=markdown")).text
    assert code in markdown


@pytest.mark.asyncio
@pytest.mark.row("S2-23")
async def test_code_is_not_run_unless_enabled(notebook: Notebook) -> None:
    kernels.enabled = False
    assert "Running code is off" in said(await notebook.ask("```python\nprint(1)\n```"))


@pytest.mark.asyncio
@pytest.mark.row("S2-23")
async def test_kernels_keep_to_their_limits(tmp_path: Path) -> None:
    limits = KernelLimits(time_s=3, memory_bytes=1024**3, output_chars=100)
    kernel = Kernel(tmp_path, limits)
    try:
        assert (await kernel.execute("x = 1\nprint(x)")).output == "1\n"
        done = await kernel.execute("while True: pass")
        assert (done.status, done.error) == ("time_limit", "Stopped after 3 seconds.")
        assert (await kernel.execute("print(x)")).output == "1\n"
        assert (await kernel.execute("b = bytearray(4 * 1024**3)")).error.startswith("MemoryError")
        assert (await kernel.execute("print('y' * 1000)")).output == "y" * 100 + "\n[output cut]"
        assert (
            await kernel.execute("import os; print(os.environ.get('CODING_AGENT_EXECUTE'))")
        ).output == "None\n"
        running_code = asyncio.create_task(kernel.execute("import time\nprint('on')\ntime.sleep(60)"))
        await asyncio.sleep(0)
        done = await _interrupted(kernel, running_code)
        assert done.error.startswith("KeyboardInterrupt")
        await kernel.restart()
        assert (await kernel.execute("print(x)")).error == "NameError: name 'x' is not defined"
    finally:
        await kernel.close()


@pytest.mark.asyncio
@pytest.mark.row("S2-23")
async def test_code_whose_kernel_is_still_starting_is_stopped(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    try:
        done = await _interrupted(kernel, asyncio.create_task(kernel.execute("while True: pass")))
        assert done.error.startswith("KeyboardInterrupt")
        assert (await kernel.execute("print('on')")).output == "on\n"
    finally:
        await kernel.close()


async def _interrupted(kernel: Kernel, work: asyncio.Task[Executed]) -> Executed:
    """Press stop until it has stopped."""
    while not work.done():
        await kernel.interrupt()
        await asyncio.wait([work], timeout=0.2)
    return work.result()


@pytest.mark.asyncio
@pytest.mark.row("S2-23")
async def test_a_dead_kernel_is_told_and_replaced(notebook: Notebook) -> None:
    await notebook.run("kept = 1")
    async with threadline.connect(notebook.server, token="coding-agent") as client:
        (found,) = await client.sessions.list(label=f"name:{NAME}")
        kernel = await kernels.of(found.id)
        assert isinstance(kernel, Kernel)
        os.kill(kernel.pid, signal.SIGKILL)
    assert "The kernel died" in await notebook.run("print(kept)")
    assert (await notebook.get(f"/{NAME}"))["variables"] == []
    assert (await notebook.run("print('back')")).strip() == "back"


@pytest.mark.asyncio
@pytest.mark.row("S2-23")
async def test_a_kernel_is_interrupted_and_restarted(notebook: Notebook) -> None:
    await notebook.run("kept = 1")
    asked = asyncio.create_task(notebook.run("while True: pass"))
    while not asked.done():
        await notebook.http.post(f"/api/sessions/{NAME}/interrupt")
        await asyncio.wait([asked], timeout=0.2)
    assert "KeyboardInterrupt" in await asked
    assert (await notebook.get(f"/{NAME}"))["variables"] == ["kept"]
    answer = await notebook.http.post(f"/api/sessions/{NAME}/restart")
    assert answer.json() == {"status": "restart", "session_id": NAME}
    assert (await notebook.get(f"/{NAME}"))["variables"] == []
    assert "NameError" in await notebook.run("print(kept)")
    assert (await notebook.http.post(f"/api/sessions/{NAME}/explode")).status_code == 404


class Stream:
    """A client of the streaming WebSocket."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket
        self.seen: list[Json] = []

    async def send(self, **message: Any) -> None:
        await self._socket.send(json.dumps(message))

    async def until(self, *kinds: str) -> Json:
        while True:
            self.seen.append(json.loads(await asyncio.wait_for(self._socket.recv(), 60)))
            if self.seen[-1]["type"] in kinds:
                return self.seen[-1]

    def kinds(self) -> list[str]:
        return [event["type"] for event in self.seen]


@pytest.mark.asyncio
@pytest.mark.row("S2-40", "S2-14")
async def test_a_query_is_streamed_with_approval_and_cancel(notebook: Notebook) -> None:
    address = notebook.url.replace("http", "ws") + "/api/agent/stream"
    context = {"session_id": NAME, "require_approval": True}
    assert (await notebook.http.get("/health")).json() == {"status": "ok"}
    async with websockets.connect(address) as socket:
        stream = Stream(socket)
        await stream.send(type="query", query="```python\nprint('one')\n```", context=context)
        await stream.until("approval_needed")
        await stream.send(type="approval", approved=True)
        await stream.until("complete")
        told = [kind for place, kind in enumerate(stream.kinds()) if kind not in stream.kinds()[:place]]
        order = "plan thinking code approval_needed execution_result explanation usage complete"
        assert told == order.split()
        stream.seen.clear()
        await stream.send(type="query", query="```python\nprint('two')\n```", context=context)
        await stream.until("approval_needed")
        await stream.send(type="approval", approved=True, modifications="print('three')")
        await stream.until("complete")
        results = [
            event["result"]["output"]
            for event in stream.seen
            if event["type"] == "execution_result" and isinstance(event["result"], dict)
        ]
        assert results[-1] == "three"
        await stream.send(type="query", query="```python\nprint('four')\n```", context=context)
        await stream.until("approval_needed")
        await stream.send(type="cancel")
        assert (await stream.until("complete"))["status"] == "cancelled"
        await stream.send(type="nonsense")
        assert "nonsense" in (await stream.until("error"))["error"]


@pytest.mark.asyncio
@pytest.mark.row("S2-28", "S2-32", "S2-35")
async def test_devices_undo_their_own_edits_and_delete_on_close(notebook: Notebook) -> None:
    await notebook.ask(HELLO)
    async with (
        threadline.connect(notebook.server, token="coding-agent") as one,
        threadline.connect(notebook.server, token="coding-agent") as two,
    ):
        (found,) = await one.sessions.list(label=f"name:{NAME}")
        assert (await one.sessions.update(found.id, title="Ages")).title == "Ages"
        first, second = await one.open(found.id), await two.open(found.id)
        first["mine"] = 1
        second["yours"] = 2
        async with asyncio.timeout(20):
            await first.until(lambda: first.get("yours") == 2)
            await second.until(lambda: second.get("mine") == 1)
            assert first.undo()
            await second.until(lambda: "mine" not in second)
        assert (first.get("yours"), second.get("yours")) == (2, 2)
        await first.close(delete=True)
    assert (await notebook.http.get(f"/api/sessions/{NAME}")).status_code == 404


@asynccontextmanager
async def conversation_of(notebook: Notebook, turns: int) -> AsyncIterator[str]:
    """The name of a conversation that has had so many turns already."""
    name = f"long-{turns}"
    past = Session()
    for turn in range(turns // 2):
        past.add_message("user", f"turn {turn:04}")
        past.add_message("agent", "I write and run Python.")
    async with threadline.connect(notebook.server, token="coding-agent") as client:
        made = await client.sessions.import_(past.export("json"))
        await client.sessions.update(made.id, labels=["coding-agent", f"name:{name}"])
        yield name


@pytest.mark.asyncio
@pytest.mark.row("S2-22")
async def test_a_hundred_turns_are_kept_of_a_hundred_and_twenty(notebook: Notebook) -> None:
    async with conversation_of(notebook, 120) as name:
        history = await notebook.get(f"/{name}/history?max_turns=1000")
        assert (history["turn_count"], len(history["history"])) == (100, 100)
        assert history["history"][0]["content"] == "turn 0010"
        told = said(await notebook.ask("What did I ask before?", name))
        assert told.startswith("You asked 49 times: turn 0011;")  # the question is one of the hundred


@pytest.mark.asyncio
@pytest.mark.row("S2-36")
async def test_what_is_read_of_a_long_conversation_does_not_grow_with_it(start: Start) -> None:
    async with start(history_limit=10) as notebook:
        told = []
        for turns in (20, 400):
            async with conversation_of(notebook, turns) as name:
                window = await notebook.http.get(f"/api/sessions/{name}/history?max_turns=10")
                answer = await notebook.ask("What did I ask before?", name)
                told.append((len(window.json()["history"]), answer["usage"], len(said(answer))))
        assert told[0] == told[1]


class Remembered:
    """A runtime of another kind: it runs nothing and tells what it was given."""

    def __init__(self, workspace: Path) -> None:
        self.given: list[str] = []

    async def execute(self, code: str) -> Executed:
        self.given.append(code)
        return Executed(output=f"given {len(self.given)}", variables={"n": {"type": "int"}})

    async def interrupt(self) -> None: ...

    async def restart(self) -> None: ...

    async def close(self) -> None: ...


@pytest.mark.asyncio
@pytest.mark.row("S2-24")
async def test_another_runtime_takes_the_place_of_the_kernel(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "make", Remembered)
    assert (await notebook.run("anything")).strip() == "given 1"
    assert (await notebook.run("more")).strip() == "given 2"
    assert (await notebook.get(f"/{NAME}"))["variables"] == ["n"]


@pytest.mark.asyncio
@pytest.mark.row("S2-27", "S2-29")
async def test_a_conversation_is_replayed_and_branched(notebook: Notebook) -> None:
    await notebook.ask("first question", variables={"df": "DataFrame"})
    async with threadline.connect(notebook.server, token="coding-agent") as client:
        (found,) = await client.sessions.list(label=f"name:{NAME}")
        session = await client.open(found.id)
        log = await client.api.call("GET", f"/sessions/{found.id}/replay")
        replayed: Doc[Any] = Doc()
        for update in [log["base"], *(change["update"] for change in log["changes"])]:
            if update is not None:
                replayed.apply_update(b64decode(update))
        assert SessionDocument(replayed).digest() == session.document.digest()
        body = {"changes": len(log["changes"])}
        made = await client.api.call("POST", f"/sessions/{found.id}/branch", body=body)
        branch = await client.open(made["id"])
        assert branch.get_history() == session.get_history()
        branch["only_here"] = True
        await branch.saved(20)
        await notebook.ask("second question")
        async with asyncio.timeout(20):
            await session.until(lambda: len(session.messages) == 4)
        assert len(branch.messages) == 2
        assert "only_here" not in session
