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


def test_what_a_worker_that_was_killed_left_behind_is_known_to_the_next(tmp_path):
    job = new_job_id()
    file = os.open(tmp_path / "page", os.O_RDWR | os.O_CREAT)
    before, after = FlightRecorder(file), FlightRecorder(file)

    assert after.crash() is None
    before.sign_on("w1")
    assert after.crash() == ("w1", None)
    before.begin(job, 7)
    assert after.crash() == ("w1", (job, 7))

    after.sign_on("w2")
    assert after.crash() == ("w2", None)
    after.sign_off()
    assert after.crash() is None

    for one in (before, after):
        one.close()
    os.close(file)
