import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from scrapemaster.fetch.client import ClientPool, ClientSpec

SPEC = ClientSpec((), 1.0, None, None, verify_tls=True, proxy=None)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux alone")
def test_threads_that_move_bytes_are_nicer_than_the_event_loop_which_stays_as_it_is():
    before = os.getpriority(os.PRIO_PROCESS, 0)

    ClientPool().client(SPEC)

    niceness = {}
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # another test's thread, which ended
            if (task / "comm").read_text() == "fetching\n":
                niceness[task.name] = os.getpriority(os.PRIO_PROCESS, int(task.name))
    assert niceness
    assert all(nice > before for nice in niceness.values()), niceness
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_a_client_is_made_once_for_equal_specs():
    pool = ClientPool()
    same = ClientSpec((), 1.0, None, None, verify_tls=True, proxy=None)

    assert pool.client(SPEC) is pool.client(same)
    assert pool.client(SPEC) is not pool.client(ClientSpec((), 2.0, None, None, verify_tls=True, proxy=None))
