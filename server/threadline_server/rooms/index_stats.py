"""How large an item index is."""

from __future__ import annotations

import sys

from threadline_server.rooms.item_index import ClientRuns, ItemIndex
from threadline_server.rooms.list_order import ListOrder


def index_stats(index: ItemIndex, order: ListOrder) -> dict[str, int]:
    """Counts, and `bytes`: what the columns hold, with the objects around them."""
    size = index.keys.byte_size() + index.bursts.byte_size()
    columns = (
        index.type_clients,
        index.type_clocks,
        index.type_flags,
        index.type_depths,
        index.type_heads,
        index.type_head_clocks,
        order.clients,
        order.clocks,
        order.lengths,
        order.nexts,
        order.origin_clients,
        order.origin_clocks,
        order.right_clients,
        order.right_clocks,
    )
    size += sum(sys.getsizeof(column) for column in columns)
    size += sum(_client_bytes(runs) for runs in index.clients)
    size += sys.getsizeof(index.by_id) + sys.getsizeof(index.clients)
    return {
        "clients": len(index.clients),
        "units": sum(runs.next for runs in index.clients),
        "rows": sum(len(runs.starts) for runs in index.clients),
        "types": len(index.type_clients),
        "pieces": len(order.clients) - 1,
        "keys": len(index.keys),
        "bytes": size,
    }


def _client_bytes(runs: ClientRuns) -> int:
    columns = (
        runs.starts,
        runs.parents,
        runs.metas,
        runs.type_ids,
        runs.pair_ends,
        runs.dead_starts,
        runs.dead_ends,
        runs.link_clocks,
        runs.link_clients,
        runs.link_origins,
        runs.node_starts,
        runs.node_ids,
    )
    return sys.getsizeof(runs) + sum(sys.getsizeof(column) for column in columns if column is not None)
