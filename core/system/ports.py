"""Ports of this machine."""

import hashlib
import secrets
import socket

LASTING = range(20000, 30000)
"""Below those that a system gives to whoever names none: from 32768 on Linux (ip_local_port_range of ip(7)), from 49152
elsewhere. One of those may go to any call from here while nobody listens there, such as after a power cut."""
TRIES = 100


def named_port(name: str) -> int:
    """The one of the lasting ports that a name stands for, today and tomorrow; somebody may listen there."""
    return LASTING[int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % len(LASTING)]


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on now."""
    return _bound(host, 0)


def lasting_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on, and that is there to come back to."""
    for port in secrets.SystemRandom().sample(LASTING, min(TRIES, len(LASTING))):
        try:
            return _bound(host, port)
        except OSError:
            continue
    return free_port(host)


def _bound(host: str, port: int) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, port))
        return int(probe.getsockname()[1])
