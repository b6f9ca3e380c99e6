"""What the crawler and its isolated processes say to each other: msgpack, each message after its length."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scrapemaster.crawl.extraction import Found
from scrapemaster.domain.selector import Selector
from scrapemaster.extract.snapshot import Snapshot

#: Before each message: its length.
LENGTH = struct.Struct("<I")
#: A longer answer is not read.
MAX_ANSWER = 512 * 1024 * 1024


class PlanSpec(msgspec.Struct, frozen=True, array_like=True):
    """What a plan is compiled from."""

    selectors: Mapping[str, Selector]
    item: str | None
    formats: Sequence[str] = ("data",)


class Task(msgspec.Struct, frozen=True, array_like=True):
    """To the process: a page.

    `plan` is an encoded `PlanSpec`. `matches`: what each selector matches is wanted too. `snapshot`: a snapshot of the page is wanted, and nothing
    else; `plan` is not read then.
    """

    plan: bytes
    body: bytes
    url: str
    content_type: str
    links: bool
    matches: bool
    seconds: float
    snapshot: bool = False


class Matches(msgspec.Struct, array_like=True):
    """What one selector matched on a page: how often, and the first values as text."""

    count: int
    first: list[str]


class Done(msgspec.Struct, array_like=True, tag="done"):
    """From the process: what the page yielded."""

    found: Found
    matches: dict[str, Matches]
    snapshot: Snapshot | None = None


class Refused(msgspec.Struct, array_like=True, tag="refused"):
    """From the process: the page failed, for a reason code and with a sentence."""

    reason: str
    detail: str


_tasks = msgspec.msgpack.Decoder(Task)
_answers = msgspec.msgpack.Decoder(Done | Refused)
_specs = msgspec.msgpack.Decoder(PlanSpec)
_encoder = msgspec.msgpack.Encoder()


def pack(message: Any) -> bytes:
    """A message as bytes."""
    return _encoder.encode(message)


def task_of(data: bytes) -> Task:
    """The task in a message."""
    return _tasks.decode(data)


def answer_of(data: bytes) -> Done | Refused:
    """The answer in a message; raises `ValueError` when it holds none."""
    answer: Done | Refused = _answers.decode(data)
    return answer


def spec_of(data: bytes) -> PlanSpec:
    """The spec in a task."""
    return _specs.decode(data)
