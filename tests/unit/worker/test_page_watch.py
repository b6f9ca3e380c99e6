from scrapemaster.crawl.recorder import FlightRecorder
from scrapemaster.domain.ids import new_job_id
from scrapemaster.worker.page_watch import PAGE_SECONDS, PageWatch


def test_H47_a_process_hangs_when_it_has_one_page_for_too_long(tmp_path):
    now = 100.0
    recorder = FlightRecorder(tmp_path / "page")
    watch = PageWatch(recorder, lambda: now)
    job = new_job_id()

    now += 2 * PAGE_SECONDS
    assert watch.hangs_at() is None
    recorder.begin(job, 1)
    assert watch.hangs_at() is None
    now += PAGE_SECONDS
    assert watch.hangs_at() is None

    recorder.end()
    recorder.begin(job, 1)
    assert watch.hangs_at() is None
    now += PAGE_SECONDS + 0.1
    assert watch.hangs_at() == job

    recorder.end()
    assert watch.hangs_at() is None
    recorder.close()
