"""Ports for what listens a while after its port was chosen, or at the same one again after it was stopped."""

import socket
from itertools import islice
from secrets import SystemRandom
from typing import Final

# Below those that Linux and macOS give to whoever connects or asks for any: of those, one that is free now may be taken a moment later.
PORTS: Final = range(20_000, 32_768)


def free_ports(count: int = 1) -> list[int]:
    """Return ports of this machine at which nothing listens, and that the system gives to nobody unasked."""
    # Not by the seed of the tests: others that run at this moment would come to the same ports.
    in_any_order = SystemRandom().sample(PORTS, len(PORTS))
    return list(islice(filter(_is_free, in_any_order), count))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
