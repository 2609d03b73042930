"""The process that makes an encoding, with two descriptors, as `encoding.encode` takes them:
`python -m threadline_server.rooms.encoding_child GIVEN MADE`.
"""

from __future__ import annotations

import sys

from threadline_server.rooms.encoding import encode


def main() -> None:
    encode(int(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    main()
