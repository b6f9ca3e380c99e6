"""Scrapyd's own client, and its JSON API, against a running service."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from benchmarks.service import PASSWORD, Service
from benchmarks.tree import tree
from scrapyd_client.pyclient import ScrapydClient

from servers.spiders import PROJECTS, project
from servers.stores import ALSO_MONGO, settings_for

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module", params=ALSO_MONGO)
def service(request):
    with settings_for(request.param) as settings, Service(**settings) as running:
        yield running


@pytest.fixture(scope="module")
def root(service):
    return service.base.removesuffix("/api/v1")


@pytest.fixture(scope="module")
def folder(root, tmp_path_factory):
    """A project's folder, as its developer has it."""
    folder = tmp_path_factory.mktemp("walker") / "walker"
    shutil.copytree(PROJECTS / "walker", folder, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "scrapy.cfg").open("a") as config:
        config.write(
            f"\n[deploy]\nurl = {root}/\nusername = admin\npassword = {PASSWORD}\nproject = walker\n"
        )
    return folder


def command(folder, *words):
    done = subprocess.run(
        [BIN / words[0], *words[1:]],
        check=False,
        cwd=folder,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def deployed(folder):
    """What scrapyd-deploy says of the project that it built and uploaded."""
    code, said = command(folder, "scrapyd-deploy", "-v", "r23")
    assert code == 0, said
    return said


@pytest.fixture(scope="module")
def client(root, deployed):
    return ScrapydClient(root, "admin", PASSWORD)


def test_scrapyd_deploy_builds_an_egg_and_uploads_it(deployed, client):
    assert '"status":"ok"' in deployed.replace(" ", "")
    assert client.projects() == ["walker"]
    assert client.versions("walker") == ["r23"]
    assert "walk" in client.spiders("walker")


def test_scrapyd_client_lists_and_schedules(folder, deployed, service):
    with tree(5) as url:
        code, said = command(
            folder, "scrapyd-client", "schedule", "-p", "walker", "walk", "--arg", f"start={url}"
        )
        assert code == 0, said
        assert said.startswith("walker / walk => ")
        job = service.finished(said.split("=> ")[1].strip())

    assert (job["status"], job["items_scraped"], job["version"]) == ("completed", 5, "r23")
    assert command(folder, "scrapyd-client", "projects") == (0, "walker\n")
    assert "  walk\n" in command(folder, "scrapyd-client", "spiders", "-p", "walker")[1]


def test_a_job_is_followed_from_order_to_end_by_an_id_of_the_clients_own(client, service, root):
    with tree(3_000, delay=0.05) as url:
        jobid = client.schedule(
            "walker",
            "walk",
            [("start", url), ("jobid", "mine-1"), ("setting", "CONCURRENT_REQUESTS=2"), ("priority", "1")],
        )
        assert jobid == "mine-1"
        until(lambda: client.status("mine-1")["currstate"] == "running")
        assert client.daemonstatus()["running"] == 1
        (running,) = client.jobs("walker")["running"]
        assert (running["id"], running["spider"], running["settings"]) == (
            "mine-1",
            "walk",
            {"CONCURRENT_REQUESTS": "2"},
        )

        assert client.cancel("walker", "mine-1")["prevstate"] == "running"

    assert client.status("mine-1", "walker")["currstate"] == "finished"
    assert client.cancel("walker", "mine-1")["prevstate"] is None
    finished = next(job for job in client.jobs("walker")["finished"] if job["id"] == "mine-1")
    assert {"start_time", "end_time", "log_url", "items_url", "project"} <= set(finished)
    log = requests.get(root + finished["log_url"], auth=("admin", PASSWORD), timeout=10)
    assert "started with the scrapy engine" in log.text
    items = service.http.get(root + finished["items_url"], timeout=10)
    assert items.status_code == 200
    again = requests.post(
        f"{root}/schedule.json",
        data={"project": "walker", "spider": "walk", "jobid": "mine-1"},
        auth=("admin", PASSWORD),
        timeout=10,
    )
    assert (again.status_code, again.json()["status"]) == (409, "error")


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_states_of_jobs_that_are_not_there(client):
    assert client.status("nobody")["currstate"] == "unknown"
    assert client.jobs("nothing") | {"node_name": ""} == {
        "node_name": "", "status": "ok", "pending": [], "running": [], "finished": [],
    }  # fmt: skip


def post(root, path, auth=("admin", PASSWORD), **options):
    return requests.post(f"{root}/{path}", auth=auth, timeout=60, **options)


@pytest.mark.parametrize(
    ("path", "data", "status", "says"),
    [
        ("schedule.json", {"project": "walker"}, 400, "'spider' parameter is required"),
        ("schedule.json", {"project": "walker", "spider": "nobody"}, 400, "has no spider 'nobody'"),
        ("schedule.json", {"project": "nothing", "spider": "walk"}, 400, "there is no project 'nothing'"),
        (
            "schedule.json",
            {"project": "walker", "spider": "walk", "setting": "x"},
            400,
            "is to be like DOWNLOAD_DELAY=2",
        ),
        (
            "schedule.json",
            {"project": "walker", "spider": "walk", "setting": "EXTENSIONS={}"},
            400,
            "cannot be given",
        ),
        (
            "schedule.json",
            {"project": "walker", "spider": "walk", "priority": "x"},
            400,
            "'priority' is no number",
        ),
        ("cancel.json", {"project": "walker", "job": "nobody"}, 404, "there is no job nobody"),
        ("addversion.json", {"project": "walker", "version": "2"}, 400, "'egg' parameter is required"),
        ("delversion.json", {"project": "walker", "version": "9"}, 404, "Version not found"),
        ("delproject.json", {"project": "nothing"}, 404, "Project not found"),
    ],
)
def test_errors_have_scrapyds_shape(root, deployed, path, data, status, says):
    answer = post(root, path, data=data)

    assert (answer.status_code, answer.json()["status"]) == (status, "error")
    assert says in answer.json()["message"]


@pytest.mark.parametrize("path", ["schedule.json", "cancel.json", "addversion.json", "delproject.json"])
def test_a_form_that_cannot_be_read_is_said_in_scrapyds_shape(root, path):
    answer = requests.post(
        f"{root}/{path}",
        data=b"--x\r\n[[False]]--x--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
        auth=("admin", PASSWORD),
        timeout=30,
    )

    assert answer.status_code == 400
    assert answer.json()["status"] == "error"
    assert set(answer.json()) == {"node_name", "status", "message"}


def test_who_may_what(root, service, deployed):
    credentials = {"username": "scraper", "password": "scrapers password"}
    requests.post(f"{service.base}/auth/register", json=credentials, timeout=10).raise_for_status()
    user = ("scraper", "scrapers password")
    key = service.http.post(f"{service.base}/auth/keys", json={"name": "scrapyd"}).json()["key"]

    for auth in (None, ("admin", "wrong password"), ("scraper", ""), ("", "sm_nothing")):
        answer = requests.get(f"{root}/daemonstatus.json", auth=auth, timeout=10)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert answer.json()["status"] == "error"
    for auth in (user, (key, ""), ("", key)):
        assert requests.get(f"{root}/daemonstatus.json", auth=auth, timeout=10).json()["status"] == "ok"
    assert ScrapydClient(root, *user).jobs("walker")["finished"] == []
    for path, data in (
        ("addversion.json", {"project": "p", "version": "1"}),
        ("delversion.json", {"project": "walker", "version": "r23"}),
        ("delproject.json", {"project": "walker"}),
    ):
        files = {"egg": ("p.egg", b"x")} if path == "addversion.json" else None
        assert post(root, path, user, data=data, files=files).status_code == 403
    for header in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = post(root, "schedule.json", data={"project": "walker", "spider": "walk"}, headers=header)
        assert answer.status_code == 403


def test_versions_are_replaced_and_removed(root, client):
    egg = {"egg": ("project.egg", project("walker"))}
    first = post(root, "addversion.json", data={"project": "other", "version": "1"}, files=egg)
    second = post(root, "addversion.json", data={"project": "other", "version": "1"}, files=egg)
    assert (first.json()["spiders"], second.json()["status"]) == (8, "ok")
    assert client.versions("other") == ["1"]

    client.delversion("other", "1")
    assert client.versions("other") == []
    assert client.projects() == ["walker"]
