"""A network of namespaces on this machine: each part of a fleet has an address of its own, as on a machine of its own. Needs root and `ip`."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

#: Addresses are 10.231.<low byte of the process id>.n: runs side by side do not meet.
_FIRST = "10.231"


def available() -> bool:
    """Whether this process may make network namespaces."""
    return (
        os.geteuid() == 0
        and shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None
    )


class Network:
    """Named hosts, each a namespace with an address, on one bridge. This process itself is on it, too. Use as a context manager."""

    def __init__(self) -> None:
        self._number = os.getpid() % 250 + 1
        self._name = f"sm{os.getpid() % 100_000}"
        self._hosts: dict[str, list[str]] = {}
        self._next = 10
        self._made = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as made:
            self._namespace("net", made)
            _ip("-n", self._of("net"), "link", "add", "br0", "type", "bridge")
            _ip("-n", self._of("net"), "link", "set", "br0", "up")
            outside = f"{self._name}o"
            self._cable("outside", outside, None)
            made.callback(_ip, "link", "del", outside)
            _ip("addr", "add", f"{_FIRST}.{self._number}.1/24", "dev", outside)
            _ip("link", "set", outside, "up")
            self._made = made.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._made.close()

    def host(self, name: str, addresses: int = 1) -> list[str]:
        """Add a host with so many addresses; returns them."""
        mine = [f"{_FIRST}.{self._number}.{self._next + one}" for one in range(addresses)]
        self._next += addresses
        self._namespace(name, self._made)
        self._cable(name, "eth0", self._of(name))
        for address in mine:
            _ip("-n", self._of(name), "addr", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", self._of(name), "link", "set", "eth0", "up")
        self._hosts[name] = mine
        return mine

    @property
    def cidr(self) -> str:
        """The network all addresses are in."""
        return f"{_FIRST}.{self._number}.0/24"

    def names(self, names: Mapping[str, str]) -> None:
        """Let every host find these names, each at its address."""
        text = "".join(f"{address} {name}\n" for name, address in names.items()) + "127.0.0.1 localhost\n"
        for host in self._hosts:
            folder = Path("/etc/netns") / self._of(host)
            folder.mkdir(parents=True, exist_ok=True)
            self._made.callback(shutil.rmtree, folder, ignore_errors=True)
            # `ip netns exec` lays this over /etc/hosts.
            (folder / "hosts").write_text(text)

    def command(self, host: str, command: Sequence[str]) -> list[str]:
        """What to run so that a command runs on a host."""
        return ["ip", "netns", "exec", self._of(host), *command]

    def processes(self, host: str) -> list[int]:
        """The ids of the processes that run on a host."""
        return [int(pid) for pid in _ip("netns", "pids", self._of(host)).split()]

    @contextlib.contextmanager
    def unplugged(self, host: str) -> Iterator[None]:
        """Take a host off the network for a while: packets are dropped, connections stay open."""
        _ip("-n", self._of("net"), "link", "set", self._port(host), "down")
        try:
            yield
        finally:
            _ip("-n", self._of("net"), "link", "set", self._port(host), "up")

    def _namespace(self, name: str, made: contextlib.ExitStack) -> None:
        _ip("netns", "add", self._of(name))
        made.callback(_ip, "netns", "del", self._of(name))
        _ip("-n", self._of(name), "link", "set", "lo", "up")

    def _cable(self, name: str, device: str, into: str | None) -> None:
        """A pair of devices, one end in the bridge, the other in the namespace `into`, or here."""
        ends = ["peer", "name", device, *(["netns", into] if into else ["netns", str(os.getpid())])]
        _ip("-n", self._of("net"), "link", "add", self._port(name), "type", "veth", *ends)
        _ip("-n", self._of("net"), "link", "set", self._port(name), "master", "br0")
        _ip("-n", self._of("net"), "link", "set", self._port(name), "up")

    def _of(self, name: str) -> str:
        return f"{self._name}-{name}"

    def _port(self, name: str) -> str:
        # Names of devices have 15 characters at most.
        return f"to-{name}"[:15]


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
