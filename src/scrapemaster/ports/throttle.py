"""The port to the throttle."""

from __future__ import annotations

from typing import Protocol


class Throttle(Protocol):
    """Who may be fetched from when: for each host so many fetches under way, the delays jobs ask for, and the pauses it asks for.

    Holds over all jobs of a process, or of a fleet. Who asks for no delay is not held up by the delays of others. Hosts do not wait for
    each other.
    """

    async def acquire(self, host: str, delay: float = 0.0) -> None:
        """Wait for the host's turn and take it; `release` must follow. Cancelling gives the turn back.

        `delay`: seconds that must have passed since the last fetch from this host that asked for a delay.
        """

    def release(self, host: str) -> None:
        """End a fetch that `acquire` let begin."""

    def pause(self, host: str, seconds: float) -> None:
        """Let nothing begin at the host for so long: it asked for that."""

    def ready_at(self, host: str, delay: float = 0.0) -> float:
        """When (monotonic seconds) one who comes now may expect to be let begin, as far as delays and pauses go, and others who wait already; 0.0 if now."""
