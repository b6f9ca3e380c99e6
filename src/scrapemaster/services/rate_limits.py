"""How many requests a user may make."""

from __future__ import annotations

from scrapemaster.domain.rate_limit import RateLimit, parse_rate_limit
from scrapemaster.domain.user import User
from scrapemaster.services.windows import Spent, Windows


class RateLimits:
    """Counts the requests of each user, whatever token, key or connection they come by (H38).

    `usual` is the limit of users who have none of their own; None: they have none at all. `looking` is for what a dashboard's session
    looks at, in a count apart, so that watching takes nothing from what a user's programs may do.
    """

    def __init__(self, windows: Windows, usual: RateLimit | None, looking: RateLimit | None = None) -> None:
        self._windows = windows
        self._usual = usual
        self._looking = looking

    async def spend(self, user: User, *, looking: bool = False) -> Spent | None:
        """Count a request; None when the user has no limit. `looking`: it changes nothing, and a dashboard's session makes it."""
        if looking:
            if self._looking is None:
                return None
            return await self._windows.hit(f"looks/{user.id}/{self._looking.seconds}", self._looking)
        limit = self._usual if user.rate_limit is None else parse_rate_limit(user.rate_limit)
        if limit is None:
            return None
        # The length is in the key: another one begins a count of its own.
        return await self._windows.hit(f"requests/{user.id}/{limit.seconds}", limit)
