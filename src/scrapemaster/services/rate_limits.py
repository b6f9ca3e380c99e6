"""How many requests a user may make."""

from __future__ import annotations

from scrapemaster.domain.rate_limit import RateLimit, parse_rate_limit
from scrapemaster.domain.user import User
from scrapemaster.services.windows import Spent, Windows


class RateLimits:
    """Counts the requests of each user, whatever token, key or connection they come by (H38).

    `usual` is the limit of users who have none of their own; None: they have none at all.
    """

    def __init__(self, windows: Windows, usual: RateLimit | None) -> None:
        self._windows = windows
        self._usual = usual

    async def spend(self, user: User) -> Spent | None:
        """Count a request; None when the user has no limit."""
        limit = self._usual if user.rate_limit is None else parse_rate_limit(user.rate_limit)
        if limit is None:
            return None
        # The length is in the key: another one begins a count of its own.
        return await self._windows.hit(f"requests/{user.id}/{limit.seconds}", limit)
