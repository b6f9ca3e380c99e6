"""The two client programs of the public API reference, unchanged but for host and password."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.service import PASSWORD, Service

PROGRAMS = Path(__file__).parent / "reference"


@pytest.fixture(scope="module")
def service():
    with Service() as running:
        yield running


def run(program, service, folder, *command):
    text = (PROGRAMS / program).read_text()
    text = text.replace("http://localhost/", f"http://127.0.0.1:{service.port}/")
    text = text.replace("'password': 'password'", f"'password': '{PASSWORD}'")
    text = text.replace("password: 'password'", f"password: '{PASSWORD}'")
    path = folder / program
    path.write_text(text)
    done = subprocess.run([*command, path], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_program_logs_in_makes_a_job_and_reads_results(service, tmp_path):
    printed = ast.literal_eval(run("client.py", service, tmp_path, sys.executable))

    job = service.job(printed["job_id"])
    assert (printed["skip"], printed["limit"]) == (0, 100)
    assert printed["total"] == len(printed["results"])
    assert job["url"] == "https://example.com"
    assert job["selectors"] == {"title": "h1::text", "price": ".price::text"}


def test_the_javascript_program_logs_in_and_makes_a_job(service, tmp_path):
    node = shutil.which("node")
    if node is None:
        assert os.environ.get("CI") != "true", "CI must install nodejs"
        pytest.skip("node is not installed")

    printed = run("client.mjs", service, tmp_path, node)

    assert printed.startswith("Job created: ")
    assert service.job(printed.split()[-1])["engine"] == "auto"
