"""A job's cookies, kept from one page's browser context to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.async_api import Cookie, StorageState

#: Cookies a job keeps; the ones set first are forgotten first.
_COOKIES = 1_000
_Key = tuple[str, str, str]


class CookieJar:
    """The cookies of one job. Pages under way together each begin with those there were; what they set is kept, the last one's first."""

    def __init__(self, cookies: Mapping[str, str], home: Iterable[str]) -> None:
        self._cookies: dict[_Key, Cookie] = {}
        for origin in home:
            parts = urlsplit(origin)
            for name, value in cookies.items():
                self._keep(
                    {
                        "name": name,
                        "value": value,
                        "domain": parts.hostname or "",
                        "path": "/",
                        "expires": -1,
                        "httpOnly": False,
                        "secure": False,
                        "sameSite": "Lax",
                    }
                )

    def state(self) -> StorageState | None:
        """What a new context begins with."""
        if not self._cookies:
            return None
        return cast("StorageState", {"cookies": list(self._cookies.values()), "origins": []})

    def merge(self, cookies: Iterable[Cookie]) -> None:
        """Keep what a context has in the end."""
        for cookie in cookies:
            self._keep(cookie)

    def _keep(self, cookie: Cookie) -> None:
        self._cookies[cookie.get("name", ""), cookie.get("domain", ""), cookie.get("path", "")] = cookie
        while len(self._cookies) > _COOKIES:
            del self._cookies[next(iter(self._cookies))]
