"""What one user has is not there for another: every route of the document, those that come later too."""

import json
import re

import pytest
import requests
from benchmarks.service import Service

THEIRS = "a good password"
PARAMETER = re.compile(r"{(\w+)}")
#: Routes that anybody may use.
OPEN = {
    ("post", "/api/v1/auth/register"),
    ("post", "/api/v1/auth/login"),
    ("get", "/api/v1/auth/welcome"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
}
#: Routes that only an admin may use: by the beginning of their path.
ADMIN = ("/api/v1/users", "/api/v1/proxies", "/api/v1/monitoring/workers")


def for_admins(verb, path):
    """Whether only an admin may use it; projects are an admin's to change, and everybody's to see."""
    return path.startswith(ADMIN) or (verb != "get" and path.startswith("/api/v1/projects"))


def made(answer):
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()["id"]


def job(owner, base):
    order = {"url": "http://127.0.0.1:9/", "selectors": {"t": "h1::text"}}
    return made(owner.post(f"{base}/jobs", json=order))


def key(owner, base):
    return made(owner.post(f"{base}/auth/keys", json={"name": "a"}))


def myself(owner, base):
    return made(owner.get(f"{base}/auth/me"))


def unknown(_owner, _base):
    """Something within a thing that is another's already: any id does."""
    return "01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"


def webhook(owner, base):
    body = {"webhook_url": "http://127.0.0.1:4999/hook", "events": ["job.completed"]}
    return made(owner.post(f"{base}/webhooks", json=body))


def schedule(owner, base):
    body = {"cron": "0 0 1 1 *", "timezone": "UTC", "job": {"url": "http://127.0.0.1:9/"}}
    return made(owner.post(f"{base}/schedules", json=body))


#: How to make one of what a path parameter names. A route with another parameter fails the test until it is told here.
MAKE = {
    "artefact_id": unknown,
    "job_id": job,
    "key_id": key,
    "user_id": myself,
    "webhook_id": webhook,
    "endpoint_id": webhook,
    "schedule_id": schedule,
    "delivery_id": unknown,
    "proxy_id": unknown,
    # Projects are an admin's, and there for everybody; the log of a spider's run is its owner's.
    "project": unknown,
    "version": unknown,
    "spider": unknown,
    "job": job,
}

#: Bodies for routes that do not take what their schema's examples make; a route that answers 422 wants one here.
BODIES = {("patch", "/api/v1/webhooks/{webhook_id}"): {"enabled": True}}


@pytest.fixture(scope="module")
def service():
    with Service() as running:
        yield running


@pytest.fixture(scope="module")
def document(service):
    return requests.get(f"http://127.0.0.1:{service.port}/api/openapi.json").json()


def person(service, name):
    session = requests.Session()
    body = {"username": name, "password": THEIRS}
    made(session.post(f"{service.base}/auth/register", json=body))
    token = session.post(f"{service.base}/auth/login", json=body).json()["access_token"]
    session.headers["Authorization"] = f"Bearer {token}"
    return session


def operations(document):
    return [
        (verb, path, operation)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
    ]


def body_of(document, verb, path, operation):
    """A body that the route takes, from its examples; None when it wants none."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if (verb, path) in BODIES:
        return BODIES[verb, path]
    return None if content is None else example(document, content["schema"])


def example(document, schema):
    if "$ref" in schema:
        return example(document, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    for name in ("example", "default", "const"):
        if name in schema:
            return schema[name]
    if schema.get("examples"):
        return schema["examples"][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            return example(document, schema[name][0])
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        # Where nothing is required, something is to be changed.
        names = schema.get("required") or list(properties)[:1]
        return {name: example(document, properties[name]) for name in names}
    return {"array": [], "string": "text", "integer": 1, "number": 1, "boolean": True}.get(schema.get("type"))


def test_every_path_parameter_is_known(document):
    named = {name for _, path, _ in operations(document) for name in PARAMETER.findall(path)}

    assert named <= set(MAKE), "say in MAKE how to make one, so that others' are tried"


def test_H28_what_is_anothers_is_not_there_on_any_route(service, document):
    owner, other = person(service, "ada"), person(service, "bob")
    tried = set()
    for verb, path, operation in operations(document):
        names = PARAMETER.findall(path)
        if not names:
            continue
        # One of its own for each route, as some of them would remove it.
        ids = {name: MAKE[name](owner, service.base) for name in names}
        url = f"http://127.0.0.1:{service.port}{path.format(**ids)}"
        answer = other.request(verb, url, json=body_of(document, verb, path, operation), timeout=30)
        wanted = 403 if for_admins(verb, path) else 404
        assert answer.status_code == wanted, (verb, path, answer.status_code, answer.text)
        # There is nothing to tell it from what does not exist.
        none = path.format(**dict.fromkeys(names, "01938c5e-0000-7c3b-9d8f-000000000000"))
        missing = other.request(
            verb,
            f"http://127.0.0.1:{service.port}{none}",
            json=body_of(document, verb, path, operation),
            timeout=30,
        )
        assert (missing.status_code, missing.json()) == (wanted, answer.json()), (verb, path)
        tried.add(names[0])
    assert {"job_id", "key_id", "user_id"} <= tried
    assert owner.get(f"{service.base}/auth/me").json()["username"] == "ada"


def test_H28_lists_hold_ones_own_alone(service, document):
    owner, other = person(service, "carol"), person(service, "dave")
    job(owner, service.base)
    key(owner, service.base)
    for verb, path, _ in operations(document):
        if verb != "get" or "{" in path or ("get", path) in OPEN:
            continue
        answer = other.get(f"http://127.0.0.1:{service.port}{path}", timeout=30, stream=True)
        if answer.headers["Content-Type"].startswith("text/event-stream"):
            with answer:
                told = next(line for line in answer.iter_lines() if line.startswith(b"data:"))
            assert not any(json.loads(told.removeprefix(b"data:"))["status_counts"].values()), told
        elif for_admins(verb, path):
            assert answer.status_code == 403, path
        elif isinstance(answer.json(), list):
            assert (answer.status_code, answer.json()) == (200, []), path
    assert other.get(f"{service.base}/monitoring/stats").json()["total_jobs"] == 0


def test_every_route_but_a_few_wants_a_caller(service, document):
    for verb, path, operation in operations(document):
        url = f"http://127.0.0.1:{service.port}{PARAMETER.sub('x', path)}"
        if (verb, path) in OPEN:
            assert not operation.get("security"), (verb, path)
            continue
        assert operation["security"], (verb, path)
        assert {"401", "429"} <= set(operation["responses"]), (verb, path)
        for headers in ({}, {"Authorization": "Bearer x"}, {"X-API-Key": "sm_x"}):
            for more in ({"json": {}}, {"data": b"{", "headers": {"Content-Type": "application/json"}}):
                answer = requests.request(
                    verb, url, **{**more, "headers": {**headers, **more.get("headers", {})}}, timeout=30
                )
                if (
                    "scrapyd" in operation["tags"]
                ):  # its clients speak Basic, and read its own shape of errors
                    assert answer.status_code == 401, (verb, path, headers)
                    assert answer.headers["WWW-Authenticate"].startswith("Basic"), (verb, path)
                    continue
                assert (answer.status_code, answer.json()) == (
                    401,
                    {"detail": "Could not validate credentials"},
                ), (verb, path, headers)
                assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_routes_for_admins_are_for_admins_alone(service, document):
    other = person(service, "erin")
    key_text = other.post(f"{service.base}/auth/keys", json={"name": "a"}).json()["key"]
    found = 0
    for verb, path, operation in operations(document):
        if not for_admins(verb, path):
            continue
        found += 1
        url = f"http://127.0.0.1:{service.port}{PARAMETER.sub('x', path)}"
        body = body_of(document, verb, path, operation)
        for answer in (
            other.request(verb, url, json=body),
            requests.request(verb, url, json=body, headers={"X-API-Key": key_text}),
        ):
            assert (answer.status_code, answer.json()["type"]) == (403, "forbidden"), (verb, path)
        assert "403" in operation["responses"], (verb, path)
    assert found >= 5
