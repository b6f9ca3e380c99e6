"""Which links of a job's pages are followed: pure rules, applied to every link of every page."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence

from scrapemaster.domain.url import host_of, origin_of

#: Links longer than this are traps: session data or an ever-growing query.
MAX_LINK_LENGTH = 2_000
#: A path segment that stands this often in one path is a relative-link loop (`a/a/a/…`).
MAX_SEGMENT_REPEATS = 4
#: No site that is meant to be read nests deeper than this.
MAX_PATH_SEGMENTS = 32
#: A query with more parameters than this, or with one of them so often, grows with each link that is followed.
MAX_QUERY_PARAMETERS = 32
MAX_PARAMETER_REPEATS = 3
#: Paths with fewer slashes are not looked at for loops: cheap, and none can be there.
_FEW_SLASHES = 3 + MAX_SEGMENT_REPEATS


class Scope:
    """A job's rule for links.

    A host is in scope when it equals one of `domains` or is a subdomain of one. URL globs know
    `*`, `?` and `[…]`, where `*` also matches `/`; with `include`, a link must match one of them, and it
    must match none of `exclude`.
    """

    def __init__(
        self, domains: Iterable[str], include: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> None:
        self._domains = {domain.lower().rstrip(".") for domain in domains}
        self._include = _any_of(include)
        self._exclude = _any_of(exclude)
        self._origins: dict[str, bool] = {}

    def widen(self, host: str) -> None:
        """Let one more host in."""
        self._domains.add(host)
        self._origins.clear()

    def covers_host(self, host: str) -> bool:
        """Whether a host (lower-case) is in scope."""
        name = host
        while name:
            if name in self._domains:
                return True
            name = name.partition(".")[2]
        return False

    def covers(self, url: str) -> bool:
        """Whether a normal URL is to be followed."""
        origin = origin_of(url)
        known = self._origins.get(origin)
        if known is None:
            if len(self._origins) > 10_000:
                self._origins.clear()
            known = self._origins[origin] = self.covers_host(host_of(url))
        if not known:
            return False
        if self._include is not None and not self._include.match(url):
            return False
        return self._exclude is None or not self._exclude.match(url)


def is_trap(url: str) -> bool:
    """Whether a URL looks like one of endlessly many: too long, too deep, or a repeating path or query."""
    if len(url) > MAX_LINK_LENGTH:
        return True
    if url.count("&") >= MAX_PARAMETER_REPEATS - 1:
        parameters = url.partition("?")[2].split("&")
        if len(parameters) > MAX_QUERY_PARAMETERS:
            return True
        if any(parameters.count(one) >= MAX_PARAMETER_REPEATS for one in set(parameters) if "=" in one):
            return True
    if url.count("/") <= _FEW_SLASHES:
        return False
    segments = url.partition("?")[0].split("/")[3:]
    if len(segments) > MAX_PATH_SEGMENTS:
        return True
    return any(segments.count(segment) >= MAX_SEGMENT_REPEATS for segment in set(segments) if segment)


def _any_of(globs: Sequence[str]) -> re.Pattern[str] | None:
    # fnmatch writes atomic groups (Python 3.11), so that no glob can backtrack without bound.
    return re.compile("|".join(fnmatch.translate(glob) for glob in globs)) if globs else None
