"""API keys, passwords and the management of users, of a real service."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests
from benchmarks.service import PASSWORD, Service
from benchmarks.tree import tree

from servers.stores import ALSO_MONGO, settings_for

THEIRS = "a good password"


@pytest.fixture(scope="module", params=ALSO_MONGO)
def service(request):
    with settings_for(request.param) as settings, Service(**settings) as running:
        yield running


@pytest.fixture
def person(service):
    """Makes users, and signs them in: a session with `id`, `name`."""
    made = []

    def make(**fields):
        name = f"user-{time.monotonic_ns()}"
        body = {"username": name, "password": THEIRS, **fields}
        answer = service.http.post(f"{service.base}/users", json=body)
        assert answer.status_code == 201, answer.text
        session = requests.Session()
        session.id, session.name = answer.json()["id"], name
        session.headers["Authorization"] = f"Bearer {token_of(service, name)}"
        made.append(session)
        return session

    yield make
    for session in made:
        session.close()


def sign_in(service, name, password=THEIRS):
    return requests.post(f"{service.base}/auth/login", data={"username": name, "password": password})


def token_of(service, name, password=THEIRS):
    answer = sign_in(service, name, password)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def me(service, **headers):
    return requests.get(f"{service.base}/auth/me", headers=headers)


def test_a_key_is_shown_once_and_works_both_ways(service, person):
    ada = person()
    made = ada.post(f"{service.base}/auth/keys", json={"name": "nightly"})

    assert made.status_code == 201
    key = made.json()
    text = key.pop("key")
    assert set(key) == {"id", "name", "prefix", "last4", "created_at", "expires_at", "last_used_at"}
    assert (text.startswith(key["prefix"]), text.endswith(key["last4"])) == (True, True)
    assert ada.get(f"{service.base}/auth/keys").json() == [key]
    for headers in (
        {"X-API-Key": text},
        {"Authorization": f"Bearer {text}"},
        {"Authorization": "Basic eDp5", "X-API-Key": text},
    ):
        assert me(service, **headers).json()["username"] == ada.name
    (used,) = ada.get(f"{service.base}/auth/keys").json()
    assert used["last_used_at"] >= key["created_at"]
    assert text.encode() not in b"".join(
        file.read_bytes() for file in service.data_dir.glob("scrapemaster.db*")
    )


def test_a_deleted_or_expired_key_is_not_accepted(service, person):
    ada = person()
    key = ada.post(f"{service.base}/auth/keys", json={"name": "a"}).json()
    soon = datetime.now(UTC) + timedelta(seconds=1)
    brief = ada.post(f"{service.base}/auth/keys", json={"name": "b", "expires_at": soon.isoformat()}).json()

    assert ada.delete(f"{service.base}/auth/keys/{key['id']}").status_code == 204
    answer = me(service, **{"X-API-Key": key["key"]})
    assert (answer.status_code, answer.json()) == (401, {"detail": "Could not validate credentials"})
    assert ada.delete(f"{service.base}/auth/keys/{key['id']}").json() == {"detail": "API key not found"}
    while datetime.now(UTC) <= soon:
        time.sleep(0.05)
    assert me(service, **{"X-API-Key": brief["key"]}).status_code == 401


@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": "a" * 101}, {"name": "a\nb"}, {"name": "a", "expires_at": "2020-01-01T00:00:00Z"},
     {"name": "a", "expires_at": "2099-01-01T00:00:00"}, {"name": "a", "expires_at": "soon"}, {"name": "a", "role": "admin"}],
)  # fmt: skip
def test_a_key_has_rules(service, person, body):
    assert person().post(f"{service.base}/auth/keys", json=body).status_code == 422


def test_a_user_has_fifty_keys_at_most(service, person):
    ada = person()
    codes = [ada.post(f"{service.base}/auth/keys", json={"name": "a"}).status_code for _ in range(51)]

    assert codes == [201] * 50 + [409]


def test_a_key_cannot_sign_out(service, person):
    key = person().post(f"{service.base}/auth/keys", json={"name": "a"}).json()["key"]

    answer = requests.post(f"{service.base}/auth/logout", headers={"X-API-Key": key})

    assert (answer.status_code, answer.json()["type"]) == (409, "conflict")


def test_a_changed_password_ends_every_token_and_no_key(service, person):
    ada = person()
    other = token_of(service, ada.name)
    key = ada.post(f"{service.base}/auth/keys", json={"name": "a"}).json()["key"]
    change = {"current_password": THEIRS, "new_password": "an even better one"}

    wrong = ada.post(f"{service.base}/auth/password", json={**change, "current_password": "nope nope"})
    assert (wrong.status_code, wrong.json()["type"]) == (403, "forbidden")
    assert ada.post(f"{service.base}/auth/password", json={**change, "new_password": "x"}).status_code == 422
    assert ada.post(f"{service.base}/auth/password", json=change).status_code == 204

    assert me(service, Authorization=ada.headers["Authorization"]).status_code == 401
    assert me(service, Authorization=f"Bearer {other}").status_code == 401
    assert me(service, **{"X-API-Key": key}).status_code == 200
    assert sign_in(service, ada.name).status_code == 401
    assert token_of(service, ada.name, change["new_password"])


def test_H30_guessing_the_current_password_is_throttled_as_a_login_is(service, person):
    ada = person()
    change = {"current_password": "nope nope", "new_password": "an even better one"}

    answers = [ada.post(f"{service.base}/auth/password", json=change) for _ in range(12)]

    assert [answer.status_code for answer in answers] == [403] * 10 + [429] * 2
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 900
    assert answers[-1].json()["type"] == "rate_limited"


def test_admins_list_users_in_pages(service, person):
    person()
    every = service.http.get(f"{service.base}/users", params={"limit": 100})
    total = int(every.headers["X-Total-Count"])

    assert (every.status_code, len(every.json())) == (200, min(total, 100))
    assert every.json()[0]["username"] == "admin"
    assert set(every.json()[0]) == {"id", "username", "email", "role", "created_at", "disabled", "rate_limit"}
    assert service.http.get(f"{service.base}/users", params={"skip": 1, "limit": 1}).json() == [
        every.json()[1]
    ]
    assert service.http.get(f"{service.base}/users", params={"limit": 101}).status_code == 422


def test_admins_make_change_and_delete_users(service, person):
    ada = person(email="ada@example.com", rate_limit="5/minute")
    url = f"{service.base}/users/{ada.id}"
    there = service.http.get(url).json()
    assert (there["email"], there["rate_limit"], there["role"]) == ("ada@example.com", "5/minute", "user")

    changed = service.http.patch(url, json={"role": "admin", "email": None, "rate_limit": None}).json()

    assert (changed["role"], changed["email"], changed["rate_limit"]) == ("admin", None, None)
    assert ada.get(f"{service.base}/users").status_code == 200  # the role counts at once
    assert service.http.patch(url, json={}).json() == changed
    assert service.http.delete(url).status_code == 204
    assert ada.get(f"{service.base}/auth/me").status_code == 401
    assert sign_in(service, ada.name).status_code == 401
    for answer in (service.http.get(url), service.http.delete(url), service.http.patch(url, json={})):
        assert (answer.status_code, answer.json()) == (404, {"detail": "User not found"})


@pytest.mark.parametrize(
    "body",
    [{"role": "king"}, {"role": None}, {"disabled": None}, {"disabled": "perhaps"}, {"password": "short"}, {"password": None},
     {"rate_limit": "many"}, {"rate_limit": "0/hour"}, {"username": "other"}, {"email": "nowhere"}],
)  # fmt: skip
def test_a_change_that_cannot_be_is_refused(service, person, body):
    ada = person()

    assert service.http.patch(f"{service.base}/users/{ada.id}", json=body).status_code == 422


def test_disabling_and_a_new_password_by_an_admin_revoke(service, person):
    ada = person()
    key = ada.post(f"{service.base}/auth/keys", json={"name": "a"}).json()["key"]
    url = f"{service.base}/users/{ada.id}"

    assert service.http.patch(url, json={"disabled": True}).json()["disabled"] is True
    assert ada.get(f"{service.base}/auth/me").status_code == 401
    assert me(service, **{"X-API-Key": key}).status_code == 401
    assert sign_in(service, ada.name).status_code == 401
    assert service.http.patch(url, json={"disabled": False}).status_code == 200
    assert ada.get(f"{service.base}/auth/me").status_code == 401, "what was revoked stays revoked"
    assert me(service, **{"X-API-Key": key}).status_code == 200

    token = token_of(service, ada.name)
    assert service.http.patch(url, json={"password": "set by the admin"}).status_code == 200
    assert me(service, Authorization=f"Bearer {token}").status_code == 401
    assert token_of(service, ada.name, "set by the admin")


def test_the_last_enabled_admin_stays(service):
    myself = service.http.get(f"{service.base}/auth/me").json()["id"]
    url = f"{service.base}/users/{myself}"
    for user in service.http.get(f"{service.base}/users", params={"limit": 100}).json():
        if user["role"] == "admin" and user["id"] != myself:
            service.http.delete(f"{service.base}/users/{user['id']}")

    for answer in (
        service.http.patch(url, json={"role": "user"}),
        service.http.patch(url, json={"disabled": True}),
        service.http.delete(url),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "conflict")
        assert "last enabled admin" in answer.json()["detail"]
    assert service.http.get(f"{service.base}/auth/me").status_code == 200


def test_a_deleted_user_leaves_nothing_behind(service, person):
    ada = person()
    with tree(50) as site:
        order = {"url": site, "selectors": {"n": "p.n::text"}}
        done = ada.post(f"{service.base}/jobs", json=order).json()
        service.finished(done["id"])
        slow = {**order, "config": {"delay": 30, "follow_links": True, "max_pages": 50}}
        running = ada.post(f"{service.base}/jobs", json=slow).json()
        hook = {"webhook_url": "http://127.0.0.1:4999/hook", "events": ["job.cancelled"]}
        endpoint = ada.post(f"{service.base}/webhooks", json=hook).json()
        plan = {"cron": "0 0 1 1 *", "timezone": "UTC", "job": order}
        schedule = ada.post(f"{service.base}/schedules", json=plan).json()

        assert service.http.delete(f"{service.base}/users/{ada.id}").status_code == 204

        for job in (done, running):
            assert service.http.get(f"{service.base}/jobs/{job['id']}").status_code == 404
            assert service.http.get(f"{service.base}/results/{job['id']}").status_code == 404
        assert service.http.get(f"{service.base}/webhooks/{endpoint['id']}").status_code == 404
        assert service.http.get(f"{service.base}/schedules/{schedule['id']}").status_code == 404
        # The service goes on.
        again = service.finished(service.create(**order)["id"])
        assert again["status"] == "completed"


def test_the_command_line_manages_users_while_the_service_runs(service, person):
    ada = person()

    def command(*words):
        return subprocess.run(
            [sys.executable, "-m", "scrapemaster", "user", *words, "--data-dir", str(service.data_dir)],
            env={**os.environ, **service.settings},
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    listed = command("list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert f"{ada.name:<32} user   enabled" in listed.stdout
    assert command("disable", ada.name.upper()).returncode == 0
    assert ada.get(f"{service.base}/auth/me").status_code == 401
    assert f"{ada.name:<32} user   disabled" in command("list").stdout
    assert command("enable", ada.name).returncode == 0
    assert command("passwd", ada.name, "--password", "from the shell").returncode == 0
    assert token_of(service, ada.name, "from the shell")
    wrong = command("disable", "nobody-of-this-name")
    assert (wrong.returncode, "there is no user" in wrong.stderr) == (2, True)
    last = command("disable", "admin")
    assert (last.returncode, "last enabled admin" in last.stderr) == (2, True)


def test_the_document_offers_both_schemes_everywhere(service):
    document = requests.get(f"http://127.0.0.1:{service.port}/api/openapi.json").json()
    schemes = document["components"]["securitySchemes"]

    assert schemes["OAuth2PasswordBearer"]["flows"]["password"]["tokenUrl"] == "/api/v1/auth/login"
    assert (schemes["ApiKey"]["type"], schemes["ApiKey"]["in"], schemes["ApiKey"]["name"]) == (
        "apiKey",
        "header",
        "X-API-Key",
    )
    either = [{"OAuth2PasswordBearer": []}, {"ApiKey": []}]
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            if operation.get("security"):
                schemes = [{"Basic": []}, {"ApiKey": []}] if "scrapyd" in operation["tags"] else either
                assert operation["security"] == schemes, (verb, path)


def session_from(address):
    """A session whose connections come from another address of the loopback network."""
    session = requests.Session()

    class From(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args, **kwargs):
            super().init_poolmanager(*args, source_address=(address, 0), **kwargs)

    session.mount("http://", From())
    return session


def test_H30_strangers_guessing_do_not_lock_the_owner_out(service, person):
    ada = person()  # signed in from 127.0.0.1
    wrong = {"username": ada.name, "password": "guess guess"}
    codes = {}
    for number in range(2, 8):
        with session_from(f"127.0.0.{number}") as stranger:
            codes[number] = [
                stranger.post(f"{service.base}/auth/login", json=wrong).status_code for _ in range(12)
            ]

    assert codes[2] == [401] * 10 + [429] * 2
    assert token_of(service, ada.name), "from where the owner signed in before, nothing changed"


def test_H30_an_address_that_is_claimed_is_not_believed(service, person):
    ada = person()
    with session_from("127.0.0.9") as stranger:
        answers = [
            stranger.post(
                f"{service.base}/auth/login",
                json={"username": ada.name, "password": "guess guess"},
                headers={"X-Forwarded-For": f"192.0.2.{number}"},
            )
            for number in range(12)
        ]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 900


def test_registrations_from_one_address_are_limited():
    with Service(SCRAPEMASTER_REGISTER_LIMIT="2/hour", SCRAPEMASTER_TRUSTED_PROXIES="127.0.0.0/8") as service:

        def register(name, address):
            return requests.post(
                f"{service.base}/auth/register",
                json={"username": name, "password": THEIRS},
                headers={"X-Forwarded-For": f"203.0.113.9, {address}"},
            )

        answers = [register(f"user{number}", "2001:db8::1:0:0:1") for number in range(2)]
        answers += [register("user5", "2001:db8::2"), register("user6", "192.0.2.1")]

        assert [answer.status_code for answer in answers] == [201, 201, 429, 201]
        assert int(answers[2].headers["Retry-After"]) > 0
        # The operator's login from loopback itself is no proxy's.
        assert sign_in(service, "admin", PASSWORD).status_code == 200
