"""The store in a MongoDB replica set."""

from scrapemaster.storage.mongo.store import MongoStore

__all__ = ["MongoStore"]
