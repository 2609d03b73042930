"""The golden frames, which the TypeScript tests read too, and what their messages are here."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest

Case = dict[str, Any]


def golden(name: str) -> list[Case]:
    text = resources.files("threadline.protocol").joinpath("golden", f"{name}.json").read_text("utf-8")
    cases: list[Case] = json.loads(text)["cases"]
    return cases


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`@pytest.mark.golden_file("name")` runs a test once for each case of golden/name.json."""
    mark = metafunc.definition.get_closest_marker("golden_file")
    if mark is not None:
        cases = golden(mark.args[0])
        metafunc.parametrize("case", cases, ids=[str(c.get("name", i)) for i, c in enumerate(cases)])
