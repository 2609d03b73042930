"""`MODULE:NAME` as an object, or one sentence on why not."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from threadline_server.startup import CouldNotStart


def load_agent(path: str, option: str = "--agent") -> object:
    """What `path` names; the current directory is searched too. Raises CouldNotStart."""
    module_name, _, attributes = path.partition(":")
    found: object = _module(module_name, f"{option} {path}")
    for attribute in attributes.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            raise CouldNotStart(
                f"{option} {path}: the module {module_name} has no {attributes}. {_what_it_has(found)}"
            ) from None
    return found


def _module(name: str, asked: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise CouldNotStart(
                f"{asked}: there is no module {name}, neither installed nor in {here}. Start the "
                "server in the directory of the module, or install it."
            ) from None
        raise CouldNotStart(
            f"{asked}: the module {name} needs {error.name}, which is not installed."
        ) from error
    except Exception as error:
        raise CouldNotStart(
            f"{asked}: importing {name} failed with {type(error).__name__}: {error}."
        ) from error


def _what_it_has(found: object) -> str:
    if not isinstance(found, ModuleType):
        return ""
    names = [name for name in vars(found) if not name.startswith("_")]
    return f"It has: {', '.join(sorted(names)[:20])}." if names else "It is empty."
