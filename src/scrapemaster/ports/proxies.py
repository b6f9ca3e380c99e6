"""The port to the proxy pool's memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from scrapemaster.domain.ids import ProxyId
from scrapemaster.domain.proxy import Proxy, Standing
from scrapemaster.domain.proxy_health import Delta, Health

#: Whose health: a proxy, and the host it was used for; without a host (an empty one), the proxy itself.
HealthKey = tuple[ProxyId, str]


class ProxyStore(Protocol):
    """The proxies of the pool and how they do. Every write is durable when its call returns."""

    async def add(self, proxies: Sequence[Proxy], *, limit: int) -> None:
        """Store new ones, all or none.

        Raises `Conflict` when one is there already or comes twice (by `identity_of`; the message shows it masked), or when there would be
        more than `limit`.
        """

    async def get(self, proxy_id: ProxyId) -> Proxy | None:
        """The proxy, or None."""

    async def all(self) -> list[Proxy]:
        """All of them, oldest first."""

    async def count(self, tag: str | None = None) -> int:
        """How many enabled ones there are, with a tag if one is given. Cheap."""

    async def update(self, proxy: Proxy) -> bool:
        """Replace all but `created_at`; False when it is gone. Raises `Conflict` as `add` does.

        Where `identity_of` its URL changes, what was known of its health is forgotten.
        """

    async def delete(self, proxy_id: ProxyId) -> bool:
        """Remove it with its health; False when there was none."""

    async def health(self, hosts: Collection[str]) -> Mapping[HealthKey, Health]:
        """The health of all proxies themselves and at these hosts, where any is known."""

    async def report(self, deltas: Mapping[HealthKey, Delta]) -> None:
        """Add to what is known, by `proxy_health.added`, at once for all; what others add at the same time is added too.

        What belongs to a proxy that is gone is dropped, and now and then what is of no weight any more.
        """

    async def standings(self, now: float) -> Mapping[ProxyId, Standing]:
        """What is known of each proxy, oldest first.

        Its own health, at how many hosts it was used within `proxy_health.OF_LATE` seconds before `now`, and at how many of them
        it is banned now.
        """

    async def rests(self, proxy_id: ProxyId, now: float, *, limit: int = 100) -> Mapping[str, float]:
        """The hosts that a proxy rests for now, with the time each rest ends (epoch seconds)."""
