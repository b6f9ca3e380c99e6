"""Whose process is at the other end of a connection on this machine."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from ipaddress import ip_address
from pathlib import Path

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_ANY_STATE = 0xFFFFFFFF
_NO_COOKIE = 0xFFFFFFFF
#: nlmsghdr and inet_diag_req_v2 with its inet_diag_sockid (linux/inet_diag.h).
_REQUEST = struct.Struct("=IHHII BBBBI 2s2s16s16sI II")
#: Where idiag_uid stands in an answer: behind nlmsghdr, four bytes, inet_diag_sockid and three words.
_UID_AT = 16 + 4 + 48 + 12
_ENDPOINT = tuple[str, int]


def owner_of(endpoint: _ENDPOINT, connected_to: _ENDPOINT) -> int | None:
    """The user id of the process that holds the TCP socket at `endpoint`, an IPv4 address and port of this machine.

    None when there is no such socket, or the system cannot tell.
    """
    with contextlib.suppress(OSError, struct.error):
        return _asked(endpoint, connected_to)
    with contextlib.suppress(OSError, ValueError, IndexError):
        return _listed(endpoint, connected_to)
    return None


def is_ours(endpoint: _ENDPOINT, connected_to: _ENDPOINT) -> bool:
    """Whether a process of our own user holds the socket. Where the system is not Linux nobody can tell, and all are."""
    if not sys.platform.startswith("linux"):
        return True
    return owner_of(endpoint, connected_to) == os.getuid()


def _asked(endpoint: _ENDPOINT, connected_to: _ENDPOINT) -> int | None:
    """Ask the kernel for the one socket; microseconds, however many there are."""
    request = _REQUEST.pack(
        _REQUEST.size, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0,
        socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY_STATE,
        struct.pack("!H", endpoint[1]), struct.pack("!H", connected_to[1]),
        ip_address(endpoint[0]).packed.ljust(16, b"\0"), ip_address(connected_to[0]).packed.ljust(16, b"\0"), 0,
        _NO_COOKIE, _NO_COOKIE,
    )  # fmt: skip
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(1.0)
        kernel.send(request)
        answer = kernel.recv(4_096)
    (kind,) = struct.unpack_from("=H", answer, 4)
    if kind != _SOCK_DIAG_BY_FAMILY:
        return None
    (uid,) = struct.unpack_from("=I", answer, _UID_AT)
    return int(uid)


def _listed(endpoint: _ENDPOINT, connected_to: _ENDPOINT) -> int | None:
    """Look it up in the list of all sockets."""
    wanted = [_hex(endpoint), _hex(connected_to)]
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[1:3] == wanted:
            return int(fields[7])
    return None


def _hex(endpoint: _ENDPOINT) -> str:
    packed = ip_address(endpoint[0]).packed
    return f"{int.from_bytes(packed, sys.byteorder):08X}:{endpoint[1]:04X}"
