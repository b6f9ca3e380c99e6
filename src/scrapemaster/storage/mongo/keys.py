"""Row ids that keep a job's rows together, and foreign text in a form that BSON always takes."""

from __future__ import annotations

from hashlib import blake2b

from scrapemaster.domain.ids import JobId

#: Bytes at the head of every row id that say whose row it is. A hash and not the id itself, which begins with a time:
#: split into ranges, new jobs fall on all shards and not on the last one.
PREFIX_BYTES = 16
#: Bits of a request's key that number the requests of one rank; the bits above are the rank's place.
SHIFT = 40
#: The largest number a row id has room for.
LAST = 2**64 - 1


def prefix_of(job_id: JobId) -> bytes:
    """What the ids of all the job's rows begin with."""
    return blake2b(bytes_of(job_id), digest_size=PREFIX_BYTES).digest()


def row_id(prefix: bytes, number: int) -> bytes:
    """The id of the job's row with this number; ids sort as their numbers do."""
    return prefix + number.to_bytes(8, "big")


def number_of(identity: bytes) -> int:
    """The number in a row id."""
    return int.from_bytes(identity[PREFIX_BYTES : PREFIX_BYTES + 8], "big")


def span(prefix: bytes, after: int = -1, last: int = LAST) -> dict[str, bytes]:
    """The condition on ids that have numbers beyond `after`, up to `last`."""
    lower = {"$gt": row_id(prefix, min(after, LAST))} if after >= 0 else {"$gte": row_id(prefix, 0)}
    return {**lower, "$lte": row_id(prefix, last)}


def pair(owner: str, name: str) -> bytes:
    """The id of what an owner has one of for each name."""
    return bytes_of(owner) + b"\0" + bytes_of(name)


def bytes_of(text: str) -> bytes:
    """Any text, lone surrogates and NUL too, as bytes that equal only its own."""
    return text.encode("utf-8", "surrogatepass")


def text_of(data: bytes) -> str:
    """The text that `bytes_of` made bytes of."""
    return data.decode("utf-8", "surrogatepass")


def shown(text: str) -> str:
    """The text as a BSON string, to sort and to search by: lone surrogates are spelt out."""
    return text.encode("utf-8", "backslashreplace").decode()
