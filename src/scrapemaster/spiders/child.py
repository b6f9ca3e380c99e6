"""The process of a spider, run by path: confines itself, and only then loads the project and Scrapy.

The task and then orders come on standard input, messages go out on what was standard output; what the spider prints goes to standard error. When
standard input ends, the crawler is gone, and so is this process.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

#: Run by path, so that nothing of the environment says what is imported: the package's own place goes where the script's was.
sys.path[0] = str(Path(__file__).parents[2])

from scrapemaster.spiders import confinement  # noqa: E402 -- see the line before
from scrapemaster.spiders.messages import LENGTH, Ended, Task, packed, task_of  # noqa: E402

#: Others come first: the service must stay quick.
_NICENESS = 5


def main() -> int:
    """Entry point."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    messages = os.dup(1)
    os.dup2(2, 1)
    orders = 0
    task = _task(orders)
    if task is None:
        return 1
    os.nice(_NICENESS)
    try:
        _confine(task)
    except confinement.CannotConfine as error:
        os.write(messages, packed(Ended("", str(error))))
        return 0
    sys.path.insert(1, task.path)
    sys.argv = ["scrapy", "crawl"]

    from scrapemaster.spiders import inside  # noqa: PLC0415 -- Scrapy must not be loaded before

    inside.work(task, messages, orders)
    return 0


def _confine(task: Task) -> None:
    confines = task.confines
    os.chdir(confines.folder)
    os.environ.update({
        "HOME": confines.folder,
        "TMPDIR": confines.folder,
        "SCRAPY_SETTINGS_MODULE": task.settings_module,
        "PYTHONDONTWRITEBYTECODE": "1",
    })  # fmt: skip
    sys.dont_write_bytecode = True
    if confines.port:
        gate = f"http://127.0.0.1:{confines.port}"
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            os.environ[name] = gate
    confinement.drop_privileges()
    confinement.limit(confines.memory, confines.cpu, confines.file)
    if confines.sandbox and (confines.strict or confinement.confinable()):
        reads = [
            *confines.reads,
            *(path for path in sys.path if path),
            sys.prefix,
            sys.base_prefix,
            task.path,
        ]
        confinement.confine(reads, confines.folder, confines.port)


def _task(orders: int) -> Task | None:
    head = _exactly(orders, LENGTH.size)
    if head is None:
        return None
    data = _exactly(orders, LENGTH.unpack(head)[0])
    return None if data is None else task_of(data)


def _exactly(descriptor: int, length: int) -> bytes | None:
    data = b""
    while len(data) < length:
        # Not through a buffer, in which orders that come later would be hidden from who waits for them.
        piece = os.read(descriptor, length - len(data))
        if not piece:
            return None
        data += piece
    return data


if __name__ == "__main__":
    sys.exit(main())
