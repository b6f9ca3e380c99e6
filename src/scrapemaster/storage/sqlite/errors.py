"""SQLite's errors in our words: the only place that knows them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from scrapemaster.domain.errors import StoreBroken, StoreError, StoreFull, StoreUnavailable

_PASSING = {
    sqlite3.SQLITE_BUSY: "the database {path} is locked by another process",
    sqlite3.SQLITE_LOCKED: "the database {path} is locked by another process",
    sqlite3.SQLITE_IOERR: "the disk of {path} gives errors ({detail}): see whether it is full or failing",
    sqlite3.SQLITE_NOMEM: "there was not enough memory to use {path}",
}
_LASTING = {
    sqlite3.SQLITE_CORRUPT: "the database {path} is damaged ({detail}): stop the service and restore it from a backup",
    sqlite3.SQLITE_NOTADB: "the file {path} is not a ScrapeMaster database: move it away or choose another data folder",
    sqlite3.SQLITE_READONLY: "the database {path} cannot be written: check who owns the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "the database {path} cannot be opened: check that its folder exists and may be written",
    sqlite3.SQLITE_PERM: "the database {path} cannot be opened: check who owns the file and its folder",
}


def translate(error: sqlite3.Error, path: Path) -> StoreError:
    """The error as the rest of the program knows it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _LASTING:
        return StoreBroken(_LASTING[code].format(path=path, detail=error))
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(f"there is no space left on the disk of {path}: free some, and resume the jobs")
    sentence = _PASSING.get(code, "the database {path} failed: {detail}")
    return StoreUnavailable(sentence.format(path=path, detail=error))
