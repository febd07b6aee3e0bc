"""Ports of this machine's loopback that tests listen at, or have something listen at that they start."""

import random
import socket
from collections.abc import Collection
from contextlib import suppress

PORTS = range(12000, 30000)
"""Below those that a system gives to whoever names none: what is free here stays so until somebody listens."""


def free_port(ports: range = PORTS, taken: Collection[int] = ()) -> int:
    """One of `ports` that nobody listens at, none of those `taken`; raises OSError where there is none."""
    for port in random.sample(ports, len(ports)):
        if port in taken:
            continue
        with suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no port of {ports[0]} to {ports[-1]} is free")
