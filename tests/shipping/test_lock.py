"""The lock file: every package of it installs on each Python that `pyproject.toml` promises."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = set(re.findall(r"^([a-z0-9-]+)==", LOCK, re.MULTILINE))
ONLY_ON_SOME = set(re.findall(r"^([a-z0-9-]+)==[^ ]+ ;", LOCK, re.MULTILINE))
PACKAGES = {name: distribution(name) for name in LOCKED - ONLY_ON_SOME}


def promised_oldest() -> str:
    """The oldest release of the oldest Python, as `>=3.11` means 3.11.0."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = re.fullmatch(r">=(\d+\.\d+)", project["requires-python"])
    assert oldest
    return f"{oldest[1]}.0"


def test_no_locked_package_asks_for_a_newer_python_than_we_do() -> None:
    """A system may have an early patch release (Debian 12: 3.11.2); one such package fails set-up there."""
    oldest = promised_oldest()
    asked = {name: package.metadata["Requires-Python"] or "" for name, package in PACKAGES.items()}
    assert len(asked) > 100
    assert not {name: wanted for name, wanted in asked.items() if not SpecifierSet(wanted).contains(oldest)}


def test_what_packages_want_on_the_oldest_python_is_locked_too() -> None:
    """With hashes, pip takes nothing that the lock does not have."""
    oldest = promised_oldest()
    wanted = {
        (canonicalize_name(needed.name), name)
        for name, package in PACKAGES.items()
        for needed in map(Requirement, package.requires or ())
        if needed.marker is None or needed.marker.evaluate({"python_full_version": oldest, "extra": ""})
    }
    assert not {pair for pair in wanted if pair[0] not in LOCKED}
