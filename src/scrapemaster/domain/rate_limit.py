"""How many requests a user may make in what time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scrapemaster.domain.errors import InvalidInput

#: Units a limit may be written in, in seconds.
UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
#: What switches a limit off.
OFF = "off"
PATTERN = rf"^(?:{OFF}|[1-9][0-9]{{0,8}}/(?:[1-9][0-9]{{0,3}})?(?:{'|'.join(UNITS)}))$"
_LIMIT = re.compile(rf"([1-9][0-9]{{0,8}})/([1-9][0-9]{{0,3}})?({'|'.join(UNITS)})")


@dataclass(slots=True, frozen=True)
class RateLimit:
    """`requests` in each window of `seconds`."""

    requests: int
    seconds: int


def parse_rate_limit(text: str) -> RateLimit | None:
    """The limit that `100/hour` or `20/15minute` stands for; None for `off`. Raises `InvalidInput` for anything else."""
    if text == OFF:
        return None
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise InvalidInput(
            f"{text!r} is not a limit such as 100/hour, 20/15minute ({', '.join(UNITS)}) or {OFF}",
            ("rate_limit",),
        )
    count, several, unit = found.groups()
    return RateLimit(int(count), int(several or 1) * UNITS[unit])
