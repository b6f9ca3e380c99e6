"""A client made by a public generator from the OpenAPI document does the main job."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from benchmarks.service import PASSWORD, Service

from servers.shop import demo_shop

ROOT = Path(__file__).parent.parent.parent
PINS = ROOT / "requirements" / "client.txt"
PROGRAM = Path(__file__).parent / "client_program.py"


@pytest.fixture(scope="module")
def tools(pytestconfig):
    """The generator's own environment, kept from run to run as long as its pins are the same."""
    folder = Path(pytestconfig.cache.mkdir("client")) / hashlib.sha256(PINS.read_bytes()).hexdigest()[:16]
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        subprocess.run(
            [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            + ["--require-hashes", "-r", PINS],
            check=True,
        )
        (folder / "ready").touch()
    return folder / "bin"


@pytest.fixture(scope="module")
def service():
    with Service() as running:
        yield running


@pytest.fixture(scope="module")
def shop():
    with demo_shop() as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def client(tools, service, tmp_path_factory):
    """The folder of the generated package."""
    folder = tmp_path_factory.mktemp("client")
    document = folder / "openapi.json"
    document.write_bytes(
        service.http.get(service.base.replace("/api/v1", "/api/openapi.json"), timeout=30).content
    )
    # To this generator a file is a file when it is called an octet-stream.
    config = folder / "config.json"
    files = ("application/pdf", "image/png")
    config.write_text(
        json.dumps({"content_type_overrides": dict.fromkeys(files, "application/octet-stream")})
    )
    done = subprocess.run(
        [
            tools / "openapi-python-client",
            "generate",
            "--config",
            config,
            "--path",
            document,
            "--meta",
            "none",
            "--fail-on-warning",
        ]
        + ["--output-path", folder / "scrapemaster_client"],
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    mend_imports(folder)
    return folder


def mend_imports(folder):
    """The generator (0.29.1) forgets an import where an operation takes several kinds of body, as the login does."""
    for file in folder.glob("scrapemaster_client/api/*/*.py"):
        text = file.read_text()
        if "| Unset" in text and "Unset" not in text.partition("\ndef ")[0].replace("UNSET", ""):
            file.write_text(
                text.replace("...types import UNSET, Response", "...types import UNSET, Response, Unset")
            )


def test_it_has_every_operation_of_the_document(client, service):
    document = service.http.get(service.base.replace("/api/v1", "/api/openapi.json"), timeout=30).json()
    names = [operation["operationId"] for verbs in document["paths"].values() for operation in verbs.values()]
    made = {file.stem for file in (client / "scrapemaster_client" / "api").glob("*/*.py")} - {"__init__"}

    assert len(set(names)) == len(names)
    assert made == set(names)


def test_its_types_hold(client, tools):
    """What is made from our document; the generator's own `client.py` is the same for everybody, and not strict."""
    package = client / "scrapemaster_client"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--config-file",
            os.devnull,
            "--cache-dir",
            client / "cache",
        ]
        + [
            "--python-executable",
            tools / "python",
            "--follow-imports",
            "silent",
            PROGRAM,
            package / "api",
            package / "models",
        ],
        env={**os.environ, "MYPYPATH": str(client)},
        cwd=client,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_it_signs_in_creates_waits_and_reads(client, tools, service, shop):
    done = subprocess.run(
        [tools / "python", "-W", "error", PROGRAM, service.base.removesuffix("/api/v1"), PASSWORD, shop],
        env={**os.environ, "PYTHONPATH": str(client)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    status, total, read, named = done.stdout.split()
    assert status == "completed"
    assert 5 < int(total) == int(read) == int(named)
