import ssl

import pytest
from redis.exceptions import BusyLoadingError, ResponseError
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as TooLate

from scrapemaster.fleet.refusal import refusal_of


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        NoConnection("Connection closed by server."),
        TooLate("Timeout connecting to server"),
        BusyLoadingError("Redis is loading the dataset in memory"),
        caused(NoConnection("Error 111 connecting to host:6379."), ConnectionRefusedError(111, "refused")),
        caused(NoConnection("Error 8 connecting to host:6379."), ssl.SSLEOFError(8, "EOF occurred")),
        caused(NoConnection("Error -2 connecting to host:6379."), OSError(-2, "Name or service not known")),
    ],
)
def test_what_may_pass_by_itself_is_no_refusal(error):
    assert refusal_of(error) is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ResponseError("NOPERM this user has no permissions"), "refuses to serve"),
        (caused(NoConnection("Error 13."), PermissionError(13, "Permission denied")), "cannot be read"),
        (ValueError("Invalid value for 'socket_timeout'"), "unknown or wrong"),
    ],
)
def test_what_will_not_pass_is_one(error, words):
    assert words in refusal_of(error)
