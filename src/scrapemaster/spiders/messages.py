"""What the crawler and a spider's process tell each other: msgpack, each message behind its length."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

LENGTH = struct.Struct("!I")
#: Bytes of a message at most.
MOST_BYTES = 64 * 1024 * 1024
#: Orders to a process that runs already, a byte each: close the spider, hold it, let it go on.
STOP, HOLD, GO_ON = b"s", b"h", b"g"


class Confines(msgspec.Struct, frozen=True):
    """What a process may take. `memory` and `file` are bytes, `cpu` seconds; `port` is the gate's, 0 for none.

    `reads` are the files and folders it may read, `folder` the one it may write to. `strict`: it must not run where the kernel cannot
    confine it.
    """

    memory: int
    cpu: int
    file: int
    port: int
    folder: str
    reads: Sequence[str]
    sandbox: bool = True
    strict: bool = False


class Task(msgspec.Struct, frozen=True):
    """What a process is for: to run a spider, or, without a name, to list all there are.

    `path` is the project's folder, `settings_module` its settings. `pages` is how many requests may be sent.
    """

    confines: Confines
    path: str
    settings_module: str
    spider: str | None = None
    args: Mapping[str, str] = {}
    settings: Mapping[str, Any] = {}
    pages: int | None = None


class Page(msgspec.Struct, frozen=True, tag="page"):
    """A request that is done with, its items through all pipelines.

    `ident` is the same in each run of the spider. `items` are JSON objects, encoded. With a `reason` it failed, or was
    left out by rule (`skipped`). `asked`: a server was asked.
    """

    ident: bytes
    url: str
    at: float
    items: Sequence[bytes] = ()
    status: int | None = None
    reason: str | None = None
    detail: str = ""
    skipped: bool = False
    asked: bool = True
    elapsed: float = 0.0
    size: int = 0
    items_failed: int = 0


class Line(msgspec.Struct, frozen=True, tag="line"):
    """A line that the spider logged; `level` as in `logging`."""

    level: int
    text: str


class Standing(msgspec.Struct, frozen=True, tag="standing"):
    """How many requests are done with, and how many are known to be left."""

    done: int
    left: int


class Spiders(msgspec.Struct, frozen=True, tag="spiders"):
    """The spiders of the project."""

    names: Sequence[str]


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The last message of a process that came to its end. `reason` is Scrapy's; `error` says why there was no run."""

    reason: str
    error: str | None = None


Message = Page | Line | Standing | Spiders | Ended

_encoder = msgspec.msgpack.Encoder()
_messages = msgspec.msgpack.Decoder(Message)
_tasks = msgspec.msgpack.Decoder(Task)


def packed(message: Message | Task) -> bytes:
    """A message with its length in front."""
    data = _encoder.encode(message)
    return LENGTH.pack(len(data)) + data


def message_of(data: bytes) -> Message:
    """The message in `data`, which has no length in front; raises `msgspec.DecodeError`."""
    message: Message = _messages.decode(data)
    return message


def task_of(data: bytes) -> Task:
    """The task in `data`, which has no length in front."""
    return _tasks.decode(data)
