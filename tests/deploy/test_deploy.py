"""What is in `deploy/` is read by the tools it is for, and names nothing that does not exist."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml
from benchmarks.manual_server import free_port, wait_for_port
from benchmarks.service import Service

from scrapemaster.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TOOLS = Path(sys.executable).parent
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
#: What nginx keeps outside its folder unless it is told.
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
#: Variables that the compose file wants.
REQUIRED = {
    "REDIS_PASSWORD": "hush",
    "SCRAPEMASTER_SECRET_KEY": "k" * 64,
    "SCRAPEMASTER_ADMIN_PASSWORD": "correct-horse-battery",
}
FILES = [path for path in DEPLOY.rglob("*") if path.is_file()]


def run(*command, **options):
    ended = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, timeout=120, **options
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def tool(name):
    """Where a program of the system is; skips the test at home, fails it in CI."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        assert os.environ.get("CI") != "true", f"CI must have {name}"
        pytest.skip(f"{name} is not installed")
    return found


def test_the_compose_file_is_one():
    run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def composed(tmp_path, **variables):
    """What a compose tool makes of the file; it asks an engine for its version alone, and gets one."""
    engine = tmp_path / "podman"
    engine.write_text("#!/bin/sh\necho podman version 5.0.0\n")
    engine.chmod(0o755)
    plain = {name: value for name, value in os.environ.items() if name not in REQUIRED}
    return subprocess.run(
        [TOOLS / "podman-compose", "--podman-path", engine, "-f", DEPLOY / "compose.yaml", "config"],
        env={**plain, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_compose_tool_reads_the_compose_file_with_its_variables(tmp_path):
    ended = composed(tmp_path, **REQUIRED)

    assert ended.returncode == 0, ended.stderr
    services = yaml.safe_load(ended.stdout)["services"]
    for name in ("api", "worker"):
        assert services[name]["environment"]["SCRAPEMASTER_REDIS_URL"] == "redis://:hush@redis:6379/0"
    assert "hush" in services["redis"]["command"]


@pytest.mark.parametrize("left_out", ["REDIS_PASSWORD", "SCRAPEMASTER_SECRET_KEY"])
def test_the_compose_file_asks_for_what_is_secret(tmp_path, left_out):
    ended = composed(tmp_path, **{name: value for name, value in REQUIRED.items() if name != left_out})

    assert ended.returncode != 0
    assert "set " in ended.stderr


def test_the_compose_file_has_all_parts_and_only_nginx_is_reached_from_outside():
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = document["services"]

    assert set(services) == {"api", "worker", "redis", "mongod", "nginx"}
    assert {name for name, service in services.items() if "ports" in service} == {"nginx"}
    assert services["nginx"]["ports"] == ["80:80"]
    assert document["networks"]["inside"] == {"internal": True}
    assert services["redis"]["networks"] == services["mongod"]["networks"] == ["inside"]
    assert services["redis"]["command"][1:3] == ["--appendonly", "yes"]
    assert services["mongod"]["command"][1] == "--replSet"
    (outside,) = document["networks"]["outside"]["ipam"]["config"]
    assert services["api"]["environment"]["SCRAPEMASTER_TRUSTED_PROXIES"] == outside["subnet"]


def test_the_kubernetes_manifests_are_some():
    said = run(TOOLS / "kubernetes-validate", "--strict", *sorted((DEPLOY / "kubernetes").glob("*.yaml")))

    assert said.count("passed for resource") >= 10


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path):
    named = set(re.findall(r"SCRAPEMASTER_[A-Z_]+", path.read_text()))

    assert named <= {f"SCRAPEMASTER_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.suffix in {".yaml", ".service"}], ids=lambda p: p.name
)
def test_every_command_that_is_named_is_one_of_ours(path):
    text = path.read_text()
    commands = [
        line.split("scrapemaster ", 1)[1].split() for line in text.splitlines() if "ExecStart=" in line
    ]
    if path.suffix == ".yaml":
        commands = [
            [str(word) for word in words]
            for words in re.findall(r"^\s*(?:command|args): \[([^\]]*)\]", text, re.MULTILINE)
            for words in [yaml.safe_load(f"[{words}]")]
            if words[0] in {"api", "worker", "all", "serve"}
        ]

    assert commands
    for command in commands:
        shown = run(
            sys.executable, "-m", "scrapemaster", command[0], "--help", env={**os.environ, "COLUMNS": "200"}
        )
        assert {word for word in command if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", shown))


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_reads_the_units(path, tmp_path):
    program = shutil.which("true")
    unit = path.read_text().replace("/opt/scrapemaster/bin/scrapemaster", program)
    (tmp_path / path.name).write_text(unit)

    said = run(tool("systemd-analyze"), "verify", "--man=no", tmp_path / path.name)

    assert path.name not in said


def test_the_guide_shows_the_unit_as_it_is():
    guide = (ROOT / "docs" / "deployment.md").read_text()

    assert f"```ini\n{(DEPLOY / 'systemd' / 'scrapemaster.service').read_text()}```" in guide


def test_nginx_reads_its_file_and_passes_requests_on(tmp_path):
    nginx, port = tool("nginx"), free_port()
    with Service(SCRAPEMASTER_TRUSTED_PROXIES="127.0.0.1") as service:
        config = (DEPLOY / "nginx" / "nginx.conf").read_text()
        for ours, here in (
            ("server api:8000;", f"server 127.0.0.1:{service.port};"),
            ("listen 80;", f"listen 127.0.0.1:{port};"),
            ("events {", f"pid {tmp_path}/pid;\nerror_log {tmp_path}/error.log;\nevents {{"),
            (
                "http {",
                "http {\n" + "".join(f"    {kind}_temp_path {tmp_path}/{kind};\n" for kind in TEMPORARY),
            ),
        ):
            assert config.count(ours) == 1, ours
            config = config.replace(ours, here)
        (tmp_path / "nginx.conf").write_text(config)
        run(nginx, "-t", "-c", tmp_path / "nginx.conf", "-p", tmp_path)

        process = subprocess.Popen(
            [nginx, "-c", tmp_path / "nginx.conf", "-p", tmp_path, "-g", "daemon off;"]
        )
        try:
            wait_for_port(port)
            base = f"http://127.0.0.1:{port}"
            assert requests.get(f"{base}/healthz", timeout=10).status_code == 200
            assert requests.get(f"{base}/metrics", timeout=10).status_code == 404
            assert requests.get(f"{base}/api/v1/jobs", timeout=10).status_code == 401
            me = requests.get(f"{base}/api/v1/auth/me", headers=service.http.headers, timeout=10)
            assert me.json()["username"] == "admin"
        finally:
            process.terminate()
            process.wait()
