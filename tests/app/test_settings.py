from __future__ import annotations

from pathlib import Path

import pytest

from threadline.errors import ConfigurationError
from threadline.protocol.limits import Limits
from threadline_server.rooms.options import RoomOptions
from threadline_server.settings import BOUNDS, Settings, _fields_of, flag_of, is_loopback, load, variable_of


def test_every_option_has_one_name_in_three_places() -> None:
    assert (flag_of("upkeep_every_s"), variable_of("upkeep_every_s")) == (
        "--upkeep-every-s",
        "THREADLINE_UPKEEP_EVERY_S",
    )


def test_every_option_says_what_it_does() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_a_flag_beats_the_variable_which_beats_the_default() -> None:
    environment = {"THREADLINE_PORT": "9001", "THREADLINE_LOG_LEVEL": "debug", "PATH": "/bin"}
    settings = load({"port": 9002, "host": None}, environment)
    assert (settings.port, settings.log_level, settings.host) == (9002, "debug", "127.0.0.1")


def test_the_platforms_port_variable_is_honoured_but_weakest() -> None:
    assert load({}, {"PORT": "7000"}).port == 7000
    assert load({}, {"PORT": "7000", "THREADLINE_PORT": "7001"}).port == 7001


def test_a_list_in_a_variable_is_separated_by_commas() -> None:
    assert load({}, {"THREADLINE_AGENT": "a:b, c:d"}).agent == ("a:b", "c:d")


@pytest.mark.parametrize(
    ("flags", "environment", "says"),
    [
        ({}, {"THREADLINE_PROT": "1"}, "Did you mean THREADLINE_PORT?"),
        ({}, {"THREADLINE_PORT": "many"}, "THREADLINE_PORT 'many'"),
        ({"port": 70_000}, {}, "--port 70000"),
        ({"redis": "127.0.0.1:6379"}, {}, "redis://127.0.0.1:6379/0"),
        ({"redis": "redis://h", "data": Path("d")}, {}, "Leave one of them out"),
        ({"agent": ("travel",)}, {}, "MODULE:AGENT"),
        ({"host": "0.0.0.0"}, {}, "--auth pairing"),
        ({"upkeep_every_s": -1.0}, {}, "--upkeep-every-s"),
    ],
)
def test_what_is_wrong_is_named_with_its_fix(
    flags: dict[str, object], environment: dict[str, str], says: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(flags, environment)
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("::", False),
        ("box", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_the_bounds_of_wire_and_rooms_are_options_with_their_own_defaults() -> None:
    defaults = load({}, {})
    assert defaults.limits == Limits()
    assert defaults.room_options == RoomOptions()

    changed = load({"max_frame_bytes": 7}, {"THREADLINE_GRACE_S": "1.5"})
    assert changed.room_options == RoomOptions(grace_s=1.5, limits=Limits(max_frame_bytes=7))


def test_no_two_of_them_share_a_name() -> None:
    names = [name for declared in BOUNDS for name in _fields_of(declared)]
    assert len(names) == len(set(names))
