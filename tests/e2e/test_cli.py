"""The commands, as a person runs them."""

import csv
import json
import os
import signal
import subprocess
import sys

import pytest
import requests
from benchmarks.manual_server import free_port
from benchmarks.service import Service

from servers.shop import demo_shop


def scrapemaster(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "scrapemaster", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "200", **environment},
    )


@pytest.fixture(scope="module")
def shop():
    with demo_shop() as port:
        yield f"http://127.0.0.1:{port}/"


PRODUCTS = [
    "--allow",
    "127.0.0.1",
    "--follow",
    "-s",
    "name=h1.product-title::text",
    "-s",
    "sku=.facts td::text",
]


def test_scrape_crawls_a_site_and_shows_the_first_rows(shop):
    done = scrapemaster("scrape", shop, *PRODUCTS)

    assert done.returncode == 0
    assert "the first 10 of 60 rows" in done.stdout
    assert "completed (finished): 60 items from 72 pages" in done.stderr


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl"])
def test_scrape_writes_every_row_to_a_file(shop, tmp_path, suffix):
    output = tmp_path / f"rows.{suffix}"

    done = scrapemaster("scrape", shop, *PRODUCTS, "-o", str(output))

    assert done.returncode == 0
    text = output.read_text()
    if suffix == "csv":
        names = [row["name"] for row in csv.DictReader(text.splitlines())]
    elif suffix == "json":
        names = [row["data"]["name"] for row in json.loads(text)]
    else:
        names = [json.loads(line)["data"]["name"] for line in text.splitlines()]
    assert len(names) == 60
    assert all(names)


def test_scrape_ends_with_1_when_nothing_was_extracted(shop):
    done = scrapemaster("scrape", shop, "--allow", "127.0.0.1", "-s", "x=.nothing-like-it::text")

    assert done.returncode == 1
    assert "check the selectors" in done.stderr


def test_scrape_touches_this_machine_only_when_allowed(shop):
    done = scrapemaster("scrape", shop)

    assert done.returncode == 1
    assert "loopback address" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-s", "a=h1[["], "selector 'a': 'h1[[' is not CSS"),
        (["-s", "h1"], "write it as name=selector"),
        (["-o", "rows.txt"], "the file must end in "),
    ],
)
def test_scrape_says_what_is_wrong_with_the_order(shop, arguments, words):
    done = scrapemaster("scrape", shop, *arguments)

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_scrape_that_is_interrupted_keeps_what_it_has(tmp_path):
    from benchmarks.tree import tree  # noqa: PLC0415 -- only this test needs it

    output = tmp_path / "rows.jsonl"
    with tree(100_000, delay=0.005) as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "scrapemaster", "scrape", url, "--allow", "127.0.0.1", "--follow"]
            + ["--max-pages", "100000", "-s", "n=p.n::text", "-o", str(output)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            process.communicate(timeout=15)  # it has begun by then, and is far from the end
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=15)

    assert "cancelled (cancelled_by_user)" in said
    assert len(output.read_text().splitlines()) > 0


def test_a_user_added_by_command_can_log_in():
    with Service() as service:
        folder = ["--data-dir", str(service.data_dir)]
        added = scrapemaster("user", "add", "grace", "--password", "grace's password", *folder)
        twice = scrapemaster("user", "add", "GRACE", "--password", "grace's password", *folder)
        answer = requests.post(
            f"{service.base}/auth/login",
            data={"username": "grace", "password": "grace's password"},
            timeout=10,
        )

    assert (added.returncode, twice.returncode) == (0, 2)
    assert "is taken" in twice.stderr
    assert answer.status_code == 200


def test_H36_proxies_are_managed_by_command_and_their_credentials_never_shown(tmp_path):
    folder = ["--data-dir", str(tmp_path)]
    allowed = {"SCRAPEMASTER_EGRESS_ALLOW": "127.0.0.0/8"}
    url = f"http://ada:s3cret@127.0.0.1:{free_port()}"

    denied = scrapemaster("proxy", "add", url, *folder)
    added = scrapemaster("proxy", "add", url, "--tier", "2", "--tag", "home", *folder, **allowed)
    listed = scrapemaster("proxy", "list", *folder)
    proxy_id = listed.stdout.split()[0]
    checked = scrapemaster("proxy", "check", proxy_id, *folder, **allowed)
    removed = scrapemaster("proxy", "remove", proxy_id, *folder)
    gone = scrapemaster("proxy", "remove", proxy_id, *folder)

    done = [denied, added, listed, checked, removed, gone]
    assert [one.returncode for one in done] == [2, 0, 0, 1, 0, 2]
    assert "SCRAPEMASTER_EGRESS_ALLOW" in denied.stderr
    assert listed.stdout.split()[1:] == ["active", "2", "100.0", "%", added.stdout.split()[1], "home"]
    assert "Connection refused" in checked.stdout
    assert "Proxy not found" in gone.stderr
    assert not [one for one in done if "s3cret" in one.stdout + one.stderr]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SCRAPEMASTER_PORT", "abc", "SCRAPEMASTER_PORT: "),
        ("SCRAPEMASTER_EGRESS_ALLOW", "10.0.0.0/99", "is not a network such as 10.1.0.0/16"),
        ("SCRAPEMASTER_SECRET_KEY", "short", "must have at least 32 characters"),
        ("SCRAPEMASTER_ADMIN_PASSWORD", "short", "must have 8 to 128 characters"),
        ("SCRAPEMASTER_PROT", "1", "did you mean SCRAPEMASTER_PORT?"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence(tmp_path, name, value, words):
    done = scrapemaster("serve", "--data-dir", str(tmp_path), **{name: value})

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_port_that_is_taken_stops_the_start_with_a_sentence(tmp_path):
    with Service() as service:
        done = scrapemaster("serve", "--port", str(service.port), "--data-dir", str(tmp_path))

    assert done.returncode == 2
    assert (
        "cannot be listened on (Address already in use); choose another with --host or --port" in done.stderr
    )


def test_ctrl_c_stops_the_service_cleanly():
    with Service() as service:
        os.kill(service.pid, signal.SIGINT)

        assert service._running().wait(timeout=5) == 0
