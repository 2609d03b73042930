"""How people get to a server: addresses, a QR code in the terminal, a browser that opens by itself."""

from __future__ import annotations

import io
import os
import socket
import sys
import webbrowser

import segno

_ANYWHERE = ("192.0.2.1", 9)
"""An address for documentation (RFC 5737): a datagram socket picks its route without sending anything."""


def local_network_address() -> str | None:
    """This machine's address on its network, None where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ANYWHERE)
        except OSError:
            return None
        address: str = probe.getsockname()[0]
    return None if address.startswith("127.") else address


def qr_code(text: str) -> str:
    """`text` as a QR code of block characters."""
    drawing = io.StringIO()
    segno.make(text, micro=False).terminal(drawing, compact=True, border=2)
    return drawing.getvalue()


def open_browser(url: str) -> bool:
    """Open `url` where somebody sits in front of a graphical screen; gives back whether it was tried."""
    graphical = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if not (graphical and sys.stdout.isatty()):
        return False
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
