"""The lock file: every package of it installs on each Python that `pyproject.toml` promises."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]


def promised_oldest() -> str:
    """The oldest release of the oldest Python, as `>=3.11` means 3.11.0."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = re.fullmatch(r">=(\d+\.\d+)", project["requires-python"])
    assert oldest
    return f"{oldest[1]}.0"


def test_no_locked_package_asks_for_a_newer_python_than_we_do() -> None:
    """A system may have an early patch release (Debian 12: 3.11.2); one such package fails set-up there."""
    oldest = promised_oldest()
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    asked = {name: distribution(name).metadata["Requires-Python"] or "" for name in locked}
    assert len(asked) > 100
    assert not {name: wanted for name, wanted in asked.items() if not SpecifierSet(wanted).contains(oldest)}
