"""What belongs together when a site is asked: cookies, identity, and the way there."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scrapemaster.domain.proxy import Proxy
from scrapemaster.fetch.client import ClientSpec, Jar

#: Sites (scheme, host, port) whose vetting a session remembers.
_SITES = 1_000
#: Pages that a session of the pool fetches, and seconds it lives, before another takes its place.
_WORN_PAGES = 50
_WORN_SECONDS = 1_800.0


@dataclass(slots=True)
class Site:
    """A site as a session reaches it. `allowed`: the addresses that a connection may come to, the proxy's if there is one."""

    host: str
    spec: ClientSpec
    allowed: frozenset[Any]
    secrets: bool
    vetted_until: float


@dataclass(slots=True, eq=False, weakref_slot=True)
class Session:
    """Cookies, browser profile, user agent and proxy, used together and given up together when a site blocks one of them.

    `proxy` is the normal URL of the proxy, None for none; `pooled` the proxy of the pool whose it is.
    """

    jar: Jar
    user_agent: str | None
    impersonate: str | None
    proxy: str | None = None
    pooled: Proxy | None = None
    born: float = field(default_factory=time.monotonic)
    pages: int = 0
    sites: OrderedDict[str, Site] = field(default_factory=OrderedDict)

    @property
    def worn(self) -> bool:
        """Whether it was used for long enough, so that other proxies get their turn."""
        return self.pages >= _WORN_PAGES or time.monotonic() - self.born > _WORN_SECONDS

    def remember(self, origin: str, site: Site) -> None:
        """Keep what vetting a site gave."""
        self.sites[origin] = site
        if len(self.sites) > _SITES:
            self.sites.popitem(last=False)


#: Makes a fresh session, over a proxy of the pool if one is given.
SessionMaker = Callable[[Proxy | None], Session]
