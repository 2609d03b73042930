"""Whose an entry is, by its id."""

from __future__ import annotations

import pytest

from threadline.ids import belongs_to, new_entry_id, owner_of


@pytest.mark.parametrize("entry", ["ada/1", "ad/1", "ada", "ada/", "ada/b/1", "/1", "", "adam/1", "x/ada/1"])
@pytest.mark.parametrize("user", ["ada", "ad", "ada/b", "adam"])
def test_an_entry_belongs_to_its_owner_alone(entry: str, user: str) -> None:
    assert belongs_to(entry, user) == (owner_of(entry) == user)


def test_what_somebody_creates_is_theirs() -> None:
    assert belongs_to(new_entry_id("ada"), "ada")
    assert not belongs_to(new_entry_id("ada"), "bob")
