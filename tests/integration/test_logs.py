"""What gets into the log of a real service, and what must not (H36)."""

import re
import socket
import subprocess
import sys

import pytest
import requests
from benchmarks.service import Service

SECRETS = {
    "password": "pa55-word-in-no-log",
    "wrong": "wr0ng-password-in-no-log",
    "new": "n3w-password-in-no-log",
    "cookie": "c00kie-in-no-log",
    "header": "h3ader-secret-in-no-log",
}
#: A line as our logs begin one: a time.
LINE = {"console": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"), "json": re.compile(r"\{.*\}$")}


def raw(service, request):
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        client.sendall(request)
        return client.recv(65_536)


@pytest.mark.parametrize("kind", ["console", "json"])
def test_H36_nothing_forges_lines_and_no_secret_is_written(tmp_path, kind):
    settings = {"SCRAPEMASTER_LOG_LEVEL": "debug", "SCRAPEMASTER_LOG_FORMAT": kind}
    with Service(log=tmp_path / "log", **settings) as service:
        base = service.base
        forged = "x\r\n2026-01-01T00:00:00Z [info] FORGED \x1b[31mred\x1b[0m \x85\u2028 end"
        token = service.http.headers["Authorization"].split()[1]
        for name in ("ada", forged, SECRETS["wrong"]):
            requests.post(f"{base}/auth/register", json={"username": name, "password": SECRETS["password"]})
            requests.post(f"{base}/auth/login", json={"username": name, "password": SECRETS["wrong"]})
            requests.post(f"{base}/auth/login", data={"username": name, "password": SECRETS["wrong"]})
        login = requests.post(
            f"{base}/auth/login", json={"username": "ada", "password": SECRETS["password"]}
        ).json()
        ada = {"Authorization": f"Bearer {login['access_token']}"}
        key = requests.post(f"{base}/auth/keys", json={"name": forged.strip("\r\n")}, headers=ada)
        key = requests.post(f"{base}/auth/keys", json={"name": "a"}, headers=ada).json()["key"]
        requests.get(f"{base}/auth/me", headers={"X-API-Key": key})
        requests.get(f"{base}/auth/me", headers={"X-API-Key": key + "x"})
        requests.get(f"{base}/auth/me", headers={"Authorization": f"Bearer {token}x"})
        for words in ({"current_password": SECRETS["wrong"]}, {"current_password": SECRETS["password"]}):
            requests.post(
                f"{base}/auth/password", json={**words, "new_password": SECRETS["new"]}, headers=ada
            )
        requests.get(f"{base}/x%0d%0a2026-01-01T00:00:00Z%20FORGED%1b[31m?token={key}")
        requests.get(f"{base}/jobs?q=%0aFORGED%1b[31m", headers=ada)
        raw(service, b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-ID: a\x1b[31mFORGED\r\n\r\n")
        raw(service, b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-ID: a\tFORGED\r\n\r\n")
        raw(service, b"FORGED\x1b[31m nonsense\r\n\r\n")
        service.http.patch(f"{base}/users/{forged}", json={"disabled": True})
        job = service.create(
            url="http://127.0.0.1:9/%0aFORGED%1b[31m",
            name=forged,
            tags=[forged],
            selectors={forged: "h1::text"},
            config={
                "cookies": {"a": SECRETS["cookie"]},
                "headers": {"X-Secret": SECRETS["header"]},
                "max_retries": 0,
            },
        )
        service.finished(job["id"])
    log = (tmp_path / "log").read_text()

    assert "service.ready" in log
    assert "login.failed" in log
    for name, secret in {**SECRETS, "token": token, "login": login["access_token"], "key": key}.items():
        assert secret not in log, name
    assert "\x1b" not in log
    for line in log.splitlines():
        assert LINE[kind].match(line), line
        assert not line.startswith("2026-01-01"), line
    # Nor do the library's own messages tell what was sent.
    assert not re.search(r"^\S*FORGED", log, re.MULTILINE)


def test_a_proxy_that_is_not_named_is_told_of_once(tmp_path):
    with Service(log=tmp_path / "log") as service:
        for _ in range(3):
            requests.post(
                f"{service.base}/auth/login",
                json={"username": "ada", "password": "some password"},
                headers={"X-Forwarded-For": "192.0.2.1"},
            )

    log = (tmp_path / "log").read_text()
    assert log.count("proxy.not_trusted") == 1
    assert "SCRAPEMASTER_TRUSTED_PROXIES" in log


@pytest.mark.parametrize("kind", ["console", "json"])
def test_H36_an_exceptions_text_forges_nothing_either(kind):
    program = (
        "import structlog\n"
        "from scrapemaster.logs import set_up_logs\n"
        "from scrapemaster.settings import load_settings\n"
        f"set_up_logs(load_settings(log_format={kind!r}))\n"
        "try:\n"
        "    raise ValueError('x\\n2026-01-01T00:00:00Z [info] FORGED \\x1b[31mred\\r\\x85')\n"
        "except ValueError:\n"
        "    structlog.get_logger('x').exception('it.failed')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )

    assert "FORGED" in done.stderr
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr
    assert sum(bool(LINE[kind].match(line)) for line in done.stderr.splitlines()) == 1
