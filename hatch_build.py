"""Puts the web page into the wheel, built here where npm is, and the compiled modules, when asked for.

THREADLINE_PAGE=required refuses to make a wheel without the page; THREADLINE_PAGE=none leaves it out.
THREADLINE_COMPILE=1 compiles the hot modules; the wheel is then for one platform and one Python.
An editable install takes neither: it serves the page from web_demo/dist, and says how to build it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def _compile() -> bool:
    return os.environ.get("THREADLINE_COMPILE") == "1"


class WheelContents(BuildHookInterface[Any]):
    def dependencies(self) -> list[str]:
        return ["mypy>=2.4", "setuptools>=80"] if _compile() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "standard":
            return
        page = self._page()
        if page is not None:
            build_data["force_include"][str(page)] = "threadline_server/web"
        if _compile():
            self._add_compiled(build_data)

    def _page(self) -> Path | None:
        """The built page. Raises RuntimeError where it must be there and is not."""
        wanted = os.environ.get("THREADLINE_PAGE", "if possible")
        sources = Path(self.root) / "web_demo"
        page = sources / "dist"
        if wanted == "none":
            return None
        if not (page / "index.html").is_file():
            self._build_page(sources)
        if (page / "index.html").is_file():
            return page
        without = "The web page is not built; install Node 20.19 or newer, or run `make wheel`."
        if wanted == "required":
            raise RuntimeError(without)
        self.app.display_warning(f"{without} This wheel is without it.")
        return None

    def _build_page(self, sources: Path) -> None:
        npm = shutil.which("npm")
        if npm is None or not (sources / "package.json").is_file():
            return
        for arguments in (("ci", "--no-audit", "--no-fund"), ("run", "--silent", "build")):
            done = subprocess.run([npm, *arguments], cwd=sources, check=False)  # noqa: S603 - npm's own words
            if done.returncode != 0:
                return

    def _add_compiled(self, build_data: dict[str, Any]) -> None:
        path = Path(self.root) / "compile_hot_modules.py"
        spec = importlib.util.spec_from_file_location("compile_hot_modules", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for extension in module.compile_into(self._tree):
            build_data["force_include"][str(self._tree / extension)] = str(extension)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        shutil.rmtree(self._tree, ignore_errors=True)

    @property
    def _tree(self) -> Path:
        return Path(self.root) / "build" / "wheel"
