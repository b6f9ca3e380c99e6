"""What the service is like to hostile, broken and slow clients, and what it tells browsers."""

import contextlib
import json
import re
import select
import socket
import time
from pathlib import Path

import pytest
import requests
from benchmarks.service import Service

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def service():
    with Service(SCRAPEMASTER_TRUSTED_PROXIES="127.0.0.0/8") as running:
        yield running


@pytest.fixture(scope="module")
def impatient():
    with Service(SCRAPEMASTER_CLIENT_TIMEOUT="1") as running:
        yield running


def root(service):
    return f"http://127.0.0.1:{service.port}"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/healthz", 200), ("/api/v1/auth/me", 401), ("/api/v1/nowhere", 404), ("/nowhere", 404), ("/api/docs", 200),
     ("/api/redoc", 200), ("/api/openapi.json", 200), ("/api/assets/swagger-ui.css", 200), ("/", 200)],
)  # fmt: skip
def test_every_response_has_the_security_headers(service, path, status):
    answer = requests.get(f"{root(service)}{path}", allow_redirects=False)

    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in answer.headers
    assert "Server" not in answer.headers


@pytest.mark.parametrize("path", ["/api/docs", "/api/redoc", "/api/docs/oauth2-redirect"])
def test_the_pages_run_no_script_but_ours(service, path):
    policy = requests.get(f"{root(service)}{path}").headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

    assert rules["default-src"] == "'none'"
    assert "unsafe" not in rules["script-src"]
    assert all(source == "'self'" or source.startswith("'sha256-") for source in rules["script-src"].split())
    assert rules["connect-src"] == "'self'"


def test_answers_of_the_api_are_not_kept_by_caches(service):
    assert service.http.get(f"{service.base}/auth/me").headers["Cache-Control"] == "no-store"


def test_hsts_comes_with_https_alone_as_a_trusted_proxy_tells(service, impatient):
    def hsts(of, proto):
        answer = requests.get(f"{root(of)}/healthz", headers={"X-Forwarded-Proto": proto})
        return answer.headers.get("Strict-Transport-Security")

    assert hsts(service, "https").startswith("max-age=31536000")
    assert hsts(service, "http") is None
    assert hsts(impatient, "https") is None, "it trusts no proxy"


def test_browsers_of_other_origins_are_let_in_where_the_operator_says_so(service):
    def preflight(of, origin):
        return requests.options(
            f"{of.base}/jobs",
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
            },
        )

    assert "Access-Control-Allow-Origin" not in preflight(service, "https://app.example").headers
    with Service(
        SCRAPEMASTER_CORS_ORIGINS="https://app.example", SCRAPEMASTER_RATE_LIMIT="100/hour"
    ) as open_:
        allowed = preflight(open_, "https://app.example")
        assert allowed.status_code == 200
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert "POST" in allowed.headers["Access-Control-Allow-Methods"]
        assert "Access-Control-Allow-Credentials" not in allowed.headers
        assert "Access-Control-Allow-Origin" not in preflight(open_, "https://evil.example").headers
        for answer in (
            open_.http.get(f"{open_.base}/auth/me", headers={"Origin": "https://app.example"}),
            requests.get(f"{open_.base}/auth/me", headers={"Origin": "https://app.example"}),
        ):
            assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
            assert "X-RateLimit-Remaining" in answer.headers["Access-Control-Expose-Headers"]


@contextlib.contextmanager
def connected(service, **options):
    with socket.socket() as client:
        for option, value in options.items():
            client.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
        client.settimeout(60)
        client.connect(("127.0.0.1", service.port))
        yield client


