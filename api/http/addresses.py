"""Where a request comes from: the address that counts, and the network that shares are given to.

Whoever has one address mostly has its neighbours, so a share is for a /24 or, in IPv6, a /48. Of forwarded addresses
only what a trusted proxy says counts: with `10.0.0.5` trusted, a request from there with
`X-Forwarded-For: 203.0.113.9, 192.0.2.7` comes from 192.0.2.7. What stands before it, anybody could have written.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network
NOWHERE: Final = "none"


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, one of IPv4 within IPv6 as itself; None for anything else."""
    try:
        address = ip_address(text.strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(4096)
def network_of(host: str) -> str:
    """Return the /24 or /48 of an address, `none` for what is no address."""
    address = parse_address(host[:80])
    if address is None:
        return NOWHERE
    return str(
        ip_network((int(address).to_bytes(address.max_prefixlen // 8), 24 if address.version == 4 else 48), False)
    )


def is_within(host: str, networks: Sequence[Network]) -> bool:
    """Say whether an address is of one of the networks."""
    address = parse_address(host)
    return address is not None and any(address in network for network in networks)


def client_of(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Return whose request it is: from the right, the first address that no trusted proxy has. `forwarded` are the
    X-Forwarded-For headers in their order; what is no address ends the search at the proxy that sent it.
    """
    client = peer
    for text in reversed(",".join(forwarded).split(",") if forwarded else []):
        if not is_within(client, trusted):
            break
        # Some proxies write the port too.
        host = text.strip().rpartition(":")[0] if text.count(":") == 1 or "]:" in text else text
        address = parse_address(host)
        if address is None:
            break
        client = str(address)
    return client
