"""Bounds of what one update, and one document, may bring to the gate."""

from __future__ import annotations

from dataclasses import dataclass

MAX_CLOCK = (1 << 31) - 1
"""Units one client id may ever write. pycrdt counts clocks in 32 bits and panics near their end."""


@dataclass(frozen=True, slots=True)
class GateLimits:
    """`update` bounds are for what arrives as an update, `whole` bounds for a sync step 2."""

    max_update_structs: int = 65_536
    max_whole_structs: int = 1_000_000
    max_update_deletes: int = 65_536
    """Ranges in a delete set."""

    max_whole_deletes: int = 1_000_000
    max_new_clients: int = 256
    """Client ids that nothing is known of and one update begins: each page load offline makes one."""

    max_clients: int = 65_536
    """Client ids of one document. Each stays in its state vector for ever."""

    max_nesting: int = 64
    """Types within types, a root being 0. pycrdt recurses on them and ends the process at some thousands."""

    max_value_depth: int = 64
    """Arrays and objects within one value; bounded for the same reason."""

    max_key_chars: int = 512
    """A key of a map, an attribute's or a format's name. They stay for ever, deleted or not."""

    max_name_chars: int = 128
    """A root's or an XML element's name."""

    max_roots: int = 256
    """Roots outside the schema."""

    max_list_steps: int = 100_000
    """Pieces of lists that one update may make the gate pass by, to find where concurrent ones belong. Each
    costs some 0.1 us; honest devices cause a few hundred."""

    max_struct_steps: int = 10_000
    """The same for one of its structs, which nothing else is done in between: it takes a millisecond, and the
    document library takes another one."""

    max_clock: int = MAX_CLOCK


DEFAULT_GATE_LIMITS = GateLimits()
