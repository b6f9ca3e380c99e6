"""What a client sees of a fault of ours: a route that raises, in the real application over a real store."""

import orjson
import pytest

from scrapemaster.api.app import create_app
from scrapemaster.domain.user import Role
from scrapemaster.service_parts import build_services
from scrapemaster.settings import load_settings
from scrapemaster.stores import open_store


class Nobody:
    """No crawler is there."""

    async def wake(self, job_id, priority):
        """Nobody hears."""

    async def changed(self, job_id, timeout):  # noqa: ASYNC109 -- the port's name
        """Nothing happens."""

    def publish(self, event):
        """Nobody hears."""

    async def nudge(self):
        """Nobody hears."""


@pytest.fixture
async def application(tmp_path):
    settings = load_settings(data_dir=tmp_path, cors_origins=("https://app.example",))
    async with open_store(settings) as store:
        services = build_services(settings, store, Nobody(), Nobody(), Nobody(), courier=Nobody())
        await services.accounts.add("ada", "a good password", Role.USER)
        app = create_app(services)

        @app.get("/api/v1/fault")
        async def fault():
            raise ZeroDivisionError("secret words")

        token, _ = await services.accounts.login("ada", "a good password", "192.0.2.1")
        yield app, token


async def ask(app, path, token):
    messages = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        messages.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("192.0.2.1", 1),
        "server": ("127.0.0.1", 80), "state": {},
        "headers": [(b"host", b"a"), (b"authorization", b"Bearer " + token.encode()), (b"origin", b"https://app.example")],
    }  # fmt: skip
    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    return messages[0]["status"], headers, b"".join(one.get("body", b"") for one in messages[1:])


async def test_a_fault_of_ours_shows_the_request_id_the_limit_and_no_trace(application):
    status, headers, body = await ask(application[0], "/api/v1/fault", application[1])

    assert status == 500
    assert orjson.loads(body) == {
        "detail": "Internal server error",
        "type": "internal_error",
        "request_id": headers["x-request-id"],
    }
    assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("100", "99")
    assert headers["access-control-allow-origin"] == "https://app.example"
    assert headers["x-content-type-options"] == "nosniff"


async def test_a_store_that_fails_is_told_to_a_caller_as_such(application):
    app, token = application
    await app.state.services.store.close()

    status, headers, body = await ask(app, "/api/v1/auth/me", token)

    assert (status, orjson.loads(body)["type"]) == (503, "store_unavailable")
    assert int(headers["retry-after"]) >= 1
