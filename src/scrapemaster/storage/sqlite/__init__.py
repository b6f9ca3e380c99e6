"""The store in one SQLite file."""

from scrapemaster.storage.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
