"""The attackers, in a process of their own: an attack costs the bystanders' process nothing.

Reads one JSON line {attack, mark, rounds, seconds, side_by_side} at a time, and answers with one of
{rounds, successes, failures}. A failure is an attack that did not get the refusal by name that it expects.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from tests.attacks import broken_updates, floods, forgeries, impostures
from tests.attacks.attackers import yield_to_honest_people
from tests.attacks.mark import Mark, Succeeded

Attack = Callable[[Mark], Awaitable[None]]

MOST_TOLD = 3

ATTACKS: dict[str, Attack] = {
    **{name: partial(forgeries.forge, acts=acts) for name, acts in forgeries.FORGERIES.items()},
    "a viewer's writing": forgeries.write_as_viewer,
    "forged client id": forgeries.forge_client_id,
    "forged through a replaced value": forgeries.forge_through_a_replaced_value,
    "gapped": broken_updates.gapped,
    "replayed": broken_updates.replayed,
    "truncated": broken_updates.truncated,
    "mutated": broken_updates.mutated,
    "giant lengths": partial(broken_updates.refuse_all, malformed=broken_updates.GIANT_LENGTHS),
    "deep nesting": partial(broken_updates.refuse_all, malformed=broken_updates.DEEP),
    "deep by small steps": broken_updates.arrays_in_arrays,
    "poison": partial(broken_updates.refuse_all, malformed=broken_updates.POISON),
    "state vectors": broken_updates.state_vectors,
    "many small strings": broken_updates.many_small_strings,
    "a long text typed on": broken_updates.a_long_text_typed_on,
    "crowded places": broken_updates.crowded_places,
    "thousands of keys": broken_updates.thousands_of_keys,
    "others' awareness": impostures.others_awareness,
    "malformed awareness": impostures.malformed_awareness,
    "bad tokens": impostures.bad_token,
    "others' documents": impostures.others_documents,
    "token tricks": impostures.token_tricks,
    "bad origin": impostures.bad_origin,
    "others' sessions over HTTP": impostures.rest_of_others,
    "guessed codes": impostures.guessed_codes,
    "oversize": floods.oversize,
    "announced and not sent": floods.announced_and_not_sent,
    "slowloris": floods.slowloris,
    "endless head": floods.endless_head,
    "pipelined requests": floods.pipelined_requests,
    "flood of frames": floods.flood_of_frames,
    "flood of updates": floods.flood_of_updates,
    "flood of presence": floods.flood_of_presence,
    "flood before a token": floods.flood_before_a_token,
    "many documents": floods.many_documents,
    "flood of handshakes": floods.flood_of_handshakes,
    "flood of requests": floods.flood_of_requests,
    "compression bomb": floods.compression_bomb,
    "noise": floods.noise,
}


async def attack(name: str, mark: Mark, rounds: int, seconds: float, side_by_side: int) -> dict[str, object]:
    """At least `rounds` rounds, and for at least `seconds`, by `side_by_side` attackers at once."""
    end = time.monotonic() + seconds
    done, successes, failures = 0, list[str](), list[str]()

    async def one() -> None:
        nonlocal done
        while done < rounds or time.monotonic() < end:
            done += 1
            try:
                await ATTACKS[name](mark)
            except Succeeded as success:
                successes.append(str(success))
            except Exception as error:  # noqa: BLE001 - told to the test
                failures.append(f"{type(error).__name__}: {error}")

    await asyncio.gather(*(one() for _ in range(side_by_side)))
    return {"rounds": done, "successes": successes[:MOST_TOLD], "failures": failures[:MOST_TOLD]}


def main() -> None:
    yield_to_honest_people()
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            told: dict[str, Any] = json.loads(line)
            told["mark"] = Mark.from_json(told["mark"])
            print(json.dumps(runner.run(attack(**told))), flush=True)


if __name__ == "__main__":
    main()
