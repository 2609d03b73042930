"""Puts the built web page into the wheel, where there is one, and the compiled modules, when asked for.

THREADLINE_COMPILE=1 compiles the hot modules; the wheel is then for one platform and one Python.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
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
        page = Path(self.root) / "web_demo" / "dist"
        if (page / "index.html").is_file():
            build_data["force_include"][str(page)] = "threadline_server/web"
        if _compile():
            self._add_compiled(build_data)

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