def rest(client):
    """All that comes until the server closes."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(65_536):
            received += data
    return received


def one_response(client):
    """One response with a Content-Length, whole."""
    received = b""
    while (head_end := received.find(b"\r\n\r\n")) < 0 or len(received) < head_end + 4 + int(
        re.search(rb"content-length: (\d+)", received)[1]
    ):
        data = client.recv(65_536)
        assert data, received
        received += data
    return received


def drip(client, data, pause=0.1):
    """Send a byte at a time until the server has had enough; what it said."""
    client.setblocking(False)
    for number in range(len(data)):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.send(data[number : number + 1])
        if select.select([client], [], [], pause)[0]:
            break
    else:
        raise AssertionError("the server took it all")
    client.settimeout(60)
    return rest(client)


def said(answer):
    """Status and JSON body of a raw response."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_H31_a_head_that_comes_a_byte_at_a_time_is_cut(impatient):
    with connected(impatient) as client:
        status, body = said(drip(client, b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: " + b"a" * 1_000))

    assert (status, body["type"]) == (408, "timeout")
    assert requests.get(f"{root(impatient)}/healthz").status_code == 200


def test_H31_a_body_that_comes_a_byte_at_a_time_is_cut(impatient):
    token = impatient.http.headers["Authorization"]
    head = (
        "POST /api/v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        f"Authorization: {token}\r\nContent-Length: 5000\r\n\r\n"
    ).encode()
    with connected(impatient) as client:
        client.sendall(head)
        status, body = said(drip(client, b" " * 5_000))

    assert (status, body["type"]) == (408, "timeout")


def test_H31_a_slow_body_is_cut_after_the_answer_too(impatient):
    head = (
        b"POST /api/v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Content-Length: 5000\r\n\r\n"
    )
    with connected(impatient) as client:
        client.sendall(head)
        answer = one_response(client)
        assert b" 401 " in answer.split(b"\r\n")[0]
        drip(client, b" " * 5_000)


def test_H31_a_connection_that_says_nothing_is_closed(impatient):
    with connected(impatient) as client:
        assert rest(client) == b""


def sockets_of(service):
    """How many sockets the service has open."""
    count = 0
    for link in Path(f"/proc/{service.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            count += link.readlink().name.startswith("socket:")
    return count


def test_H31_a_client_that_does_not_read_is_cut(impatient):
    before = sockets_of(impatient)
    with connected(impatient, SO_RCVBUF=4_096) as client:
        # More than the kernel keeps for it.
        client.sendall(b"GET /api/assets/redoc.standalone.js HTTP/1.1\r\nHost: a\r\n\r\n" * 30)
        while sockets_of(impatient) <= before:
            time.sleep(0.01)
        end = time.monotonic() + 60
        while sockets_of(impatient) > before:
            assert time.monotonic() < end, "it was left open"
            time.sleep(0.1)
        assert requests.get(f"{root(impatient)}/healthz").status_code == 200


def test_a_request_in_pieces_within_the_time_is_served(impatient):
    with connected(impatient) as client:
        for _ in range(3):
            for piece in (b"GET /healthz HT", b"TP/1.1\r\nHo", b"st: a\r\n\r\n"):
                client.sendall(piece)
                time.sleep(0.05)
            assert b" 200 " in one_response(client).split(b"\r\n")[0]
            time.sleep(1.2)  # idle for longer than a request may take


def test_requests_sent_at_once_are_answered_in_order(impatient):
    with connected(impatient) as client:
        one = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"
        client.sendall(
            one % b"healthz" + one % b"nowhere" + one % b"readyz HTTP/1.1\r\nConnection: close\r\nX:"
        )
        answers = rest(client)

    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"404", b"200"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET /" + b"a" * 9_000, 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 1_000_000, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a" * 200_000, 431),
        (b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: " + b"a" * 200_000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\x00c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n X-A: folded\r\n\r\n", 400),
    ],
)  # fmt: skip
def test_H31_heads_that_are_too_large_or_no_http_are_refused(service, request_, status):
    with connected(service) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(request_)
        answer = rest(client)

    if answer:  # else the answer was lost in the reset, as TCP has it when much was left unread
        assert said(answer)[0] == status
        assert b"nosniff" in answer
        assert b"connection: close" in answer
    else:
        assert len(request_) > 65_536
    assert requests.get(f"{root(service)}/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/auth/keys", "/users", "/auth/password", "/jobs"])
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", JSON),
        (b"[" * 100_000, JSON),
        (b'{"a":' * 100_000, JSON),
        (b'{"name": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", JSON),
        (b'{"name": "\xff\xfe"}', JSON),
        (b'{"name": "\\ud800", "password": "\\ud800\\ud800", "username": "\\ud800", "url": "\\ud800"}', JSON),
        (b'{"name": 1e999}', JSON),
        (b'{"name": ' + b"9" * 10_000 + b"}", JSON),
        (b"null", JSON),
        (b"NaN", JSON),
        (b"name=a", {"Content-Type": "text/plain"}),
        (b"name=a", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b'{"name": "a"}', {"Content-Type": "application/xml"}),
        (b'{"name": "a"}', {"Content-Type": ""}),
        (b"<a/>", {"Content-Type": "multipart/form-data; boundary=" + "b" * 1_000}),
    ],
)  # fmt: skip
def test_H31_bodies_that_cannot_be_used_are_refused(service, path, body, headers):
    answer = service.http.post(f"{service.base}{path}", data=body, headers=headers)

    assert answer.status_code in {400, 422}
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("depth", [60, 64, 65, 250, 251, 252, 253, 254, 900])
def test_H31_what_was_taken_can_always_be_shown(service, depth):
    body = b'{"url": "http://127.0.0.1:9/", "meta": {"a": ' + b"[" * depth + b"]" * depth + b"}}"
    answer = service.http.post(f"{service.base}/jobs", data=body, headers=JSON)

    assert answer.status_code == (201 if depth <= 62 else 422)
    assert service.http.get(f"{service.base}/jobs").status_code == 200


def test_no_body_is_read_of_a_caller_that_is_not_known(service):
    """The answer comes before the body was sent."""
    head = (
        b"POST /api/v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
    )
    with connected(service) as client:
        client.sendall(head)
        answer = one_response(client)

    assert answer.split(b"\r\n")[0].split()[1] == b"401"
    assert said(answer)[1] == {"detail": "Could not validate credentials"}
