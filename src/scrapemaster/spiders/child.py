"""The process of a spider, run by path: confines itself, and only then loads the project and Scrapy.

The task and then orders come on standard input, messages go out on what was standard output; what the spider prints goes to standard error. When
standard input ends, the crawler is gone, and so is this process.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import BinaryIO

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
    orders = sys.stdin.buffer
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


def _task(orders: BinaryIO) -> Task | None:
    head = orders.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    data = orders.read(length)
    return task_of(data) if len(data) == length else None


if __name__ == "__main__":
    sys.exit(main())
