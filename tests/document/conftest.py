"""What tests of the document share: golden fixtures, and devices whose replicas meet."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from pycrdt import Doc

from threadline.document.session_document import SessionDocument

Fixture = Callable[[str], Any]
Devices = Callable[[int], list[SessionDocument]]


@pytest.fixture
def golden() -> Fixture:
    """A golden fixture by its name, as JSON; the same files are read by the TypeScript tests."""

    def read(name: str) -> Any:
        folder = files("threadline.document").joinpath("fixtures")
        return json.loads(folder.joinpath(f"{name}.json").read_text(encoding="utf-8"))

    return read


@pytest.fixture
def devices() -> Devices:
    """So many replicas of one empty session, with client ids 1, 2, ..."""

    def make(number: int) -> list[SessionDocument]:
        return [SessionDocument(Doc(client_id=index + 1)) for index in range(number)]

    return make


@pytest.fixture
def meet() -> Callable[..., None]:
    """Exchange everything, so that all replicas hold the same."""

    def exchange(*documents: SessionDocument) -> None:
        updates = [document.doc.get_update() for document in documents]
        for document in documents:
            for update in updates:
                document.doc.apply_update(update)

    return exchange
