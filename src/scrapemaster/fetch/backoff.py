"""How long to wait before a page is tried again."""

from __future__ import annotations

from random import Random

#: Seconds: the first wait's upper end, and the most any wait may be without being asked for.
_BASE = 1.0
_CAP = 60.0


def retry_delay(attempts: int, retry_after: float | None, rng: Random) -> float:
    """Seconds to wait after `attempts` earlier failures and one more.

    Full-jitter exponential backoff (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture
    Blog, 2015), with half of the span as a floor, so that no retry is immediate. A server's
    Retry-After is kept, with up to a second of jitter so that not all come back at once.
    """
    if retry_after is not None:
        return retry_after + rng.random()
    span = min(_CAP, _BASE * 2.0 ** min(attempts, 16))
    return span * (0.5 + 0.5 * rng.random())
