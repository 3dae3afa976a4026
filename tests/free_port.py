"""A port for a server of another program, which cannot be told to take any free one and to say which it took."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """Return a port below those that the kernel gives to connections, and to servers that ask for any.

    A free one of those may belong to somebody else before the server listens: seconds pass, and the tests beside this
    one open connections.
    """
    first_given = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32768
    drawn = random.SystemRandom()  # tests run side by side, with one seed
    while True:
        port = drawn.randrange(first_given // 2, first_given)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
