"""A reader of Server-Sent Events, as the HTML Standard's section 9.2.6 has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests


@dataclass
class Sent:
    """One event; `name` is `comment` for a comment and `retry` for a reconnection time."""

    name: str
    data: Any
    id: str | None = None


def read(answer: requests.Response) -> Iterator[Sent]:
    name, data, event_id = "message", [], None
    for line in answer.iter_lines(chunk_size=None, decode_unicode=True):
        if not line:
            if data:
                yield Sent(name, json.loads("\n".join(data)), event_id)
            name, data, event_id = "message", [], None
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "":
                yield Sent("comment", value)
            case "event":
                name = value
            case "data":
                data.append(value)
            case "id":
                event_id = value
            case "retry":
                yield Sent("retry", int(value))
            case _:
                raise ValueError(f"not a field of an event: {line!r}")
