"""The API as its own description has it: Schemathesis makes requests of it, and looks at every answer."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest
from tests.api.conftest import SESSIONS, Api

pytestmark = pytest.mark.asyncio

SEED = 7
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance"
)
CONFIGURATION = """
[parameters]
session = "trip"
user = "bob"

[[operations]]
include-name = "DELETE /api/v1/sessions/{session}"
parameters = { session = "doomed" }

[[operations]]
include-path-regex = "conversations"
parameters = { session = "talk" }

[[operations]]
include-name = "GET /api/v1/sessions/{session}/runs/{run}"
parameters = { session = "trip", run = "RUN" }
"""


async def test_no_answer_is_a_failure_or_undocumented(api: Api, tmp_path: Path, full: bool) -> None:
    """A short fixed run of it, or with `--full` a long one."""
    for session in ("trip", "doomed"):
        await api.post(SESSIONS, {"id": session, "goal": "remember city Berlin"})
        await api.becomes(session, "completed")
    await api.post("/api/v1/conversations", {"id": "talk"})
    run = (await api.http.get(f"{SESSIONS}/trip/runs")).json()["runs"][0]["id"]
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION.replace("RUN", run))
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert program is not None
    process = await asyncio.create_subprocess_exec(
        program,
        *("--config-file", "schemathesis.toml", "run", f"{api.server.url}/openapi.json"),
        *("--header", "Authorization: Bearer ada", "--checks", CHECKS, "--seed", str(SEED)),
        *("--phases", "coverage,fuzzing", "--max-examples", "200" if full else "2"),
        *("--max-time", "300" if full else "10", "--request-timeout", "10", "--no-color"),
        *("--suppress-health-check", "all", "--warnings", "off", "--generation-database", "none"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
    )
    output, _ = await process.communicate()
    said = "\n".join(line[:500] for line in output.decode(errors="replace").splitlines())
    assert process.returncode == 0, said
    assert (await api.session("trip"))["title"] is not None, said  # requests were for a session that is there


async def test_every_operation_is_described(api: Api) -> None:
    description = (await api.http.get("/openapi.json")).json()
    page = (await api.http.get("/docs")).text
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            assert f"{method.upper()} {path}" in page
            assert operation.get("description"), f"{method} {path}"
            if operation.get("security"):
                assert {"400", "401", "422", "503"} <= operation["responses"].keys(), f"{method} {path}"
