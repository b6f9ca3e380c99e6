"""What the service and its crawler process say to each other: one JSON object a line, over pipes."""

from __future__ import annotations

import msgspec

from scrapemaster.domain.events import Event
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import Priority


class Wake(msgspec.Struct, frozen=True, tag="wake"):
    """To the crawler: this job wants attention. `order` is the traceparent of what ordered it, where there are traces."""

    job_id: JobId
    priority: Priority
    order: str | None = None


class Deliver(msgspec.Struct, frozen=True, tag="deliver"):
    """To the crawler: there is something to deliver."""


class Happened(msgspec.Struct, frozen=True, tag="event"):
    """From the crawler: something happened to a job."""

    event: Event


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """From the crawler, every second: its event loop turns, over so many slices, at so many pages a second.

    `figures` are `domain.worker.Figures`, flat, so that the line stays short.
    """

    slices: int = 0
    pages_per_second: float = 0.0
    figures: tuple[float, ...] = ()


_decoder = msgspec.json.Decoder(Wake | Deliver | Happened | Alive)
_encoder = msgspec.json.Encoder()


def to_line(message: Wake | Deliver | Happened | Alive) -> bytes:
    """The message as one line."""
    return _encoder.encode(message) + b"\n"


def from_line(line: bytes) -> Wake | Deliver | Happened | Alive:
    """The message a line holds; raises `ValueError` when it holds none."""
    try:
        message: Wake | Deliver | Happened | Alive = _decoder.decode(line)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
    return message
