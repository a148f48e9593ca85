"""Free TCP ports on the loopback, outside the range that the kernel lends to outgoing connections."""

import random
import socket

LOWEST, HIGHEST = 20000, 32000
ATTEMPTS_MAX = 200
LOOPBACK = "127.0.0.1"


def free(taken: frozenset[int] = frozenset()) -> int:
    for _ in range(ATTEMPTS_MAX):
        port = random.randrange(LOWEST, HIGHEST)
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port between {LOWEST} and {HIGHEST} after {ATTEMPTS_MAX} attempts")


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: a connection in TIME_WAIT does not hold a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
