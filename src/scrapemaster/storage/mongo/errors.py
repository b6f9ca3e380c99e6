"""MongoDB's errors in our words: the only place that knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
)

from scrapemaster.domain.errors import StoreBroken, StoreError, StoreFull, StoreUnavailable

_NO_REPLICA_SET = "MongoDB at {where} is no replica set, which transactions need: start mongod with --replSet and call rs.initiate()"
#: Codes of the server's error table (src/mongo/base/error_codes.yml) that only a person can mend.
_LASTING = {
    13: "MongoDB at {where} does not let this user read and write the database: grant it the role readWrite",
    18: "MongoDB at {where} refuses the user name or the password of SCRAPEMASTER_MONGODB_URL",
    20: _NO_REPLICA_SET,
    8000: "MongoDB at {where} refuses the user name or the password of SCRAPEMASTER_MONGODB_URL",
}
#: TransactionTooLargeForCache and TemporarilyUnavailable, which a server says that is short of memory.
PASSING = frozenset({388, 365})
#: The wire version of MongoDB 6.0, the oldest that the store is tested with.
_WIRE_VERSION = 17
#: OutOfDiskSpace; the server goes on by itself once there is room.
_DISK_FULL = 14031


def unfit(hello: Mapping[str, Any], where: str) -> str | None:
    """Why a server that says this of itself cannot be used; None if it can."""
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        return _NO_REPLICA_SET.format(where=where)
    if hello["maxWireVersion"] < _WIRE_VERSION:
        return f"MongoDB at {where} is too old: version 6.0 or newer is needed"
    return None


def code_of(error: OperationFailure) -> int | None:
    """The code of the server's error table; of many writes, that of the first that failed."""
    if isinstance(error, BulkWriteError):
        details: Mapping[str, Any] = error.details or {}
        for one in (*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())):
            return int(one["code"])
    return error.code


def _reason(error: PyMongoError) -> str:
    """What went wrong, without the documents that were to be written."""
    if isinstance(error, BulkWriteError) and error.details and error.details.get("writeErrors"):
        return str(error.details["writeErrors"][0].get("errmsg", ""))
    return str(error)


def translate(error: PyMongoError, where: str) -> StoreError:
    """The error as the rest of the program knows it. `where` is the server without any credentials."""
    code = code_of(error) if isinstance(error, OperationFailure) else None
    if code in _LASTING:
        return StoreBroken(_LASTING[code].format(where=where))
    if isinstance(error, ConfigurationError):
        return StoreBroken(f"MongoDB at {where} cannot be used as SCRAPEMASTER_MONGODB_URL asks: {error}")
    if code == _DISK_FULL:
        return StoreFull(
            f"there is no space left on the disk of MongoDB at {where}: free some, and resume the jobs"
        )
    if isinstance(error, ConnectionFailure | ExecutionTimeout) or error.timeout:
        return StoreUnavailable(f"MongoDB at {where} does not answer: {error}")
    return StoreUnavailable(f"MongoDB at {where} failed: {_reason(error)}")
