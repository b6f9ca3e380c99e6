"""The isolated process: extracts pages that could hang or crash whoever works on them.

It reads tasks on standard input and answers on standard output. The kernel ends it when a task takes too long (the alarm
needs no help from Python, whose lock native code may hold) and when it asks for more memory than it may have. It
ends by itself when standard input does.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import traceback
from functools import lru_cache
from typing import BinaryIO

from scrapemaster.crawl.extraction import Found, work_on
from scrapemaster.crawl.isolated_messages import LENGTH, Done, Matches, Refused, Task, pack, spec_of, task_of
from scrapemaster.domain.errors import PageError
from scrapemaster.extract.document import Document
from scrapemaster.extract.plan import Plan, compile_plan
from scrapemaster.extract.probe import probe
from scrapemaster.extract.snapshot import snapshot_of

#: Others come first: the service must stay quick.
_NICENESS = 5


@lru_cache(maxsize=64)
def _plan(spec: bytes) -> Plan:
    wanted = spec_of(spec)
    return compile_plan(wanted.selectors, wanted.item, wanted.formats)


def answer(task: Task) -> Done | Refused:
    """Do a task."""
    try:
        if task.snapshot:
            document = Document(task.body, task.url, task.content_type)
            if document.kind != "html":
                return Refused("not_html", "the page is no HTML, so there is nothing to look at")
            return Done(Found([], 0, {}, task.url, [], 0), {}, snapshot_of(document))
        plan = _plan(task.plan)
        matches = {}
        if task.matches:
            document = plan.open(task.body, task.url, task.content_type)
            matches = {name: Matches(count, first) for name, (count, first) in probe(plan, document).items()}
        return Done(work_on(plan, task.body, task.url, task.content_type, links=task.links), matches)
    except PageError as error:
        return Refused(error.reason, error.detail)
    except MemoryError:
        return Refused("extract_memory", "extracting the page takes more memory than it may have")
    except RecursionError:
        return Refused("selector_error", "the page is nested too deeply for its selectors")
    except Exception as error:  # noqa: BLE001 -- a fault of ours must fail the page, and not look like a crash
        traceback.print_exc()
        return Refused("internal_error", f"{type(error).__name__} while extracting the page")


def main(argv: list[str]) -> None:
    """Entry point: the process may have `argv[1]` MiB of memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    os.nice(_NICENESS)
    memory = int(argv[1]) * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    orders, answers = sys.stdin.buffer, sys.stdout.buffer
    while (data := _read(orders)) is not None:
        task = task_of(data)
        signal.setitimer(signal.ITIMER_REAL, task.seconds)
        packed = pack(answer(task))
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        answers.write(LENGTH.pack(len(packed)))
        answers.write(packed)
        answers.flush()


def _read(orders: BinaryIO) -> bytes | None:
    head = orders.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    data = orders.read(length)
    return data if len(data) == length else None


if __name__ == "__main__":
    main(sys.argv)
