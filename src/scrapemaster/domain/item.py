"""Extracted records."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from scrapemaster.domain.ids import JobId


class Result(NamedTuple):
    """An item as stored and served; a tuple, as thousands are made for one answer.

    `seq` is its place in the job: 1, 2, 3 … without gaps, in order of commit. `fingerprint` is that of the request whose page it was on, as its `part`-th
    item. `data` is the item's JSON object, encoded. `way` is the engine that the `auto` engine
    chose and why, as `browser/script_shell`; None for the other engines.
    """

    job_id: JobId
    seq: int
    fingerprint: bytes
    part: int
    url: str
    data: bytes
    scraped_at: float
    way: str | None = None

    @property
    def id(self) -> str:
        """Deterministic: the same page gives the same ids."""
        return result_id(self.fingerprint, self.part)


def rows_mark(items: Sequence[bytes]) -> bytes:
    """The identity of what a page yielded, for comparing runs: 16 bytes, the same for the same rows in the same order."""
    mark = blake2b(digest_size=16)
    for item in items:
        mark.update(len(item).to_bytes(8, "big"))
        mark.update(item)
    return mark.digest()


def result_id(fingerprint: bytes, index: int) -> str:
    """The id of a page's `index`-th item, unique in its job."""
    return f"{fingerprint.hex()}-{index}"
