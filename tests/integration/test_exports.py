"""Exports of a real service."""

import asyncio
import contextlib
import csv
import gzip
import io
import json
import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import openpyxl
import pyarrow.parquet as pq
import pytest
from benchmarks.export import BOUND, FORMATS, download
from benchmarks.memory import held, peak
from benchmarks.rows import job_with_rows
from benchmarks.service import Service
from benchmarks.tree import tree

ROWS = 100_000


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A data folder with a job of many rows, and its id."""
    folder = tmp_path_factory.mktemp("large")
    return folder, asyncio.run(job_with_rows(folder, ROWS, name='Läden "A"\r\n../b'))


@pytest.fixture(scope="module")
def service(large):
    with Service(large[0]) as running:
        yield running


@pytest.fixture(scope="module")
def small(service):
    """A job with a few rows."""
    with tree(30) as url:
        created = service.create(
            url=url,
            name="small",
            selectors={"n": "p.n::text", "page": {"selector": "h1", "fields": {"title": "::text"}}},
            config={"follow_links": True, "max_pages": 100},
        )
        return service.finished(created["id"])


def export(service, job_id, **params):
    headers = {"Accept-Encoding": params.pop("encoding", "identity")}
    return service.http.get(
        f"{service.base}/results/{job_id}/export", params=params, headers=headers, timeout=120
    )


@pytest.mark.parametrize("name", FORMATS)
def test_memory_stays_bounded_whatever_the_format(large, name):
    """On a service of its own, so that no other export warmed it up; tests that share one come later."""
    with Service(large[0]) as alone:
        measured = download(alone, large[1], ROWS, name)

    assert measured.megabytes > 5
    assert measured.growth < BOUND


@pytest.mark.parametrize("name", ["csv", "xlsx"])
def test_H48_a_stop_signal_in_mid_export_ends_it_and_leaves_nothing(name, large):
    service = Service(large[0])
    service.start()
    with connect(service, large[1], name) as client:
        before = held(service.pid)
        if name == "xlsx":
            until(lambda: held(service.pid) > before)
        else:
            assert client.recv(100)

        assert service.stop() == 0

        with contextlib.suppress(ConnectionError):
            while client.recv(1 << 20):
                pass
    assert list((large[0] / "exports").iterdir()) == []


def test_H41_a_killed_service_leaves_no_files_after_its_next_start(large):
    service = Service(large[0])
    service.start()
    with connect(service, large[1], "xlsx"):
        until(lambda: list((large[0] / "exports").iterdir()) != [])
        service.kill()
    assert list((large[0] / "exports").iterdir()) != []

    with Service(large[0]):
        assert list((large[0] / "exports").iterdir()) == []


def test_every_format_holds_every_row_in_order(service, small):
    rows = service.rows(small["id"])
    numbers = [row["data"]["n"] for row in rows]

    table = pq.read_table(io.BytesIO(export(service, small["id"], format="parquet").content))
    book = openpyxl.load_workbook(io.BytesIO(export(service, small["id"], format="xlsx").content))
    lines = export(service, small["id"], format="csv", fields="page.title,n").text.splitlines()

    assert table.column("n").to_pylist() == numbers
    assert [row[2] for row in book["Rows"].iter_rows(min_row=2, values_only=True)] == numbers
    assert lines == ["page.title,n", *(f"Page {n},{n}" for n in numbers)]
    assert export(service, small["id"]).json() == rows


def test_H34_a_file_is_named_after_its_job(service, large, small):
    plain = export(service, small["id"], format="csv").headers["Content-Disposition"]
    odd = export(service, large[1], format="csv", fields="sku").headers["Content-Disposition"]

    assert plain == 'attachment; filename="small.csv"'
    assert odd == "attachment; filename=\"Laden-A-..-b.csv\"; filename*=UTF-8''L%C3%A4den-A-..-b.csv"


@pytest.mark.parametrize("name", ["json", "jsonl", "csv"])
def test_text_is_compressed_for_those_who_want_it_and_still_a_download(service, large, name):
    plain = export(service, large[1], format=name, fields="sku,price")
    zipped = service.http.get(
        f"{service.base}/results/{large[1]}/export",
        params={"format": name, "fields": "sku,price"},
        headers={"Accept-Encoding": "gzip"},
        stream=True,
        timeout=120,
    )
    sent = zipped.raw.read(decode_content=False)

    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in zipped.headers["Vary"]
    assert zipped.headers["Content-Disposition"] == plain.headers["Content-Disposition"]
    assert gzip.decompress(sent) == plain.content
    assert len(sent) < len(plain.content) / 3


def test_gzip_is_for_what_can_be_compressed_and_for_those_who_accept_it(service, large, small):
    page = f"{service.base}/results/{large[1]}"

    def encoding(url, accepted):
        answer = service.http.get(url, headers={"Accept-Encoding": accepted}, stream=True, timeout=60)
        answer.raw.read(decode_content=False)
        return answer.headers.get("Content-Encoding")

    assert encoding(page, "gzip") == encoding(page, "br;q=1.0, gzip;q=0.5") == "gzip"
    assert encoding(page, "gzip;q=0") is encoding(page, "identity") is None
    for name in ("parquet", "xlsx"):
        answer = export(service, small["id"], format=name, encoding="gzip")
        assert "Content-Encoding" not in answer.headers
        assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_a_compressed_asset_has_an_etag_of_its_kind_and_is_not_sent_twice(service):
    url = f"{service.base.removesuffix('/api/v1')}/api/assets/swagger-ui.css"
    plain = service.http.get(url, headers={"Accept-Encoding": "identity"}, timeout=30)
    zipped = service.http.get(url, headers={"Accept-Encoding": "gzip"}, timeout=30)

    assert zipped.headers["Content-Encoding"] == "gzip"
    assert zipped.headers["ETag"] == f"W/{plain.headers['ETag']}"
    again = service.http.get(url, headers={"If-None-Match": zipped.headers["ETag"]}, timeout=30)
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("query", "place"), [("format=pdf", "format"), ('fields="a', "fields"), ("flatten=x", "flatten")]
)
def test_what_cannot_be_exported_so_is_refused(service, small, query, place):
    answer = service.http.get(f"{service.base}/results/{small['id']}/export?{query}", timeout=30)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", place]


def connect(service, job_id, name):
    """A socket on which an export was asked for."""
    parts = urlsplit(service.base)
    client = socket.create_connection((parts.hostname, parts.port), timeout=60)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    client.sendall(
        f"GET {parts.path}/results/{job_id}/export?format={name} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: {service.http.headers['Authorization']}\r\n\r\n".encode()
    )
    return client


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)


@pytest.mark.parametrize("name", FORMATS)
def test_clients_that_go_away_in_mid_export_leave_nothing_behind(service, large, name):
    folder = Path(service.data_dir) / "exports"
    service.http.get(f"{service.base}/auth/me")
    before = held(service.pid)

    clients = [connect(service, large[1], name) for _ in range(5)]
    if name in {"parquet", "xlsx"}:
        until(lambda: held(service.pid) > before + len(clients))  # files are being written
    else:
        assert clients[0].recv(100)
    for client in clients:
        client.close()

    until(lambda: held(service.pid) <= before)
    assert list(folder.iterdir()) == []
    assert export(service, large[1], format="csv", fields="sku").text.count("\r\n") == ROWS + 1


def test_a_client_that_reads_slowly_costs_no_memory_and_gets_everything(service, large):
    before = peak(service.pid)
    with connect(service, large[1], "jsonl") as client:
        received = client.recv(1_000)
        time.sleep(2)
        grown = peak(service.pid) - before
        while not received.endswith(b"0\r\n\r\n"):
            received += client.recv(1 << 20)

    assert grown < BOUND
    assert received.count(b'"sku":') == ROWS


def test_an_export_whose_job_is_removed_is_cut_and_never_passes_for_whole(service, tmp_path):
    with tree(3_000) as url:
        created = service.create(
            url=url,
            selectors={"n": "p.n::text", "page": {"selector": "body", "transform": "strip"}},
            config={"follow_links": True, "max_pages": 10_000},
        )
        job = service.finished(created["id"])
    assert job["items_scraped"] == 3_000
    with connect(service, job["id"], "jsonl") as client:
        head = client.recv(300)
        assert b"200 OK" in head
        service.http.delete(f"{service.base}/jobs/{job['id']}")
        received = head
        while chunk := client.recv(1 << 20):
            received += chunk
            if received.endswith(b"0\r\n\r\n"):
                break

    # Either all rows were on their way already, or the body has no end.
    assert received.endswith(b"0\r\n\r\n") == (received.count(b'"n":') == 3_000)


def test_an_export_of_a_running_job_is_its_first_rows(service):
    with tree(20_000) as url:
        created = service.create(
            url=url, selectors={"n": "p.n::text"}, config={"follow_links": True, "max_pages": 20_000}
        )
        until(lambda: service.job(created["id"])["items_scraped"] > 200)
        tables = {
            name: export(service, created["id"], format=name).content for name in ("jsonl", "csv", "parquet")
        }
        running = service.job(created["id"])["status"] == "running"
        service.act(created["id"], "cancel")

    assert running
    numbers = [row["data"]["n"] for row in service.rows(created["id"])]
    found = {
        "jsonl": [json.loads(line)["data"]["n"] for line in tables["jsonl"].splitlines()],
        "csv": [row["n"] for row in csv.DictReader(io.StringIO(tables["csv"].decode(), newline=""))],
        "parquet": pq.read_table(io.BytesIO(tables["parquet"])).column("n").to_pylist(),
    }
    for name, part in found.items():
        assert 200 < len(part) <= len(numbers), name
        assert part == numbers[: len(part)], name


def test_a_format_whose_library_is_missing_says_what_to_install(tmp_path):
    """A service in whose processes the libraries cannot be imported."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('pyarrow', 'xlsxwriter'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    with Service(PYTHONPATH=path) as service, tree(1) as url:
        job = service.finished(service.create(url=url)["id"])
        for name in ("parquet", "xlsx"):
            answer = export(service, job["id"], format=name)
            assert answer.status_code == 400
            assert answer.json() == {
                "detail": f"the format {name} needs an extra that is not installed: run pip install 'scrapemaster[{name}]'",
                "type": "missing_extra",
            }
        assert export(service, job["id"], format="csv").status_code == 200
