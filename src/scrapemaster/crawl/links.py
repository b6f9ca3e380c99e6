"""From the links of a page to new requests, at next to no cost for links seen before."""

from __future__ import annotations

from collections.abc import Iterable

from scrapemaster.crawl.scope import Scope, is_trap
from scrapemaster.domain.errors import InvalidUrl
from scrapemaster.domain.request import NewRequest, bounded_priority
from scrapemaster.domain.url import join_url, parse_url

#: References remembered before the memory is emptied: some 20 MB.
_MEMORY = 200_000


class LinkFinder:
    """Turns raw references into requests for one job, each of them once.

    `traps` counts the links that were left out because they look endless; `trap` is the first of them.

    It remembers what it has turned up already, so that the links that stand on every page of a site cost one set
    look-up each. What it turned up must therefore be committed; if that fails, call `forget`.
    """

    def __init__(self, scope: Scope, max_depth: int | None, *, sort_query: bool) -> None:
        self.scope = scope
        self.traps = 0
        self.trap: str | None = None
        self._max_depth = max_depth
        self._sort_query = sort_query
        self._seen: dict[str, set[str]] = {}
        self._sent: set[bytes] = set()
        self._remembered = 0

    def forget(self) -> None:
        """Offer every link again."""
        self._seen.clear()
        self._sent.clear()
        self._remembered = 0

    def follows_from(self, depth: int) -> bool:
        """Whether links of a page at `depth` are followed at all."""
        return self._max_depth is None or depth < self._max_depth

    def find(self, base: str, references: Iterable[str], depth: int) -> list[NewRequest]:
        """Requests for the references on a page that were not turned up before.

        `base` is the page's base URL, `depth` the page's own.
        """
        # A reference that begins with a path means the same on every page of a folder;
        # an empty one, `?query` or `#fragment` depends on the page itself.
        folder = base[: base.rfind("/", 0, base.find("?") if "?" in base else len(base)) + 1]
        seen = self._seen.get(folder)
        if seen is None:
            seen = self._seen[folder] = set()
        found: list[NewRequest] = []
        here = False
        for reference in references:
            # What follows the fragment's mark names a place on a page, not a page; manuals link to hundreds of places.
            mark = reference.find("#")
            if mark == 0:
                if here:
                    continue
                here = True
            elif (
                mark > 0 and reference[mark - 1] > " "
            ):  # white space before it would be trimmed as it is not now
                reference = reference[:mark]  # noqa: PLW2901 -- the same reference, shorter
            if reference in seen:
                continue
            url = join_url(base, reference)
            if reference[:1].isalnum() or reference.startswith(("/", ".")):
                seen.add(reference)
                self._remembered += 1
            if url is None or not self.scope.covers(url):
                continue
            if is_trap(url):
                self.traps += 1
                self.trap = self.trap or url
                continue
            request = NewRequest.of(url, depth + 1, sort_query=self._sort_query)
            if request.fingerprint not in self._sent:
                self._sent.add(request.fingerprint)
                self._remembered += 1
                found.append(request)
        if self._remembered > _MEMORY:
            self.forget()
        return found

    def admit(self, reference: str, depth: int, priority: int) -> NewRequest | None:
        """The request for a link that somebody else's code made of a page at `depth`, if the job's rules allow it."""
        try:
            url = parse_url(reference)
        except InvalidUrl:
            return None
        if not self.follows_from(depth) or not self.scope.covers(url) or is_trap(url):
            return None
        return NewRequest.of(url, depth + 1, bounded_priority(priority), sort_query=self._sort_query)
