import os
import signal
import subprocess
import sys

from scrapemaster.crawl.recorder import FlightRecorder
from scrapemaster.domain.ids import new_job_id

DIES = """
import os, signal, sys
from pathlib import Path
from scrapemaster.crawl.recorder import FlightRecorder
recorder = FlightRecorder(Path(sys.argv[1]))
recorder.begin("an earlier job", 1)
recorder.end()
recorder.begin(sys.argv[2], 7)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_H47_the_page_at_which_a_crawler_was_killed_is_known_afterwards(tmp_path):
    job = new_job_id()

    ended = subprocess.run(
        [sys.executable, "-c", DIES, str(tmp_path / "page"), job], check=False, env=os.environ
    )

    assert ended.returncode == -signal.SIGKILL
    recorder = FlightRecorder(tmp_path / "page")
    assert recorder.under_way() == (2, job, 7)
    recorder.end()
    assert recorder.under_way() is None
    recorder.close()
