"""What a spider's process takes from itself before it runs code of others.

Limits of resources everywhere; on Linux the kernel's Landlock besides (https://docs.kernel.org/userspace-api/landlock.html): files outside of what
is named can be neither read nor written, TCP connections made to the gate's port alone, and no other process signalled or looked into. None of it can
be taken back, and processes that this one starts have it too. Made of the standard library alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

#: Numbers of the system calls, the same on all architectures but Alpha.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_ASK_VERSION = 1
_PATH_RULE, _PORT_RULE = 1, 2
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITIES_3 = 0x20080522

_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_READ = _EXECUTE | _READ_FILE | _READ_DIR
#: How many kinds of access to files each version knows; the first five of the table are versions 1 to 5.
_KINDS = (13, 14, 15, 15, 16)
#: Those that mean something for a file that is no folder: execute, write, read, truncate, ioctl.
_OF_FILES = _EXECUTE | 1 << 1 | _READ_FILE | 1 << 14 | 1 << 15
_BIND, _CONNECT = 1 << 0, 1 << 1
_NET_SINCE, _SCOPES_SINCE = 4, 6
#: Abstract UNIX sockets and signals.
_SCOPES = 0b11

#: What programs need of a system to run at all. Not all of /etc: services keep their secrets there.
SYSTEM = (
    "/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/proc", "/sys/devices/system/cpu", "/sys/fs/cgroup",
    "/etc/ld.so.cache", "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/resolv.conf", "/etc/hosts", "/etc/host.conf",
    "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/localtime", "/etc/timezone", "/etc/mime.types", "/etc/fonts", "/etc/passwd", "/etc/group",
)  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/shm")  # noqa: S108 -- named, not used


class CannotConfine(Exception):
    """The kernel has no means to keep the process from files and connections."""


def landlock_version() -> int:
    """The version of Landlock that the kernel offers; 0 for none."""
    if not sys.platform.startswith("linux") or platform.machine() == "alpha":
        return 0
    return max(0, _call(_CREATE, None, 0, _ASK_VERSION))


def confinable() -> bool:
    """Whether both files and connections can be kept from a process here."""
    return landlock_version() >= _NET_SINCE


def limit(memory: int, cpu: int, file: int) -> None:
    """Bound memory (bytes of address space), processor time (seconds) and what a file may grow to (bytes)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file, file))
    # The soft limit's signal ends the process; the hard one is for those who ignore it.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 5))


def drop_privileges() -> None:
    """Give up the capabilities that a service run by root has, for this process and all that it starts."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # capset(2): a header with the version and this process, then effective, permitted and inheritable sets of 64 bits in halves.
    libc.capset(ctypes.c_char_p(struct.pack("=Ii", _CAPABILITIES_3, 0)), ctypes.c_char_p(bytes(24)))


def confine(reads: Iterable[str], folder: str, port: int) -> None:
    """Let this process read `reads` and what a system needs, write to `folder`, and connect to `port`; raises `CannotConfine`.

    0 for `port`: connect to nothing. To be called after `drop_privileges`.
    """
    version = landlock_version()
    if version < _NET_SINCE:
        raise CannotConfine(
            "this kernel cannot keep a process from files and connections: Landlock of Linux 6.7 or later is needed"
        )
    every = (1 << _KINDS[min(version, len(_KINDS)) - 1]) - 1
    scopes = _SCOPES if version >= _SCOPES_SINCE else 0
    attributes = struct.pack("=QQQ", every, _BIND | _CONNECT, scopes)
    size = len(attributes) if scopes else 16
    rules = _checked(_call(_CREATE, ctypes.c_char_p(attributes), size, 0))
    try:
        for path in (*SYSTEM, *reads):
            _allow(rules, path, _READ)
        for path in _DEVICES:
            _allow(rules, path, every)
        _allow(rules, folder, every)
        if port:
            rule = struct.pack("=QQ", _CONNECT, port)
            _checked(_call(_ADD, rules, _PORT_RULE, ctypes.c_char_p(rule), 0))
        _checked(_call(_RESTRICT, rules, 0))
    finally:
        os.close(rules)


def _allow(rules: int, path: str, access: int) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError, NotADirectoryError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not Path(path).is_dir():
                access &= _OF_FILES
            rule = struct.pack("=Qi", access, descriptor)
            _checked(_call(_ADD, rules, _PATH_RULE, ctypes.c_char_p(rule), 0))
        finally:
            os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    return int(ctypes.CDLL(None, use_errno=True).syscall(number, *arguments))


def _checked(result: int) -> int:
    if result < 0:
        raise CannotConfine(f"the kernel refused to confine the process: {os.strerror(ctypes.get_errno())}")
    return result
