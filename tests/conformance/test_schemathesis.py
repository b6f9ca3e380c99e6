"""The API does what its OpenAPI document says, whatever it is sent."""

import json
import re
import socket
from urllib.parse import urlsplit

import pytest
import requests
from benchmarks.conformance import ENDS_SESSION, quiet_service, run

#: Seconds for each role; with the start of the service and what cannot be stopped at once some 50 in all.
BUDGET = 8


@pytest.fixture(scope="module")
def service():
    with quiet_service() as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("role", ["admin", "user"])
def test_no_request_leads_to_a_fault_or_an_answer_that_is_not_documented(service, role):
    code, report = run(
        service,
        role,
        "--exclude-path-regex",
        ENDS_SESSION,
        "--seed",
        "50",
        "--max-time",
        str(BUDGET),
    )

    assert code == 0, report
    assert "Stateful" in report


def test_requests_that_end_a_session_are_documented_too(service):
    code, report = run(
        service,
        "leaver",
        "--include-path-regex",
        ENDS_SESSION,
        "--seed",
        "50",
        "-n",
        "10",
        "--phases",
        "coverage,fuzzing",
    )

    assert code == 0, report


def document(service):
    return requests.get(service.base.replace("/api/v1", "/api/openapi.json"), timeout=30).json()


def test_methods_a_path_does_not_have_are_refused_with_those_it_has(service):
    paths = document(service)["paths"]
    for template in paths:
        path = template.replace("{", "").replace("}", "")
        url = service.base.removesuffix("/api/v1") + path
        # A path may be that of two templates: /jobs/bulk is one of /jobs/{job_id}, too.
        documented = {
            name.upper()
            for other, operations in paths.items()
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", other), path)
            for name in operations
        }
        for method in {"TRACE", "OPTIONS", "PUT", "PROPFIND", "HEAD"} - documented:
            answer = service.http.request(method, url, timeout=30)
            assert answer.status_code == 405, (method, url)
            allowed = set(answer.headers["Allow"].split(", "))
            assert allowed == {name.upper() for name in paths[template]}, (method, url)


def raw(service, request):
    """The first bytes of the answer to exactly these."""
    parts = urlsplit(service.base)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as client:
        client.sendall(request)
        return client.recv(4_096)


@pytest.mark.parametrize(
    ("target", "statuses"),
    [
        (b"/api/v1/jobs/%00", {404}),
        (b"/api/v1/jobs/%ff%fe", {404}),
        (b"/api/v1/jobs/%ed%a0%80", {404}),
        (b"/api/v1/jobs/\xff\xfe", {400, 404}),
        (b"/api/v1/jobs/%2e%2e%2fsecret.key", {404}),
        (b"/api/v1/jobs/" + b"a" * 30_000, {404, 414, 422, 431}),
        (b"/api/v1/jobs?tag=%00%ff&q=%ed%a0%80", {200}),
        (b"/api/v1/jobs?limit=%00", {422}),
        (b"/api/v1/jobs?skip=99999999999999999999999999", {422}),
        (b"/api/v1/results/x?cursor=99999999999999999999", {422}),
        (b"/api/v1/results/x?skip=999999999999", {404}),
        (b"/api/v1/results/x/export?fields=%00%ff", {404}),
        (b"/api/v1//jobs", {404}),
        (b"/api/v1/jobs/", {404}),
        (b"//evil.example/api/v1/jobs", {400, 404}),
        (b"*", {400, 404}),
    ],
)
def test_odd_targets_get_an_answer_and_never_a_fault(service, target, statuses):
    token = service.http.headers["Authorization"].encode()
    answer = raw(
        service,
        b"GET "
        + target
        + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: "
        + token
        + b"\r\n\r\n",
    )

    assert answer.startswith(b"HTTP/1.1 ")
    assert int(answer.split()[1]) in statuses, answer


@pytest.mark.parametrize(
    "headers",
    [
        b"Authorization: Bearer \xff\xfe",
        b"Authorization: Bearer",
        b"Authorization: Basic YTpi",
        b"Authorization:",
    ],
)
def test_odd_credentials_are_no_credentials(service, headers):
    answer = raw(
        service, b"GET /api/v1/auth/me HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\nConnection: close\r\n\r\n"
    )

    assert answer.split()[1] == b"401"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"BREW /api/v1/jobs HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_what_is_no_http_gets_an_error_of_the_usual_shape(service, request_):
    head, _, body = raw(service, request_).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"x-request-id: " in head
    assert json.loads(body)["type"] == "bad_request"
