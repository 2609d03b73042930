"""Real updates for the load generator, made with pycrdt: a u32 length (little endian) before each update.

Every update is what a device of user `bench` sends while it types into `messages[..].text`: a new message
each `PER_MESSAGE` updates (one growing Text costs O(n) per append), then appends that carry the
sequence marker.

    python bench/make_updates.py OUT_DIR
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pathlib import Path

from pycrdt import Doc, Map, Text

USER = "bench"
PER_MESSAGE = 100
FIRST_OF_HISTORY = 1 << 40  # other messages than those that are typed, which would replace them


class Recorder:
    """A document whose every transaction becomes one record of the file."""

    def __init__(self, client_id: int) -> None:
        self.doc: Doc[Map[object]] = Doc(client_id=client_id)
        self.messages = self.doc.get("messages", type=Map)
        self.records: list[bytes] = []
        self._subscription = self.doc.observe(lambda event: self.records.append(event.update))

    def new_message(self, key: str, text: str) -> Text:
        body = Text(text)
        author = {"user": USER, "device": "load", "name": USER}
        self.messages[key] = Map(
            {"role": "user", "author": author, "created_at": 1.0, "status": "complete", "text": body}
        )
        return body

    def write(self, path: Path) -> None:
        path.write_bytes(b"".join(struct.pack("<I", len(record)) + record for record in self.records))


def message_id(number: int) -> str:
    return f"{USER}/00000000-0000-7000-8000-{number:012x}"


def typing(count: int, padding: str, per_message: int = PER_MESSAGE) -> Recorder:
    """`count` updates, each one marker and `padding` appended to the newest message."""
    recorder = Recorder(client_id=12345)
    body, length = Text(), 0
    for number in range(1, count + 1):
        piece = f"#~{number:07x}{padding}"
        with recorder.doc.transaction():
            if (number - 1) % per_message == 0:
                body, length = recorder.new_message(message_id(number), piece), 0
            else:
                body.insert(length, piece)
        length += len(piece)
    return recorder


def history(count: int, text: str) -> Recorder:
    """`count` finished messages that end with `text`, fifty an update."""
    recorder = Recorder(client_id=777)
    for first in range(0, count, 50):
        with recorder.doc.transaction():
            for number in range(first, first + 50):
                recorder.new_message(message_id(FIRST_OF_HISTORY + number), f"{number:06d} {text}")
    return recorder


FILES: dict[str, Callable[[], Recorder]] = {
    "tokens.bin": lambda: typing(20_000, ""),
    "small.bin": lambda: typing(400_000, "hello world"),
    "large.bin": lambda: typing(1_200, "0123456789abcdef" * 512, per_message=4),
    "history.bin": lambda: history(10_000, "two hundred characters, more or less, " * 5),
    "history_1k.bin": lambda: history(1_000, "a short one"),
    "history_100k.bin": lambda: history(100_000, "a short one"),
}


def main() -> None:
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name, make in FILES.items():
        path = directory / name
        if not path.exists():
            make().write(path)
            print(f"{path}: {path.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
