"""Whose address an address is, as far as limits go."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

#: What stands for an address that cannot be read, such as that of a Unix socket.
UNKNOWN = "unknown"


def network_of(address: str) -> str:
    """What limits by address count together: an IPv4 address, or an IPv6 network of 64 bits, which one subscriber has at least (RFC 6177)."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ip_network((ip, 64), strict=False))
    return str(ip)
