"""A clock for one process that a test can move while it runs, by libfaketime."""

import os
from pathlib import Path

import pytest

#: Where Debian's package `libfaketime` has its library.
_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


class FakeClock:
    """The variables under which a process goes by this clock. Only its wall clock moves; the monotonic one is the machine's."""

    def __init__(self, file):
        if not _LIBRARIES:
            assert os.environ.get("CI") != "true", "CI must have the package libfaketime"
            pytest.skip("libfaketime is not installed")
        self._file = file
        self.jump(0)
        self.environment = {
            "LD_PRELOAD": str(_LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Semaphores of threads wait until a time of the true clock.
            "FAKETIME_DISABLE_SHM": "1",
        }

    def jump(self, seconds):
        """Let the clock be so much ahead of the machine's, from within a second on."""
        fresh = self._file.with_suffix(".fresh")
        fresh.write_text(f"{seconds:+d}s\n")
        fresh.replace(self._file)
