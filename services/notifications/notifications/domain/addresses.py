"""Where a webhook may go: public addresses, and nothing that a machine inside could be reached by."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# Beside what is not global at all: carrier NAT, protocol assignments, 6to4 relays, benchmarks, a cloud's metadata.
REFUSED_V4 = tuple(
    map(
        IPv4Network,
        (
            *("0.0.0.0/8", "100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24"),
            *("192.88.99.0/24", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
        ),
    )
)
# Only global unicast; in it, what carries an IPv4 address inside (Teredo, 6to4) or is kept for other uses.
GLOBAL_V6 = IPv6Network("2000::/3")
REFUSED_V6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))


def is_allowed(text: str, *, loopback_allowed: bool = False) -> bool:
    """`text` is an address as the resolver writes it. An IPv4 address in IPv6 clothes is never allowed."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if address.is_loopback:
        return loopback_allowed
    return _is_public_v4(address) if isinstance(address, IPv4Address) else _is_public_v6(address)


def _is_public_v4(address: IPv4Address) -> bool:
    return address.is_global and not any(address in network for network in REFUSED_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    return address in GLOBAL_V6 and address.is_global and not any(address in network for network in REFUSED_V6)
