"""Why a Redis will never take us, as opposed to one that is away for now."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import structlog
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from scrapemaster.domain.errors import InvalidSetting
from scrapemaster.fleet.connection import connect, disconnect

log = structlog.get_logger(__name__)


async def check(url: str) -> None:
    """Raise `InvalidSetting` with a sentence if Redis cannot be used under this address, however long one waits.

    One that does not answer is no reason: it may be started later.
    """
    try:
        redis = connect(url)
        try:
            await redis.ping()
        finally:
            await disconnect(redis)
    except (RedisError, OSError, TypeError, ValueError) as error:
        if (sentence := refusal_of(error)) is not None:
            raise InvalidSetting(f"SCRAPEMASTER_REDIS_URL: {sentence}") from error
        log.warning("redis.away", error=f"{type(error).__name__}: {error}")


def refusal_of(error: BaseException) -> str | None:
    """The sentence for what went wrong while connecting; None for what may pass by itself. Holds nothing of the address."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return (
                    f"the certificate of Redis cannot be verified: {cause.verify_message.rstrip('.')}; name the file with the certificate of "
                    "its authority in the address, as in rediss://host:6379/0?ssl_ca_certs=/etc/ssl/redis-ca.crt"
                )
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                return None  # it went away in the middle
            case ssl.SSLError():
                return f"TLS with Redis fails: {cause.reason or cause}; look at the files that ssl_… in the address name, and at the port"
            case FileNotFoundError() | PermissionError() | IsADirectoryError():
                return f"a file that ssl_… in the address names cannot be read: {cause.strerror}"
            case AuthenticationError():
                return (
                    f"Redis does not take the user and password of the address ({str(cause).rstrip('.')}); special characters of a "
                    "password stand in percent encoding (@ is %40, / is %2F, : is %3A)"
                )
            case ResponseError():
                return f"Redis refuses to serve: {cause}"
            case TypeError() | ValueError():
                told = str(cause).rpartition("__init__() ")[2]
                return f"an option of the address is unknown or wrong ({told}); options named ssl_… need rediss://"
            case _:
                pass
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it came from, the first one last."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
