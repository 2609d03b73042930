"""A C library that is loaded into a process before all others, to stand between it and the disk."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def compiled(source: Path, directory: Path) -> Path:
    """The library made of `source`; the test is skipped where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a disk that fails on demand needs a C compiler (cc)")
    library = directory / source.with_suffix(".so").name
    options = ["-O1", "-shared", "-fPIC", "-o", str(library)]
    subprocess.run([compiler, *options, str(source), "-ldl", "-lpthread"], check=True)
    return library
