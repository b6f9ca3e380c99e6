"""Which addresses may be connected to: public ones, and what the operator opened.

Every connection of the service goes through here, whatever it is for. The decision is made on addresses, never on names, and
the address that was judged is the one that is connected to.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from scrapemaster.domain.errors import GiveUpPage, RetryPage

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str], Awaitable[Sequence[Address]]]

#: Ports that browsers refuse: the "bad ports" of the Fetch Standard (https://fetch.spec.whatwg.org/#bad-port),
#: and those of databases and caches that speak to anybody.
BLOCKED_PORTS = frozenset({
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    11211, 27017,
})  # fmt: skip

#: Not globally reachable: the IANA special-purpose address registries (RFC 6890 and its updates).
_DENIED_4 = [
    (ip_network(network), why)
    for network, why in {
        "0.0.0.0/8": "this network",
        "10.0.0.0/8": "private",
        "100.64.0.0/10": "shared (carrier-grade NAT)",
        "127.0.0.0/8": "loopback",
        "169.254.0.0/16": "link-local",
        "172.16.0.0/12": "private",
        "192.0.0.0/24": "reserved",
        "192.0.2.0/24": "documentation",
        "192.88.99.0/24": "reserved",
        "192.168.0.0/16": "private",
        "198.18.0.0/15": "benchmarking",
        "198.51.100.0/24": "documentation",
        "203.0.113.0/24": "documentation",
        "224.0.0.0/4": "multicast",
        "240.0.0.0/4": "reserved",
    }.items()
]
_DENIED_6 = [
    (ip_network(network), why)
    for network, why in {
        "::/128": "unspecified",
        "::1/128": "loopback",
        "64:ff9b:1::/48": "local NAT64",
        "100::/64": "discard-only",
        "2001::/23": "reserved (Teredo and others)",
        "2001:db8::/32": "documentation",
        "2002::/16": "6to4",
        "3fff::/20": "documentation",
        "5f00::/16": "reserved",
        "fc00::/7": "private",
        "fe80::/10": "link-local",
        "fec0::/10": "site-local",
        "ff00::/8": "multicast",
    }.items()
]
#: What is globally reachable at all in IPv6 today.
_GLOBAL_6 = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")

#: Names that only mean a machine's own metadata, wherever they resolve to.
_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata", "metadata.goog", "instance-data"})
_DNS_SECONDS = 10.0
_CACHE_SECONDS = 60.0
_CACHE_SIZE = 10_000


async def system_resolver(host: str) -> Sequence[Address]:
    """All addresses of a name, as the system finds them. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


class EgressPolicy:
    """Decides about addresses, and resolves names to addresses that may be used.

    `allow` names networks that are open although they are not public.
    """

    def __init__(self, allow: Sequence[Network] = (), *, resolver: Resolver = system_resolver) -> None:
        self._allow = tuple(allow)
        self._resolver = resolver
        self._cache: dict[tuple[str, int], tuple[float, tuple[Address, ...]]] = {}

    def denial(self, address: Address, port: int) -> str | None:
        """Why a connection is refused, or None if it may be made."""
        if port in BLOCKED_PORTS:
            return f"port {port} is not open to crawls"
        if any(address.version == network.version and address in network for network in self._allow):
            return None
        why = special_purpose(address)
        if why is None:
            return None
        return f"{address} is a {why} address; if it is meant, the operator can open it with SCRAPEMASTER_EGRESS_ALLOW"

    def refusal(self, host: str, port: int) -> str | None:
        """Why a host of a normal URL is refused that need not be resolved for it; None if it must be, or is open."""
        name = host.rstrip(".").lower()
        if name in _METADATA_NAMES:
            return f"{host} is a cloud metadata service"
        try:
            return self.denial(ip_address(name.strip("[]")), port)
        except ValueError:
            return f"port {port} is not open to crawls" if port in BLOCKED_PORTS else None

    async def addresses(self, host: str, port: int) -> tuple[Address, ...]:
        """The addresses that a host (a name or an address, as in a normal URL) may be reached at.

        Raises `GiveUpPage("egress_denied")` if any of them is refused, so that a name cannot mix
        public and private ones, and `RetryPage("dns_failure")` if there are none.
        """
        now = time.monotonic()
        cached = self._cache.get((host, port))
        if cached is not None and cached[0] > now:
            return cached[1]
        found = await self._resolve(host)
        for address in found:
            if (why := self.denial(address, port)) is not None:
                raise GiveUpPage("egress_denied", f"{host}: {why}" if str(address) != host else why)
        if len(self._cache) >= _CACHE_SIZE:
            self._cache.clear()
        self._cache[host, port] = (now + _CACHE_SECONDS, found)
        return found

    async def _resolve(self, host: str) -> tuple[Address, ...]:
        name = host.rstrip(".").lower()
        if name in _METADATA_NAMES:
            raise GiveUpPage("egress_denied", f"{host} is a cloud metadata service")
        try:
            return (ip_address(name.strip("[]")),)
        except ValueError:
            pass
        try:
            async with asyncio.timeout(_DNS_SECONDS):
                found = tuple(await self._resolver(host))
        except TimeoutError:
            raise RetryPage(
                "dns_timeout", f"the name {host} was not resolved in {_DNS_SECONDS:.0f} s"
            ) from None
        except (OSError, UnicodeError) as error:
            raise RetryPage("dns_failure", f"the name {host} could not be resolved: {error}") from None
        if not found:
            raise RetryPage("dns_failure", f"the name {host} has no address")
        return found


def special_purpose(address: Address) -> str | None:
    """What kind of address it is that is not public; None for a public one."""
    if isinstance(address, IPv4Address):
        return next((why for network, why in _DENIED_4 if address in network), None)
    if address.ipv4_mapped is not None:
        return f"mapped ({special_purpose(address.ipv4_mapped) or 'IPv4'})"
    if address in _NAT64:
        inner = special_purpose(IPv4Address(int(address) & 0xFFFFFFFF))
        return None if inner is None else f"NAT64 ({inner})"
    why = next((why for network, why in _DENIED_6 if address in network), None)
    if why is None and address in _COMPATIBLE:
        return "IPv4-compatible"
    if why is None and address not in _GLOBAL_6:
        return "reserved"
    return why
