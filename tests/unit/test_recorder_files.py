"""Each worker of a machine has a file of its own to record its pages in, and finds that of a dead one."""

import subprocess
import sys
from pathlib import Path

from scrapemaster.crawl.recorder import FlightRecorder
from scrapemaster.data_folder import flight_recorders
from scrapemaster.settings import load_settings


def names(files):
    return [Path(f"/proc/self/fd/{file}").readlink().name for file in files]


def test_no_two_workers_have_one_file_and_what_is_free_is_taken_again(tmp_path):
    settings = load_settings(data_dir=tmp_path)

    with flight_recorders(settings, 2) as first, flight_recorders(settings, 1) as second:
        assert names([*first, *second]) == ["0.page", "1.page", "2.page"]

    with flight_recorders(settings, 1) as again:
        assert names(again) == ["0.page"]


def test_a_file_is_not_free_while_a_worker_lives_that_inherited_it(tmp_path):
    settings = load_settings(data_dir=tmp_path)
    with flight_recorders(settings, 1) as (file,):
        recorder = FlightRecorder(file)
        recorder.sign_on("w1")
        recorder.close()
        orphan = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[file])

    with flight_recorders(settings, 1) as files:
        assert names(files) == ["1.page"]
    orphan.communicate(b"\n")

    with flight_recorders(settings, 1) as (file,):
        recorder = FlightRecorder(file)
        assert recorder.crash() == ("w1", None)
        recorder.close()
