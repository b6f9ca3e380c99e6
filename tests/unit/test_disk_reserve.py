"""Space that the workers of a machine keep together for when its disk is full."""

import threading

from scrapemaster.data_folder import DiskReserve
from scrapemaster.settings import load_settings

SIZE = 4 * 1024 * 1024


def test_workers_that_start_at_once_keep_one_reserve(tmp_path):
    settings = load_settings(data_dir=tmp_path)
    ready = threading.Barrier(8)
    kept = []

    def start():
        reserve = DiskReserve(settings)
        ready.wait()
        kept.append(reserve.keep())

    workers = [threading.Thread(target=start) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert kept == [True] * 8
    assert (tmp_path / "reserve").stat().st_size == SIZE


def test_a_reserve_of_another_size_is_made_right(tmp_path):
    settings = load_settings(data_dir=tmp_path)
    for size in (0, 1_000, 2 * SIZE):
        (tmp_path / "reserve").write_bytes(bytes(size))

        assert DiskReserve(settings).keep()
        assert (tmp_path / "reserve").stat().st_size == SIZE


def test_what_is_given_is_kept_again(tmp_path):
    reserve = DiskReserve(load_settings(data_dir=tmp_path))
    reserve.keep()

    reserve.give()
    assert not (tmp_path / "reserve").exists()

    assert reserve.keep()
    assert (tmp_path / "reserve").stat().st_size == SIZE
