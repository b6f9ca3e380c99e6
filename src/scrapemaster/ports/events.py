"""The port to live events."""

from __future__ import annotations

from typing import Protocol

from scrapemaster.domain.events import Event


class EventSink(Protocol):
    """Where workers say what happened. Disposable: nobody depends on hearing it."""

    def publish(self, event: Event) -> None:
        """Pass the event on, without waiting and without raising."""
