"""The examples of docs/exports.md, as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.manual_server import free_port, wait_for_port
from benchmarks.service import Service

TEXT = (Path(__file__).parent.parent.parent / "docs" / "exports.md").read_text()
EXAMPLES = re.findall(r"^```(sh|python)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def job():
    """The environment of the examples: a service, a token, and a job on the demo shop."""
    port = free_port()
    shop = subprocess.Popen([sys.executable, "-m", "scrapemaster", "demo-site", "--port", str(port)])
    wait_for_port(port)
    with Service() as service:
        created = service.create(
            url=f"http://127.0.0.1:{port}/",
            name="Läden",
            selectors={"name": "h1.product-title::text", "price": ".detail .price::text"},
            config={"follow_links": True, "max_pages": 20},
        )
        done = service.finished(created["id"])
        assert done["items_scraped"] > 5
        token = service.http.headers["Authorization"].removeprefix("Bearer ")
        yield {"BASE": service.base, "TOKEN": token, "JOB": done["id"]}
    shop.terminate()
    shop.wait()


def test_the_examples_run(job, tmp_path):
    parquet_last = sorted(EXAMPLES, key=lambda example: example[0] == "python")
    assert len(parquet_last) >= 5
    outputs = []
    for kind, code in parquet_last:
        command = ["sh", "-euc", code] if kind == "sh" else [sys.executable, "-c", code]
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, **job}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (code, done.stderr)
        outputs.append(done.stdout)

    assert outputs[0].startswith("url,scraped_at,name,price\n")
    assert outputs[1].startswith("name,price,url\n")
    assert '"a, b":null' in outputs[1]
    names = {file.name for file in tmp_path.iterdir()}
    assert names & {"Läden.xlsx", "Laden.xlsx"}  # curl before 8.14 takes the plain name
    assert outputs[-1].startswith("timestamp[us, tz=UTC] ")
