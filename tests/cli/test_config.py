"""`threadline config`, and the file of settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from threadline.errors import ConfigurationError
from threadline_server.cli.exits import Exit
from threadline_server.cli.main import run
from threadline_server.cli.settings_page import settings_page
from threadline_server.settings import Settings, load

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "threadline.toml"
    path.write_text('port = 9000\ngrace_s = 3\noperators = ["ada", "ben"]\n')
    return path


def test_the_settings_page_is_what_the_declarations_say() -> None:
    assert PAGE.read_text() == settings_page(), "run `threadline config docs > docs/settings.md`"


def test_the_settings_page_has_every_setting_once() -> None:
    assert [settings_page().count(f"| `{name}` |") for name in Settings.model_fields] == [1] * len(
        Settings.model_fields
    )


def test_a_flag_beats_the_variable_which_beats_the_file_which_beats_the_default(file: Path) -> None:
    environment = {"THREADLINE_CONFIG": str(file), "THREADLINE_GRACE_S": "4", "PORT": "7000"}
    settings = load({"grace_s": 5.0}, environment)
    assert (settings.room_options.grace_s, settings.port, settings.operators) == (5.0, 7000, ("ada", "ben"))
    assert load({"config": file}, {}).port == 9000
    assert settings.host == "127.0.0.1"


def test_a_bad_value_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text('port = "many"\n')
    with pytest.raises(ConfigurationError, match=r"port in .*t\.toml 'many'"):
        load({"config": path}, {})


def test_show_says_who_set_what(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREADLINE_GRACE_S", "4")
    assert run(["config", "show", "--config", str(file)]) is Exit.DONE
    said = capsys.readouterr().out
    assert f"port = 9000  (port in {file})" in said
    assert "grace_s = 4.0  (THREADLINE_GRACE_S)" in said
    assert "operators = ada,ben" in said
    assert "log_level" not in said
    assert run(["config", "show", "--all"]) is Exit.DONE
    assert "log_level = info  (default)" in capsys.readouterr().out


def test_check_takes_what_serve_takes(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check", "--config", str(file)]) is Exit.DONE
    assert "3 given" in capsys.readouterr().out
    assert run(["config", "check", "--heartbeat-s", "100"]) is Exit.USAGE
    assert "raise the second" in " ".join(capsys.readouterr().err.split())


def test_env_is_read_back_as_the_same_settings_and_keeps_secrets(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREADLINE_AUTH", "token")
    monkeypatch.setenv("THREADLINE_AUTH_SECRET", "0123456789abcdef0123456789abcdef")
    run(["config", "env", "--config", str(file)])
    said = capsys.readouterr().out
    assert "0123456789abcdef" not in said
    run(["config", "env", "--config", str(file), "--with-secrets"])
    lines = capsys.readouterr().out.splitlines()
    again = load({}, dict(line.split("=", 1) for line in lines))
    assert again.model_dump(exclude={"config"}) == load(
        {"config": file},
        {"THREADLINE_AUTH": "token", "THREADLINE_AUTH_SECRET": "0123456789abcdef0123456789abcdef"},
    ).model_dump(exclude={"config"})
