"""Slowing down those who guess passwords, and not those who know them. See docs/decisions/008."""

from __future__ import annotations

import time
from dataclasses import dataclass

from scrapemaster.domain.ids import UserId
from scrapemaster.domain.rate_limit import RateLimit
from scrapemaster.domain.user import User
from scrapemaster.ports.users import UserStore
from scrapemaster.services.windows import Windows

#: Wrong passwords for one account from one network.
PAIR = RateLimit(10, 900)
#: Wrong passwords from one network, for whatever accounts.
NETWORK = RateLimit(100, 900)
#: Wrong passwords for one account from all networks it was never used from: in a minute at first, and after `MANY` in a day.
STRANGERS = RateLimit(30, 60)
STRANGERS_LATER = RateLimit(6, 60)
MANY = RateLimit(300, 86_400)
#: Seconds that a network stays known, and how many stay known for an account.
KNOWN_SECONDS = 90 * 86_400.0
KNOWN_MOST = 20
#: Seconds after which a known network is dated anew: not at each login.
_REFRESH = 86_400.0
_MESSAGE = "too many wrong passwords; try again later"


@dataclass(slots=True, frozen=True)
class Attempt:
    """An attempt that was let through, and the counters it was counted in."""

    network: str
    pair: str
    others: tuple[tuple[str, RateLimit], ...]
    known_at: float | None


def strangers_limit(today: int) -> RateLimit:
    """How many wrong passwords an account takes from unknown networks, after so many of them within a day."""
    return STRANGERS if today <= MANY.requests else STRANGERS_LATER


class LoginThrottle:
    """Counts each attempt before its password is looked at, so that many at once are no way around; what succeeds is given back."""

    def __init__(self, windows: Windows, users: UserStore) -> None:
        self._windows = windows
        self._users = users

    async def admit(self, name_key: str, network: str, user: User | None) -> Attempt:
        """Let an attempt through, or raise `TooMany`; the same for names that nobody has."""
        since = time.time() - KNOWN_SECONDS
        known_at = await self._users.network_known(
            user.id if user else UserId("nobody"), network, since=since
        )
        pair = f"login/pair/{name_key}/{network}"
        if known_at is not None:
            # Only what happens in this very network counts: strangers cannot lock it out.
            (await self._windows.hit(pair, PAIR)).check(_MESSAGE)
            return Attempt(network, pair, (), known_at)
        by_network = f"login/network/{network}"
        (await self._windows.hit(by_network, NETWORK)).check(_MESSAGE)
        (await self._windows.hit(pair, PAIR)).check(_MESSAGE)
        by_day, by_minute = f"login/day/{name_key}", f"login/minute/{name_key}"
        today = await self._windows.hit(by_day, MANY)
        limit = strangers_limit(today.used)
        minute = await self._windows.hit(by_minute, limit)
        others = ((by_network, NETWORK), (by_day, MANY))
        if minute.exceeded:
            # The password was not looked at, so it was no wrong one of this network's.
            for key, window in (*others, (pair, PAIR)):
                await self._windows.refund(key, window)
            minute.check(_MESSAGE)
        return Attempt(network, pair, (*others, (by_minute, limit)), None)

    async def succeeded(self, attempt: Attempt, user: User) -> None:
        """Give back what the attempt was counted for, and know its network."""
        await self._windows.clear(attempt.pair)
        for key, window in attempt.others:
            await self._windows.refund(key, window)
        now = time.time()
        if attempt.known_at is None or now - attempt.known_at > _REFRESH:
            await self._users.know_network(user.id, attempt.network, now=now, keep=KNOWN_MOST)
