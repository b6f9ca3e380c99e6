"""robots.txt, as RFC 9309 has it; parsed by protego."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from protego import Protego

from scrapemaster.domain.errors import GiveUpPage, PageError, RetryPage
from scrapemaster.domain.page import Page
from scrapemaster.domain.url import origin_of

#: The name robots.txt files may call us by.
ROBOT_NAME = "ScrapeMaster"
#: RFC 9309, section 2.5: at least 500 KiB must be parsed; more is not.
ROBOTS_BYTES = 500 * 1024
#: Seconds rules are kept; section 2.4 allows a day.
_KEEP = 3_600.0
#: Seconds "unreachable" is kept.
_KEEP_FAILURE = 10.0
#: The longest crawl-delay that is honoured, in seconds.
_LONGEST_DELAY = 60.0
_SITES = 5_000

#: Fetches a robots.txt, cut at `ROBOTS_BYTES`; raises `PageError`.
FetchRobots = Callable[[str], Awaitable[Page]]


@dataclass(slots=True, frozen=True)
class Rules:
    """What one site allows one robot. `delay` is its crawl-delay in seconds."""

    parsed: Protego | None
    robot: str
    delay: float = 0.0
    unreachable: str | None = None

    def check(self, url: str) -> None:
        """Raise `GiveUpPage("robots_denied")` if the page may not be fetched."""
        if self.unreachable is not None:
            raise RetryPage("robots_unreachable", self.unreachable)
        if self.parsed is not None and not self.parsed.can_fetch(url, self.robot):
            raise GiveUpPage("robots_denied", "the site's robots.txt forbids it (config.respect_robots)")

    @property
    def sitemaps(self) -> list[str]:
        """The sitemaps that the file names."""
        return [] if self.parsed is None else list(self.parsed.sitemaps)


class RobotsCache:
    """Rules by site and robot name. Each file is fetched once, however many ask at a time."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], tuple[float, Rules]] = OrderedDict()
        self._coming: dict[tuple[str, str], asyncio.Task[Rules]] = {}

    def known(self, origin: str, robot: str) -> Rules | None:
        """Rules that are fresh, without waiting."""
        entry = self._known.get((origin, robot))
        return entry[1] if entry is not None and entry[0] > time.monotonic() else None

    async def rules(self, url: str, robot: str, fetch: FetchRobots) -> Rules:
        """The rules of the site of `url`; raises `PageError` when the site itself cannot be reached."""
        origin = origin_of(url)
        if (rules := self.known(origin, robot)) is not None:
            return rules
        key = (origin, robot)
        task = self._coming.get(key)
        if task is None:
            task = self._coming[key] = asyncio.create_task(self._load(key, fetch))
            task.add_done_callback(lambda done: self._loaded(key, done))
        return await asyncio.shield(task)

    def _loaded(self, key: tuple[str, str], done: asyncio.Task[Rules]) -> None:
        """Forget the task; its error is for those who wait, and if all of them were cancelled, for nobody."""
        self._coming.pop(key, None)
        if not done.cancelled():
            done.exception()

    async def _load(self, key: tuple[str, str], fetch: FetchRobots) -> Rules:
        origin, robot = key
        rules = await _fetch_rules(f"{origin}/robots.txt", robot, fetch)
        keep = _KEEP if rules.unreachable is None else _KEEP_FAILURE
        self._known[key] = (time.monotonic() + keep, rules)
        if len(self._known) > _SITES:
            self._known.popitem(last=False)
        return rules


async def _fetch_rules(url: str, robot: str, fetch: FetchRobots) -> Rules:
    try:
        page = await fetch(url)
    except PageError as error:
        status = error.status
        if status is not None and (status >= 500 or status in {408, 425, 429}):
            # RFC 9309, section 2.3.1.4: assume complete disallow. (429: the server asks to be left alone.)
            return Rules(None, robot, unreachable=f"{url} answered {status}, which forbids the whole site")
        if status is None and error.reason in _NOT_THE_SITE:
            return Rules(None, robot)
        if status is None:
            raise
        return Rules(None, robot)  # section 2.3.1.3: "unavailable" means no rules
    return parse_rules(page.body, robot)


#: Reasons that speak about the file and not about the site.
_NOT_THE_SITE = frozenset({"too_many_redirects", "redirect_loop", "bad_redirect"})


def parse_rules(body: bytes, robot: str = ROBOT_NAME) -> Rules:
    """The rules in a file, read as UTF-8 whatever it holds."""
    text = body[:ROBOTS_BYTES].decode("utf-8-sig", "replace").replace("\0", "")
    if "<html" in text[:2_000].lower():
        return Rules(None, robot)  # an error page that says 200
    parsed = Protego.parse(text)
    delay = parsed.crawl_delay(robot)
    return Rules(parsed, robot, min(float(delay), _LONGEST_DELAY) if delay and delay > 0 else 0.0)
