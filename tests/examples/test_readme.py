"""What the page of examples names is there, and nothing is there that it does not name."""

from __future__ import annotations

import re
from importlib import import_module

import pytest
from tests.examples.running import ROOT

from threadline.agents import Agent

EXAMPLES = ROOT / "examples"
PAGE = (EXAMPLES / "README.md").read_text()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"examples\.\w+:\w+", PAGE))))
def test_every_agent_of_the_page_is_one(path: str) -> None:
    module, _, name = path.partition(":")
    assert isinstance(getattr(import_module(module), name), Agent)


def test_every_example_is_on_the_page() -> None:
    packages = {found.parent.name for found in EXAMPLES.glob("*/__main__.py")}
    assert packages == set(re.findall(r"`python -m examples\.(\w+) --check`", PAGE))
    scripts = {found.stem for found in EXAMPLES.glob("*.py")} - {"hosting"}
    named = set(re.findall(r"`python examples/(\w+)\.py`", PAGE)) | set(re.findall(r"examples\.(\w+):", PAGE))
    assert scripts == named
