"""What an engine's jobs share on their way to hosts."""

from __future__ import annotations

from scrapemaster.domain.job import Job
from scrapemaster.engines.way import Way
from scrapemaster.fetch.client import ClientPool
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.http import HttpFetcher
from scrapemaster.fetch.proxies import ProxyPool
from scrapemaster.fetch.robots import RobotsCache
from scrapemaster.fetch.site_rules import SiteRules
from scrapemaster.ports.throttle import Throttle


class Roads:
    """One egress policy, throttle, proxy pool, client pool and cache of robots.txt.

    `adaptive` is the throttle of jobs that adapt, over the other one.
    """

    def __init__(
        self,
        egress: EgressPolicy,
        throttle: Throttle,
        proxies: ProxyPool | None = None,
        adaptive: Throttle | None = None,
    ) -> None:
        self.egress = egress
        self.throttle = throttle
        self._adaptive = adaptive or throttle
        self._proxies = proxies
        self._clients = ClientPool()
        self.robots = RobotsCache()

    def open(self, job: Job) -> tuple[Way, SiteRules, Throttle]:
        """A job's way, the rules of the sites it leads to, and the throttle it goes by."""
        throttle = self._adaptive if job.adaptive else self.throttle
        fetcher = HttpFetcher(job.config, list(job.urls), self.egress, throttle, self._clients)
        way = Way(job.config, fetcher, self._proxies)
        return way, SiteRules(job.config, way, self.robots), throttle

    def close(self) -> None:
        """Give up all connections."""
        self._clients.close()
