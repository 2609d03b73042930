"""The counter environment, driven over HTTP as a NeMo Gym agent drives it."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from examples.counter_environment import make_rows
from examples.counter_environment.agent import Rollout
from examples.counter_environment.counter import StatefulCounter, Target
from examples.hosting import hosted
from pycrdt import Map
from tests.examples.conftest import Serve
from tests.examples.running import ROOT, becomes, run_example
from tests.raw_device import RawDevice

import threadline
from threadline.environment import aggregate, environment_app
from threadline.environment.ticket import Ticket

ROW = {"initial_count": 3, "expected_count": 5, "responses_create_params": {"input": []}}
RESPONSE = {"id": "r", "object": "response", "output": []}

Host = Callable[[Any], Awaitable[str]]


@pytest_asyncio.fixture
async def environment(server: str, host: Host) -> str:
    return await host(environment_app(StatefulCounter(), server))


@pytest_asyncio.fixture
async def rollout(environment: str, http: httpx.AsyncClient) -> Rollout:
    return Rollout(http, environment)


async def count(rollout: Rollout) -> int:
    value = (await rollout.post("/get_counter_value")).json()["count"]
    assert isinstance(value, int)
    return value


async def add(rollout: Rollout, number: object) -> httpx.Response:
    return await rollout.post("/increment_counter", {"count": number})


async def reward(rollout: Rollout, expected: int) -> float:
    body = {**ROW, "expected_count": expected, "response": RESPONSE}
    answer = await rollout.post("/verify", body)
    assert answer.status_code == 200
    return float(answer.json()["reward"])


def session_of(rollout: Rollout) -> str:
    (cookie,) = rollout.cookies.values()
    return cookie.split(".")[0]


@pytest.mark.asyncio
@pytest.mark.row("S0-1")
async def test_increments_accumulate(rollout: Rollout) -> None:
    assert (await add(rollout, 1)).json() == {"success": True}
    assert (await add(rollout, 1)).json() == {"success": True}
    assert await count(rollout) == 2


@pytest.mark.asyncio
@pytest.mark.row("S0-2")
async def test_decrements_go_down(rollout: Rollout) -> None:
    await add(rollout, 5)
    await add(rollout, -1)
    assert await count(rollout) == 4
    await rollout.post("/decrement_counter", {"count": 3})
    assert await count(rollout) == 1


@pytest.mark.asyncio
@pytest.mark.row("S0-3")
async def test_reading_takes_no_body_or_an_empty_one(rollout: Rollout) -> None:
    await add(rollout, 2)
    assert (await rollout.post("/get_counter_value")).json() == {"count": 2}
    assert (await rollout.post("/get_counter_value", {})).json() == {"count": 2}


@pytest.mark.asyncio
@pytest.mark.row("S0-4")
async def test_a_row_seeds_the_count(rollout: Rollout) -> None:
    assert (await rollout.post("/seed_session", ROW)).json() == {}
    assert await count(rollout) == 3


@pytest.mark.asyncio
@pytest.mark.row("S0-5")
async def test_twenty_rollouts_at_once_do_not_meet(environment: str, http: httpx.AsyncClient) -> None:
    rollouts = [(Rollout(http, environment), row) for row in make_rows.load() for _ in range(4)]
    rewards = await asyncio.gather(*(rollout.run(row) for rollout, row in rollouts))
    assert rewards == [1.0] * 20


@pytest.mark.asyncio
@pytest.mark.row("S0-6")
async def test_a_deleted_rollout_reads_zero(rollout: Rollout, server: str) -> None:
    await add(rollout, 4)
    old = dict(rollout.cookies)
    session = session_of(rollout)
    answer = await rollout._http.delete(f"{rollout._url}/session", headers={"cookie": _header(old)})
    rollout._http.cookies.clear()
    assert answer.json() == {"status": "cleared"}
    rollout.cookies = old
    assert await count(rollout) == 0
    assert session_of(rollout) != session
    async with threadline.connect(server, token="environment") as client:
        with pytest.raises(threadline.SessionError):
            await client.sessions.get(session)


@pytest.mark.asyncio
@pytest.mark.row("S0-6")
async def test_an_idle_rollout_expires(threadline_at: Serve, http: httpx.AsyncClient) -> None:
    options = {"expire_after_s": 0.2, "upkeep_every_s": 0.05, "grace_s": 0.05}
    async with threadline_at(**options) as server:
        app = environment_app(StatefulCounter(), server, linger_s=0.05)
        async with hosted(app) as url, threadline.connect(server, token="environment") as client:
            rollout = Rollout(http, url)
            await add(rollout, 4)

            async def is_gone() -> bool:
                return session_of(rollout) not in {found.id for found in await client.sessions.list()}

            await becomes(is_gone)
            assert await count(rollout) == 0


@pytest.mark.asyncio
@pytest.mark.row("S0-7")
async def test_arguments_of_another_type_change_nothing(rollout: Rollout) -> None:
    await add(rollout, "2")
    answer = await add(rollout, "x")
    assert answer.status_code == 422
    (fault,) = answer.json()["detail"]
    assert fault["loc"] == ["body", "count"]
    assert fault["type"] == "int_parsing"
    assert fault["input"] == "x"
    assert await count(rollout) == 2


@pytest.mark.asyncio
@pytest.mark.row("S0-8")
async def test_the_reward_compares_with_the_target(rollout: Rollout) -> None:
    await rollout.seed(ROW)
    await add(rollout, 2)
    assert await reward(rollout, 5) == 1.0
    assert await reward(rollout, 6) == 0.0
    assert await reward(rollout, 4) == 0.0


@pytest.mark.asyncio
@pytest.mark.row("S0-9")
async def test_a_session_that_was_never_seeded_is_worth_nothing(rollout: Rollout) -> None:
    assert await reward(rollout, 0) == 0.0
    assert await reward(rollout, 0) == 0.0  # nor does having verified make it known


@pytest.mark.row("S0-10")
def test_the_rows_are_what_the_generator_makes(tmp_path: Path) -> None:
    rows = make_rows.load()
    targets = [(row["initial_count"], row["expected_count"]) for row in rows]
    assert targets == [(3, 6), (6, 15), (9, 24), (12, 33), (15, 42)]
    assert all(row["responses_create_params"]["tools"] for row in rows)
    out = tmp_path / "rows.jsonl"
    subprocess.run(
        [sys.executable, "-m", "examples.counter_environment.make_rows", "--out", str(out)],
        check=True,
        cwd=ROOT,
    )
    assert out.read_text() == make_rows.ROWS.read_text()


@pytest.mark.asyncio
@pytest.mark.row("S0-11")
async def test_one_command_prints_five_rewards() -> None:
    output = await run_example("examples.counter_environment", "--check")
    assert output.splitlines() == [f"row {index}: reward 1.0" for index in range(5)]


@pytest.mark.asyncio
@pytest.mark.row("S0-12", "S0-24")
async def test_calls_of_one_output_are_made_in_order_from_seed_to_verify(rollout: Rollout) -> None:
    row = make_rows.row(0)
    await rollout.seed(row)
    output = await rollout.act(row)
    kinds = [(item["type"], item.get("name") or item.get("output")) for item in output]
    assert kinds[:-1] == [
        ("function_call", "increment_counter"),
        ("function_call_output", '{"success":true}'),
        ("function_call", "increment_counter"),
        ("function_call_output", '{"success":true}'),
        ("function_call", "get_counter_value"),
        ("function_call_output", '{"count":6}'),
    ]
    assert output[-1]["type"] == "message"
    assert await rollout.verify(row, output) == 1.0


@pytest.mark.asyncio
@pytest.mark.row("S0-13")
async def test_another_client_without_a_cookie_reads_zero(
    rollout: Rollout, environment: str, http: httpx.AsyncClient
) -> None:
    await rollout.seed(ROW)
    assert await count(Rollout(http, environment)) == 0
    assert await count(rollout) == 3


@pytest.mark.asyncio
@pytest.mark.row("S0-14")
async def test_seeding_again_replaces(rollout: Rollout) -> None:
    await rollout.seed(ROW)
    await add(rollout, 2)
    await rollout.seed({**ROW, "initial_count": 9})
    assert await count(rollout) == 9
    answer = await rollout.post("/seed_session", {"expected_count": 5})
    assert answer.status_code == 422
    (fault,) = answer.json()["detail"]
    expected = {"type": "missing", "loc": ["body", "initial_count"], "msg": "Field required"}
    assert fault == {**expected, "input": {"expected_count": 5}}
    assert await count(rollout) == 9


@pytest.mark.asyncio
@pytest.mark.row("S0-15")
async def test_five_hundred_increments_in_two_processes_add_up(server: str, http: httpx.AsyncClient) -> None:
    async with environment_process(server) as one, environment_process(server) as two:
        first = Rollout(http, one)
        await first.seed({**ROW, "initial_count": 0})
        cookies = dict(first.cookies)

        async def increment(url: str) -> None:
            rollout = Rollout(http, url)
            rollout.cookies = cookies
            assert (await add(rollout, 1)).json() == {"success": True}

        await asyncio.gather(*(increment((one, two)[place % 2]) for place in range(500)))

        for url in (one, two):
            reader = Rollout(http, url)
            reader.cookies = cookies

            async def is_complete(reader: Rollout = reader) -> bool:
                return await count(reader) == 500

            await becomes(is_complete)
            assert await reward(reader, 500) == 1.0


@pytest.mark.asyncio
@pytest.mark.row("S0-18")
async def test_every_response_sends_the_cookie_again(rollout: Rollout) -> None:
    name = "StatefulCounter___counter_environment"
    for path, body, status in (
        ("/get_counter_value", None, 200),
        ("/no_such_tool", None, 404),
        ("/increment_counter", {}, 422),
    ):
        answer = await rollout.post(path, body)
        assert answer.status_code == status
        line = answer.headers["set-cookie"]
        assert line.startswith(f"{name}=rollout-")
        assert line.endswith("; path=/; Max-Age=1209600; httponly; samesite=lax")


@pytest.mark.asyncio
@pytest.mark.row("S0-18")
async def test_without_the_cookie_every_reward_is_zero(environment: str, http: httpx.AsyncClient) -> None:
    class Forgetful(Rollout):
        async def post(self, path: str, body: object = None) -> httpx.Response:
            answer = await super().post(path, body)
            self.cookies = {}
            return answer

    rewards = await asyncio.gather(*(Forgetful(http, environment).run(row) for row in make_rows.load()))
    assert rewards == [0.0] * 5


@pytest.mark.asyncio
@pytest.mark.row("S0-19")
async def test_foreign_cookies_and_unknown_fields_are_ignored(rollout: Rollout) -> None:
    await rollout.seed({**ROW, "agent_ref": {"name": "a"}, "_ng_task_index": 1, "no_such_field": None})
    await add(rollout, 2)
    rollout.cookies = {"SimpleAgent___counter_simple_agent": "eyJhIjoxfQ==.x.y", **rollout.cookies}
    assert await reward(rollout, 5) == 1.0


@pytest.mark.asyncio
@pytest.mark.row("S0-20")
async def test_verify_gives_back_what_it_judged(rollout: Rollout) -> None:
    await rollout.seed(ROW)
    answer = (await rollout.post("/verify", {**ROW, "response": RESPONSE})).json()
    expected = {"responses_create_params": ROW["responses_create_params"], "response": RESPONSE}
    assert answer == {**expected, "reward": 0.0}


@pytest.mark.asyncio
@pytest.mark.row("S0-21")
async def test_rewards_are_aggregated(rollout: Rollout) -> None:
    rewards = [(0, 0, 1.0), (0, 1, 0.0), (1, 0, 1.0)]
    rows = [{"_ng_task_index": t, "_ng_rollout_index": r, "reward": value} for t, r, value in rewards]
    answer = (await rollout.post("/aggregate_metrics", {"verify_responses": rows})).json()
    assert answer["key_metrics"] == {"mean/reward": pytest.approx(2 / 3)}
    assert answer["agent_metrics"]["median/reward"] == 1.0
    assert answer["agent_metrics"]["std/reward"] == pytest.approx(math.sqrt(1 / 3))
    first, second = answer["group_level_metrics"]
    assert (first["_ng_task_index"], first["mean/reward"], first["num_rollouts"]) == (0, 0.5, 2)
    assert (second["std/reward"], second["missing_num_rollouts"]) == (0.0, 0)
    assert [info["_ng_rollout_index"] for info in first["rollout_infos"]] == [0, 1]
    assert aggregate([])["key_metrics"] == {}


@pytest.mark.asyncio
@pytest.mark.row("S0-22")
async def test_status_mode_and_the_rollout_prefix(
    rollout: Rollout, environment: str, http: httpx.AsyncClient
) -> None:
    assert (await http.get(environment + "/")).json() == {"status": "ok"}
    assert (await http.get(environment + "/reverify_mode")).json() == "unsupported"
    answer = await rollout.post("/ng-rollout/task-1.a_2/increment_counter", {"count": 2})
    assert answer.json() == {"success": True}
    assert await count(rollout) == 2


@pytest.mark.asyncio
@pytest.mark.row("S0-23")
async def test_a_rollout_survives_restarts_and_goes_on_in_another_process(
    threadline_at: Serve, http: httpx.AsyncClient
) -> None:
    async with threadline_at() as server, hosted(environment_app(StatefulCounter(), server)) as url:
        rollout = Rollout(http, url)
        await rollout.seed(ROW)
        await add(rollout, 1)
    async with threadline_at() as server, hosted(environment_app(StatefulCounter(), server)) as url:
        later = Rollout(http, url)
        later.cookies = rollout.cookies
        await add(later, 1)
        assert await reward(later, 5) == 1.0


@pytest.mark.asyncio
@pytest.mark.row("S0-23")
async def test_a_client_never_reads_less_than_it_has_seen(server: str, http: httpx.AsyncClient) -> None:
    """Every call goes to the other process than the one before."""
    apps = [environment_app(StatefulCounter(), server) for _ in range(2)]
    async with hosted(apps[0]) as one, hosted(apps[1]) as two:
        rollout = Rollout(http, one)
        await rollout.seed({**ROW, "initial_count": 0})
        for step in range(1, 21):
            rollout._url = (one, two)[step % 2]
            await add(rollout, 1)
            rollout._url = (two, one)[step % 2]
            assert await count(rollout) == step


@pytest.mark.asyncio
@pytest.mark.row("S0-23")
async def test_a_process_that_is_behind_waits_for_what_its_client_saw(rollout: Rollout, server: str) -> None:
    """The client has seen a change that is not at the server yet."""
    await rollout.seed(ROW)
    ((name, cookie),) = rollout.cookies.items()
    ticket = Ticket.read(cookie)
    assert ticket is not None
    device = RawDevice(ticket.session, "environment")
    await device.join(server)
    await device.until_synced()
    await device.leave()
    device.doc.get("counters", type=Map)[f"count/{device.doc.client_id}"] = 4
    rollout.cookies = {name: str(ticket.seen(device.doc.get_state()))}
    asked = asyncio.create_task(count(rollout))
    await asyncio.wait([asked], timeout=0.5)  # long enough for an answer that does not wait
    await device.join(server)
    assert await asked == 7
    await device.leave()


@pytest.mark.asyncio
@pytest.mark.row("S0-26")
async def test_a_device_that_joins_the_rollout_sees_the_count_change(rollout: Rollout, server: str) -> None:
    await rollout.seed(ROW)
    async with threadline.connect(server, token="ada") as client:
        session = await client.open(session_of(rollout), create=False)
        assert session.counters["count"] == 3
        await add(rollout, 4)
        async with asyncio.timeout(20):
            await session.until(lambda: session.counters["count"] == 7)


class Judged(StatefulCounter):
    async def verify(  # type: ignore[override]  # a coroutine function serves as well
        self, session: threadline.Session, task: Target, response: dict[str, Any]
    ) -> float:
        await asyncio.sleep(0)
        return 0.25 if response["id"] == "r" else 0.0


@pytest.mark.asyncio
@pytest.mark.row("S0-27")
async def test_verifying_may_ask_a_judge(server: str, host: Host, http: httpx.AsyncClient) -> None:
    rollout = Rollout(http, await host(environment_app(Judged(), server)))
    await rollout.seed(ROW)
    assert await reward(rollout, 5) == 0.25


def _header(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


class environment_process:  # noqa: N801  (a context manager)
    """`python -m examples.counter_environment --serve` in a process of its own."""

    def __init__(self, server: str) -> None:
        self._server = server

    async def __aenter__(self) -> str:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "examples.counter_environment", "--serve", "--threadline", self._server),
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        line = (await asyncio.wait_for(self._process.stdout.readline(), 30)).decode()
        return line.split()[2].rstrip(",")

    async def __aexit__(self, *error: object) -> None:
        self._process.terminate()
        await self._process.communicate()


@pytest.mark.row("S0-25")
def test_the_page_says_how_to_begin_isolate_clean_up_and_repair() -> None:
    page = (ROOT / "docs" / "environments.md").read_text()
    for heading in (
        "Initialising the state",
        "Isolating rollouts",
        "Cleaning up",
        "When state leaks between rollouts",
        "When the state is not initialised",
        "When concurrent calls corrupt the state",
    ):
        assert f"\n## {heading}\n" in page
