"""Writes `example.jsonl`: python -m examples.counter_environment.make_rows [--rows 5]"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

ROWS = Path(__file__).with_name("example.jsonl")


def tool(name: str, **properties: str) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": {key: {"type": kind, "description": ""} for key, kind in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "function", "name": name, "description": "", "parameters": parameters, "strict": True}


TOOLS = [tool("increment_counter", count="integer"), tool("get_counter_value")]


def row(index: int) -> dict[str, Any]:
    """The row of this index: two additions to a start, and what they come to."""
    first, second, initial = 3 * index + 1, 3 * index + 2, 3 * index + 3
    words = f"add {first} then add {second} then get the count"
    return {
        "responses_create_params": {"input": [{"role": "user", "content": words}], "tools": TOOLS},
        "initial_count": initial,
        "expected_count": initial + first + second,
    }


def load(path: Path = ROWS) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROWS)
    given = parser.parse_args()
    given.out.write_text("".join(json.dumps(row(index)) + "\n" for index in range(given.rows)))


if __name__ == "__main__":
    main()
