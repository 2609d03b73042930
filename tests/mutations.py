"""Breaks behaviour on purpose, and shows that tests notice: `python -m tests.mutations [ROW ...]`.

Each mutation is one place of the source, changed in a temporary copy of the repository; the tests that name
its row pass before, and one of them must fail then. Ends with 1 where none does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.rows import ROOT, marked

COPIED = ("client_py", "server", "tests", "examples", "docs", "pyproject.toml", "README.md", "Makefile")
LEFT_OUT = shutil.ignore_patterns("node_modules", "__pycache__", "e2e")
PATIENCE_S = 300


@dataclass(frozen=True, slots=True)
class Mutation:
    """`before` stands once in `path`; the tests of `row` must fail with `after` in its place."""

    row: str
    path: str
    before: str
    after: str

    def apply(self, root: Path) -> str:
        """The original text of the file. Raises ValueError where the source has moved on."""
        file = root / self.path
        text = file.read_text()
        if text.count(self.before) != 1:
            raise ValueError(f"{self.row}: {self.before!r} is not once in {self.path}")
        file.write_text(text.replace(self.before, self.after))
        return text


SDK, KIT, GYM = "client_py/threadline", "client_py/threadline/agents", "client_py/threadline/environment"
COUNTER, CODING = "examples/counter_environment/counter.py", "examples/coding_agent"

MUTATIONS = (
    Mutation("S0-2", COUNTER, '"count", -change.count', '"count", change.count'),
    Mutation("S0-4", COUNTER, 'task.initial_count - session.counters["count"]', "0"),
    Mutation("S0-6", f"{GYM}/app.py", "await self.rollouts.delete(call.ticket.session)", "pass"),
    Mutation("S0-8", COUNTER, "== task.expected_count", ">= task.expected_count"),
    Mutation("S0-9", f"{GYM}/app.py", "create=False", "create=True"),
    Mutation("S0-14", COUNTER, ' - session.counters["count"]', ""),
    Mutation(
        "S0-18",
        f"{GYM}/cookies.py",
        'if message["type"] ==',
        'if message.get("status") == 200 and message["type"] ==',
    ),
    Mutation("S0-19", f"{GYM}/ticket.py", "cookies.get(name)", "next(iter(cookies.values()), None)"),
    Mutation("S0-20", f"{GYM}/app.py", '"response": body.response, "reward"', '"response": {}, "reward"'),
    Mutation("S0-21", f"{GYM}/rewards.py", "statistics.stdev(", "statistics.pstdev("),
    Mutation("S0-22", f"{GYM}/cookies.py", '_PREFIX.sub("", scope["path"], count=1)', 'scope["path"]'),
    Mutation("S0-23", f"{GYM}/rollouts.py", "lambda: ticket.is_covered_by(_clocks(session))", "lambda: True"),
    Mutation(
        "S1-5",
        f"{SDK}/transcript.py",
        "self.messages.set_status(message_id, MessageStatus.RETRACTED)",
        "pass",
    ),
    Mutation("S1-7", f"{KIT}/compaction.py", "<= max_tokens", "<= 100 * max_tokens"),
    Mutation("S1-8", f"{KIT}/windows.py", "        return turns[-self.keep :]", "        return turns"),
    Mutation("S1-12", f"{SDK}/session.py", "session.document.doc.apply_update(saved.data)", "pass"),
    Mutation("S1-18", f"{KIT}/surroundings.py", "merged.update(given)", "pass"),
    Mutation(
        "S1-20",
        f"{SDK}/session.py",
        "self._parent._read(key) if self._parent is not None else _MISSING",
        "_MISSING",
    ),
    Mutation(
        "S1-21",
        f"{SDK}/session.py",
        "self._state.set(key, value, expires_at_ms=self._expiry(ttl))",
        "self._state.set(key, value)",
    ),
    Mutation("S1-23", f"{KIT}/surroundings.py", "<= self.max_age_s", ">= 0"),
    Mutation("S2-6", f"{CODING}/app.py", "turns[-max_turns:]", "turns[:max_turns]"),
    Mutation("S2-12", f"{CODING}/conversations.py", '{**session.get("variables", {}), **told}', "told"),
    Mutation("S2-18", f"{CODING}/__main__.py", "expire_after_s=expire_s", "expire_after_s=86_400.0"),
    Mutation(
        "S2-19",
        f"{CODING}/conversations.py",
        ">= self._options.max_concurrent",
        "> self._options.max_concurrent",
    ),
    Mutation(
        "S2-22",
        f"{CODING}/conversations.py",
        "session.get_history(self._options.history_limit)",
        "session.get_history()",
    ),
    Mutation("S2-23", f"{CODING}/agent.py", "if not kernels.enabled:", "if False:"),
    Mutation("S2-28", f"{SDK}/session.py", "self._undo is not None and self._undo.undo()", "True"),
    Mutation(
        "S2-31",
        "server/threadline_server/edge/http/members.py",
        "update_session(record.id, members={user: role})",
        'update_session(record.id, members={user: role or "editor"})',
    ),
    Mutation("S2-35", f"{SDK}/live_session.py", "await self._client.sessions.delete(self.id)", "pass"),
    Mutation("S2-40", f"{CODING}/streaming.py", "await self._run.approve()", "await self._run.reject()"),
    Mutation(
        "S3-3",
        f"{KIT}/execution.py",
        "self._steps >= self.limits.max_steps",
        "self._steps > self.limits.max_steps",
    ),
    Mutation("S3-11", f"{KIT}/execution.py", "> self.limits.max_tokens", "> 100 * self.limits.max_tokens"),
    Mutation(
        "S4-15", f"{SDK}/session.py", "self._modified |= self._state.delete(key)", "self._state.delete(key)"
    ),
    Mutation(
        "S4-17",
        f"{SDK}/session.py",
        "value if as_type is None else load_as(cast(JSON, value), as_type)",
        "value",
    ),
    Mutation(
        "S4-30",
        f"{KIT}/execution.py",
        "if tool.requires_approval:\n            word",
        "if False:\n            word",
    ),
    Mutation(
        "S4-43",
        f"{KIT}/interceptors.py",
        'f"{self.system}\\n\\n{text}" if self.system else text',
        "self.system",
    ),
    Mutation(
        "S4-47",
        f"{KIT}/interceptors.py",
        "yield Said(stopped.user_message)\n            return",
        "yield Said(stopped.user_message)",
    ),
    Mutation("S4-49", f"{KIT}/helpdesk/request.py", "state=_state(messages)", "state={}"),
    Mutation(
        "S4-50",
        f"{KIT}/helpdesk/request.py",
        'if isinstance(data.get("session"), dict)',
        'if data.get("session")',
    ),
    Mutation("S4-52", f"{SDK}/sensitive.py", "if _SECRET.search(key) is None", "if True"),
)


def tests_of(row: str) -> list[str]:
    return [f"{path}::{name}" for path, name in marked()[row] if not path.startswith("tests/e2e/")]


def copy_into(root: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=LEFT_OUT)
        else:
            shutil.copy(source, root / name)


def failure(root: Path, tests: list[str]) -> str:
    """What pytest says of the first that fails with the sources of the copy; empty where all pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {
        "PYTHONPATH": f"{root / 'client_py'}:{root / 'server'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
    )
    return run.stdout + run.stderr if run.returncode else ""


def main() -> int:
    chosen = [mutation for mutation in MUTATIONS if mutation.row in (sys.argv[1:] or [mutation.row])]
    survived = []
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        copy_into(root)
        if failed := failure(root, sorted({test for mutation in chosen for test in tests_of(mutation.row)})):
            print(f"The tests fail as it is.\n{failed}")
            return 1
        for mutation in chosen:
            original = mutation.apply(root)
            noticed = failure(root, tests_of(mutation.row)) != ""
            (root / mutation.path).write_text(original)
            survived += [] if noticed else [mutation.row]
            outcome = "noticed" if noticed else "NOT NOTICED"
            print(f"{mutation.row:6} {outcome:12} {mutation.path}: {mutation.before!r}", flush=True)
    print(f"{len(chosen) - len(survived)} of {len(chosen)} noticed", *survived)
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
