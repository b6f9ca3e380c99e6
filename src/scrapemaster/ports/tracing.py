"""The port to traces, and the tracer of those who have none."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Protocol

#: What a span may tell: nothing secret, no queries of URLs.
Fact = str | int | float | bool
Facts = Mapping[str, Fact]


class Work(StrEnum):
    """The four kinds of work that are traced."""

    REQUEST = "request"
    WAKE = "wake"
    SLICE = "slice"
    FETCH = "fetch"


class Span(Protocol):
    """A piece of work under way. Nothing here raises, waits or fails because nobody collects traces."""

    @property
    def recording(self) -> bool:
        """Whether anything is kept of it; if not, what it would be told need not be found out."""

    @property
    def traceparent(self) -> str | None:
        """Names it to other processes (W3C Trace Context, `00-…-…-01`); None when there are no traces."""

    def tell(self, facts: Facts) -> None:
        """Add facts."""

    def fail(self, reason: str) -> None:
        """Say that the work failed."""

    def rename(self, name: str) -> None:
        """Give it another name."""

    def past(self, work: Work, name: str, facts: Facts, seconds: float, failure: str | None) -> None:
        """Add a span within it, for work that took so long and has just ended."""


class Tracer(Protocol):
    """Follows an order from the API through the queue to slices and fetches."""

    @property
    def traceparent(self) -> str | None:
        """Names the span that is under way here to other processes; None when there is none."""

    def span(
        self,
        work: Work,
        name: str,
        facts: Facts,
        *,
        caller: Mapping[str, str] | None = None,
        within: str | None = None,
        follows: str | None = None,
    ) -> AbstractContextManager[Span]:
        """A span for what is done in the context, within the one that is under way there; an exception marks it as failed.

        `caller` are the headers of whoever asks for the work, `within` is the `traceparent` of a span of another process: it is a child
        of that one. `follows` only links it to a span, and it begins a trace of its own. What cannot be read of the three is ignored.
        """


class _NoSpan:
    recording = False
    traceparent = None

    def tell(self, facts: Facts) -> None:
        pass

    def fail(self, reason: str) -> None:
        pass

    def rename(self, name: str) -> None:
        pass

    def past(self, work: Work, name: str, facts: Facts, seconds: float, failure: str | None) -> None:
        pass


class NoTracer:
    """For those who collect no traces; see `Tracer`."""

    traceparent = None

    def span(
        self,
        work: Work,  # noqa: ARG002 -- the port's
        name: str,  # noqa: ARG002
        facts: Facts,  # noqa: ARG002
        *,
        caller: Mapping[str, str] | None = None,  # noqa: ARG002
        within: str | None = None,  # noqa: ARG002
        follows: str | None = None,  # noqa: ARG002
    ) -> AbstractContextManager[Span]:
        """See the port."""
        return _NOTHING


_NOTHING: AbstractContextManager[Span] = nullcontext(_NoSpan())
