"""The demo shop, as its command serves it."""

import subprocess
import sys
from contextlib import contextmanager

from benchmarks.manual_server import free_port, wait_for_port


@contextmanager
def demo_shop():
    """Its port; when it is told to end, it ends in order."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "scrapemaster", "demo-site", "--port", str(port)], stdout=subprocess.DEVNULL
    )
    try:
        wait_for_port(port)
        yield port
    finally:
        process.terminate()
        ended = process.wait(timeout=20)
    assert ended == 0
