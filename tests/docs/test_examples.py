"""Every example of the guides is run, in order, each guide against one service and the demo shop."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from benchmarks.service import Service

from servers.shop import demo_shop

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: `sh`, `python` and `js` are run; `console` and the rest are for reading.
BLOCK = re.compile(r"^```(sh|python|js)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = ("bash", "curl", "jq", "node")


@pytest.fixture(scope="module")
def service():
    with Service() as running:
        yield running


@pytest.fixture(scope="module")
def shop():
    with demo_shop() as port:
        yield port


def blocks(guide):
    return BLOCK.findall(guide.read_text())


def script_of(guide, folder):
    """One bash script of all the guide's examples, so that a later one can use an earlier one's variables."""
    lines = ["set -euo pipefail"]
    for number, (language, text) in enumerate(blocks(guide)):
        if language == "sh":
            lines.append(text)
            continue
        path = folder / f"example{number}{'.py' if language == 'python' else '.mjs'}"
        path.write_text(text)
        lines.append(f"{'python' if language == 'python' else 'node'} {path}")
    return "\n".join(lines)


@pytest.mark.parametrize("guide", [guide for guide in GUIDES if blocks(guide)], ids=lambda guide: guide.name)
def test_every_example_runs(guide, service, shop, tmp_path):
    for program in PROGRAMS:
        if shutil.which(program) is None:
            assert os.environ.get("CI") != "true", f"CI must install {program}"
            pytest.skip(f"{program} is not installed")
    script = script_of(guide, tmp_path)
    for path in [*tmp_path.iterdir()]:
        path.write_text(_here(path.read_text(), service, shop))

    done = subprocess.run(
        ["bash", "-c", _here(script, service, shop)],
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert '"detail"' not in done.stdout, done.stdout[-2000:]


def _here(text, service, shop):
    return text.replace("127.0.0.1:8000", f"127.0.0.1:{service.port}").replace(
        "127.0.0.1:8080", f"127.0.0.1:{shop}"
    )


def test_every_route_is_in_the_api_guide(service):
    paths = requests.get(f"http://127.0.0.1:{service.port}/api/openapi.json", timeout=10).json()["paths"]
    guide = (ROOT / "docs" / "api.md").read_text()

    missing = [
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method in methods
        if f"{method.upper()} {path.removeprefix('/api/v1')}" not in guide
    ]

    assert missing == []


def test_every_link_between_guides_leads_somewhere():
    for guide in GUIDES:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", guide.read_text()):
            assert (guide.parent / target).exists(), f"{guide.name} links to {target}"
