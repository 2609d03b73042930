"""What the site takes from the repository: two pages, the sources that pages link to, the tables of rows.

A page links to files as they lie in the repository, so that it reads well there too; in the site, a link to a
page leads to that page and a link to any other file to a copy of it. The line `<!-- rows: S1 -->` becomes the
table of that group from the page of capabilities.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
PAGES = {"PROTOCOL.md": "protocol.md", "ARCHITECTURE.md": "architecture.md"}
"""Pages outside `docs/`, and what they are called in the site."""

_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
_ROWS = re.compile(r"^<!-- rows: (S\d) -->$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, uri in PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    copied = {target for file in files.documentation_pages() for target in _targets(file)}
    for path in sorted(copied):
        # mkdocs would render a page and skip a template, so every copy is a text
        files.append(File.generated(config, _copy_of(path), content=(ROOT / path).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    here = page.file.src_uri
    text = _ROWS.sub(lambda found: rows(found[1]), markdown)
    return _LINK.sub(lambda link: _in_site(here, link[1]) + (link[2] or ""), text)


def rows(group: str) -> str:
    """The table of one group, as the page of capabilities has it."""
    page = (ROOT / "docs" / "capabilities.md").read_text()
    found = re.findall(rf"^\| {group}-\d+ \|.*\|$", page, re.MULTILINE)
    return "\n".join(["| row | what | shown by |", "|---|---|---|", *found])


def _targets(file: File) -> list[str]:
    """Files of the repository that a page links to and that are no pages of the site."""
    text = _ROWS.sub(lambda found: rows(found[1]), file.content_string)
    paths = (_in_repository(file.src_uri, link[1]) for link in _LINK.finditer(text))
    return [path for path in paths if _uri(path) == _copy_of(path)]


def _in_repository(uri: str, link: str) -> str:
    """Where a link on the page `uri` leads, as a path of the repository."""
    of = next((path for path, other in PAGES.items() if other == uri), f"docs/{uri}")
    return posixpath.normpath(posixpath.join(posixpath.dirname(of), link))


def _uri(path: str) -> str:
    """What a file of the repository is called in the site."""
    if path in PAGES:
        return PAGES[path]
    return path.removeprefix("docs/") if path.startswith("docs/") else _copy_of(path)


def _copy_of(path: str) -> str:
    return f"source/{path}.txt"


def _in_site(uri: str, link: str) -> str:
    return posixpath.relpath(_uri(_in_repository(uri, link)), posixpath.dirname(uri) or ".")
