"""Real proxies as processes: tinyproxy (HTTP) and Dante (SOCKS 5), on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from benchmarks.manual_server import free_port, wait_for_port


@dataclass
class RunningProxy:
    """A proxy that runs. `url` has its credentials; `seen` is what it logged."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """End it at once, with its workers."""
        _signal(self.process, signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> None:
        """Have it hold its connections and answer nothing."""
        _signal(self.process, signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        _signal(self.process, signal.SIGCONT)

    @property
    def seen(self) -> str:
        return self.log.read_text(errors="replace")


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _program(*names: str) -> str:
    for name in names:
        found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
        if found:
            return found
    assert os.environ.get("CI") != "true", f"CI must install {names[0]}"
    pytest.skip(f"{names[0]} is not installed")


@contextlib.contextmanager
def _running(command: list[str], url: str, port: int, log: Path) -> Iterator[RunningProxy]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    proxy = RunningProxy(url, port, process, log)
    try:
        wait_for_port(port)
        yield proxy
    finally:
        proxy.kill()


@contextlib.contextmanager
def tinyproxy(
    folder: Path,
    *,
    credentials: str | None = "ada:s3cret",
    port: int | None = None,
    refuse: str | None = None,
    outgoing: str | None = None,
) -> Iterator[RunningProxy]:
    """An HTTP proxy. `refuse`: a pattern of hosts that it answers 403 for; `outgoing`: the address it comes from."""
    program = _program("tinyproxy")
    port = port or free_port()
    log = folder / f"tinyproxy{port}.log"
    lines = [
        f"Port {port}",
        "Listen 127.0.0.1",
        "Timeout 30",
        "MaxClients 200",
        "LogLevel Connect",
        "DisableViaHeader Yes",
    ]
    if credentials is not None:
        lines.append(f"BasicAuth {credentials.replace(':', ' ')}")
    if refuse is not None:
        rules = folder / f"tinyproxy{port}.filter"
        rules.write_text(f"{refuse}\n")
        lines += [f'Filter "{rules}"', "FilterDefaultDeny No"]
    if outgoing is not None:
        lines.append(f"Bind {outgoing}")
    config = folder / f"tinyproxy{port}.conf"
    config.write_text("\n".join(lines) + "\n")
    user = f"{credentials}@" if credentials else ""
    with _running([program, "-d", "-c", str(config)], f"http://{user}127.0.0.1:{port}", port, log) as proxy:
        yield proxy


@contextlib.contextmanager
def dante(folder: Path, *, port: int | None = None, outgoing: str = "127.0.0.1") -> Iterator[RunningProxy]:
    """A SOCKS 5 proxy for anybody: Dante knows only the accounts of the system."""
    program = _program("danted", "sockd")
    port = port or free_port()
    log = folder / f"dante{port}.log"
    me = pwd.getpwuid(os.geteuid()).pw_name
    config = folder / f"dante{port}.conf"
    config.write_text(
        f"""
logoutput: {log}
internal: 127.0.0.1 port = {port}
external: {outgoing}
socksmethod: none
clientmethod: none
user.privileged: {me}
user.unprivileged: {me}
client pass {{
    from: 0.0.0.0/0 to: 0.0.0.0/0
}}
socks pass {{
    from: 0.0.0.0/0 to: 0.0.0.0/0
    command: connect
    log: connect
}}
"""
    )
    command = [program, "-f", str(config), "-N", "1"]
    with _running(command, f"socks5://127.0.0.1:{port}", port, log) as proxy:
        yield proxy


@dataclass
class Recorder:
    """A proxy of our own, HTTP and SOCKS 5 on one port, that records what it is asked for.

    Its addresses are real, what it connects to is not: every request goes to `target`. With `answer` it answers HTTP requests
    itself.
    """

    target: tuple[str, int]
    credentials: tuple[str, str] | None = None
    answer: bytes | None = None
    port: int = 0
    asked: list[str] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)

    def url(self, scheme: str, host: str = "127.0.0.1") -> str:
        who = "" if self.credentials is None else f"{':'.join(self.credentials)}@"
        return f"{scheme}://{who}{host}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.IncompleteReadError):
            first = await reader.readexactly(1)
            if first == b"\x05":
                await self._socks(reader, writer)
            else:
                await self._http(first, reader, writer)
        writer.close()

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        if self.credentials is not None:
            if 2 not in methods:
                writer.write(b"\x05\xff")
                await writer.drain()
                return
            writer.write(b"\x05\x02")
            await reader.readexactly(1)
            user = await reader.readexactly((await reader.readexactly(1))[0])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            self.logins.append((user.decode(), password.decode()))
            fine = self.logins[-1] == self.credentials
            writer.write(b"\x01\x00" if fine else b"\x01\x01")
            await writer.drain()
            if not fine:
                return
        else:
            writer.write(b"\x05\x00")
        kind = (await reader.readexactly(4))[3]
        size = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        place = await reader.readexactly(size)
        port = int.from_bytes(await reader.readexactly(2), "big")
        host = place.decode() if kind == 3 else str(ip_address(place))
        self.asked.append(f"{'name' if kind == 3 else 'address'} {host}:{port}")
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await self._pipe(reader, writer, b"")

    async def _http(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = first + await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, place, _ = lines[0].split(" ", 2)
        self.asked.append(f"{method} {place}")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        login = headers.get("proxy-authorization", "")
        if login:
            user, _, password = b64decode(login.removeprefix("Basic ")).decode().partition(":")
            self.logins.append((user, password))
        if self.credentials is not None and self.logins[-1:] != [self.credentials]:
            writer.write(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        if self.answer is not None:
            writer.write(self.answer)
            await writer.drain()
            return
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Fine\r\n\r\n")
            await self._pipe(reader, writer, b"")
        else:
            path = "/" + place.partition("://")[2].partition("/")[2]
            kept = [line for line in lines[1:] if not line.lower().startswith(("proxy-", "connection:"))]
            start = "\r\n".join([f"{method} {path} HTTP/1.1", "Connection: close", *kept])
            await self._pipe(reader, writer, start.encode("latin-1"))

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes) -> None:
        back, out = await asyncio.open_connection(*self.target)
        out.write(first)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65_536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(copy(reader, out), copy(back, writer))


@contextlib.asynccontextmanager
async def recorder(target: tuple[str, int], **values: Any) -> AsyncIterator[Recorder]:
    """A running `Recorder`."""
    proxy = Recorder(target, **values)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
