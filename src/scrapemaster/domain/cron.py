"""When a schedule runs: cron expressions in time zones with daylight saving time.

Five fields (minute, hour, day of month, month, day of week) as Debian's cron reads them, with `L` and `#` besides. On the days when
clocks change, an expression whose minute and hour are both fixed (neither begins with `*`) runs once a day: a time that
the clocks leap over is made up for right after the leap, and of a time that comes twice the first is meant. All others run by the time that
really passes: as often as the hour that comes twice says, and not in the hour that is left out.
"""

from __future__ import annotations

import functools
import zoneinfo
from datetime import datetime

from cronsim import CronSim, CronSimError

from scrapemaster.domain.errors import InvalidInput

#: Names for what is ordered most, as crontab(5) has them.
ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LONGEST = 200


def next_run(cron: str, timezone: str, after: float) -> float:
    """The first time after `after` (epoch seconds) at which the expression is due in the time zone (an IANA name).

    Raises `InvalidInput`, at `cron` or `timezone`, for what is neither.
    """
    try:
        times = CronSim(_fields(cron), datetime.fromtimestamp(after, _zone(timezone)))
        while True:
            found = next(times).timestamp()
            # In the hour that comes twice, the expression's time may be the first of the two, and past.
            if found > after:
                return found
    except CronSimError as error:
        raise InvalidInput(f"{cron!r} is not a cron expression: {error}", ("cron",)) from None
    except StopIteration:
        raise InvalidInput(f"{cron!r} is never due: there is no such day", ("cron",)) from None


def _fields(cron: str) -> str:
    text = cron.strip()
    text = ALIASES.get(text.lower(), text)
    if len(text) > _LONGEST or not text.isascii() or not text.isprintable():
        raise InvalidInput(f"a cron expression has at most {_LONGEST} printable ASCII characters", ("cron",))
    count = len(text.split())
    if count != 5:
        raise InvalidInput(
            f"a cron expression has five fields (minute, hour, day of month, month, day of week); {cron!r} has "
            f"{count}, and nothing runs more often than each minute",
            ("cron",),
        )
    return text


def _zone(name: str) -> zoneinfo.ZoneInfo:
    # By the list, because a name is a path: some that are none raise errors of the file system.
    if name not in _zones():
        raise InvalidInput(
            f"there is no time zone {name!r}; give an IANA name such as Europe/Berlin", ("timezone",)
        )
    return zoneinfo.ZoneInfo(name)


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
