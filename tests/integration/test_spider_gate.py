"""The gate of spiders: what goes through it, and what does not."""

import asyncio
import base64
import socket
import threading
from contextlib import contextmanager
from ipaddress import ip_network
from socket import create_server

import pytest
import requests
from small_site import small_site

from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.spiders.gate import gate_of

LOOPBACK = [ip_network("127.0.0.0/8")]


async def _wind_up(opened):
    opened.close()
    # What was cut needs some turns of the loop to be gone.
    for _ in range(10):
        await asyncio.sleep(0.01)


@contextmanager
def gate(allow=LOOPBACK, proxy=None):
    """An open gate in a loop of its own; gives its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    opened = gate_of(EgressPolicy(allow), proxy)
    asyncio.run_coroutine_threadsafe(opened.open(), loop).result(10)
    try:
        yield opened.port
    finally:
        asyncio.run_coroutine_threadsafe(_wind_up(opened), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def site():
    with small_site(lambda path: (200, "text/plain", path.encode() * 1_000)) as url:
        yield url


@contextmanager
def scripted(answer):
    """A server that keeps what it is sent first, answers with these bytes, and leaves the connection open."""
    got = []
    with create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            got.append(connection.recv(65_536))
            connection.sendall(answer)
            got.append(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", got
        thread.join(5)
        for one in got[1:]:
            one.close()


def through(port, url, **options):
    place = f"http://127.0.0.1:{port}"
    return requests.get(url, proxies={"http": place, "https": place}, timeout=10, **options)


def raw(port, data):
    """The whole answer to these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(data)
        pieces = []
        while piece := client.recv(65_536):
            pieces.append(piece)
        return b"".join(pieces)


def test_a_plain_request_goes_to_its_host_and_its_connection_ends(site):
    with gate() as port:
        answer = through(port, f"{site}/hello?a=1")

    assert answer.text == "/hello?a=1" * 1_000
    assert answer.headers["Connection"] == "close"


def test_a_tunnel_passes_bytes_both_ways(site):
    place = site.removeprefix("http://")
    with gate() as port:
        said = raw(port, f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\nGET /x HTTP/1.0\r\n\r\n".encode())

    assert said.startswith(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert said.endswith(b"/x" * 10)


def test_H06_what_the_policy_denies_is_refused_with_the_reason(site):
    with gate(allow=[]) as port:
        answer = through(port, f"{site}/")
        tunnel = raw(port, b"CONNECT 169.254.169.254:443 HTTP/1.1\r\n\r\n")
        metadata = raw(port, b"GET http://metadata.google.internal/ HTTP/1.1\r\n\r\n")

    assert answer.status_code == 403
    assert answer.headers["X-ScrapeMaster-Gate"].startswith("egress_denied ")
    assert tunnel.startswith(b"HTTP/1.1 403 gate egress_denied\r\n")
    assert metadata.startswith(b"HTTP/1.1 403 gate egress_denied\r\n")


def test_what_cannot_be_reached_may_be_tried_again():
    with gate() as port:
        answer = through(port, "http://127.0.0.1:2/")

    assert answer.status_code == 502
    assert answer.headers["X-ScrapeMaster-Gate"].startswith("connection_refused")


def test_a_server_that_keeps_the_connection_open_gets_no_second_request_of_it():
    answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nhi"
    with scripted(answer) as (place, got), gate() as port:
        received = through(port, f"http://{place}/", headers={"Proxy-Connection": "keep-alive", "TE": "x"})

    assert (received.text, received.headers["Connection"]) == ("hi", "close")
    assert "Keep-Alive" not in received.headers
    head = got[0].lower()
    assert b"connection: close" in head
    assert b"proxy-connection" not in head
    assert b"\r\nte:" not in head


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /only/a/path HTTP/1.1\r\n\r\n",
        b"GET ftp://host/ HTTP/1.1\r\n\r\n",
        b"GET https://host/ HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET http://host/ HTTP/1.1\r\nX : a\r\n\r\n",
        b"GET http://host/ HTTP/1.1\r\nX: a\nInjected: b\r\n\r\n",
        b"GET http://host:99999/ HTTP/1.1\r\n\r\n",
        b"CONNECT host:x HTTP/1.1\r\n\r\n",
        b"GET http://host/ HTTP/1.1\r\nProxy-Authorization: Basic ???\r\n\r\n",
    ],
)
def test_what_is_no_request_to_a_proxy_is_refused(request_):
    with gate() as port:
        assert raw(port, request_).startswith(b"HTTP/1.1 400 ")


def test_a_proxy_that_the_project_chose_is_gone_on_by(site):
    credentials = base64.b64encode(b"ada:secret").decode()
    with scripted(b"HTTP/1.1 200 OK\r\n\r\n") as (place, got), gate() as port:
        chosen = base64.b64encode(f"http://{place} {credentials}".encode()).decode()
        target = site.removeprefix("http://")
        said = threading.Thread(
            target=lambda: raw(
                port, f"CONNECT {target} HTTP/1.1\r\nProxy-Authorization: Basic {chosen}\r\n\r\n".encode()
            ),
            daemon=True,
        )
        said.start()
        while not got:
            threading.Event().wait(0.01)

    assert got[0].startswith(f"CONNECT {target} HTTP/1.1\r\n".encode())
    assert f"Proxy-Authorization: Basic {credentials}".encode() in got[0]
