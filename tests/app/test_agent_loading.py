from __future__ import annotations

from pathlib import Path

import pytest

from threadline_server.agent_loading import load_agent
from threadline_server.startup import CouldNotStart


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loaded_travel.py").write_text("class kit:\n    agent = 'the agent'\nagent = 'plain'\n")
    (tmp_path / "loaded_broken.py").write_text("1 / 0\n")
    (tmp_path / "loaded_needy.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


def test_an_agent_is_found_in_the_current_directory() -> None:
    assert load_agent("loaded_travel:agent") == "plain"
    assert load_agent("loaded_travel:kit.agent") == "the agent"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("loaded_missing:agent", "there is no module loaded_missing"),
        ("loaded_travel:agnt", "has no agnt. It has: agent, kit"),
        ("loaded_broken:agent", "ZeroDivisionError"),
        ("loaded_needy:agent", "needs a_module_that_is_not_there"),
    ],
)
def test_what_is_wrong_is_said(path: str, says: str) -> None:
    with pytest.raises(CouldNotStart, match=says):
        load_agent(path)
