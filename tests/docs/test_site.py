"""The documentation as a site: it builds without a warning, and its reference is what the code says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.docs.reference_pages import DOCS, PAGES, text_of

ROOT = DOCS.parent
BUILD_S = 60
HTTP_API = "http_api.md"


@pytest.mark.skipif(find_spec("material") is None, reason="MkDocs Material is not installed")
def test_the_site_builds_and_every_link_in_it_leads_somewhere(tmp_path: Path) -> None:
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=BUILD_S,
    )
    assert build.returncode == 0, build.stderr
    systems = ("environments", "conversations", "coding_agent", "executions", "helpdesk")
    for page, group in zip(systems, ("S0", "S1", "S2", "S3", "S4"), strict=True):
        html = (tmp_path / page / "index.html").read_text()
        assert f"{group}-1<" in html, page
        assert 'href="../source/tests/' in html, page
    assert (tmp_path / "source" / "tests" / "client" / "test_session.py.txt").is_file()


def test_every_page_is_in_the_menu_at_most_once() -> None:
    pages = re.findall(r": (\w+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert len(pages) == len(set(pages)) > 20


@pytest.mark.parametrize("page", [page for page in PAGES if page != HTTP_API])
def test_reference_is_what_the_code_says(page: str) -> None:
    """`python -m tests.docs.reference_pages --write` brings it up to date."""
    assert (DOCS / page).read_text() == text_of(page)


def test_every_call_of_the_api_is_listed() -> None:
    """The sentences beside them are as they were when the page was written last."""
    assert _calls((DOCS / HTTP_API).read_text()) == _calls(text_of(HTTP_API))


def _calls(page: str) -> list[str]:
    return re.findall(r"^\| `([A-Z]+ [^`]+)` \|", page, re.MULTILINE)
