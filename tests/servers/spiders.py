"""Scrapy projects of tests, as archives, and uploaded to a service."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

PROJECTS = Path(__file__).parents[1] / "spiders" / "projects"


def zip_of(files: dict[str, str | bytes]) -> bytes:
    """A zip of these files."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def project(name: str, without: tuple[str, ...] = (), **more: str | bytes) -> bytes:
    """A zip of the folder of a project of ours, with further files."""
    folder = PROJECTS / name
    files: dict[str, str | bytes] = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.name not in without
    }
    return zip_of(files | more)


def upload(service: Any, name: str, data: bytes | None = None, version: str = "1") -> Any:
    """Upload a project; the answer."""
    return service.http.post(
        f"{service.base}/projects",
        data={"project": name, "version": version},
        files={"file": ("project.zip", project(name) if data is None else data)},
        timeout=60,
    )


def run(service: Any, spider: str, args: dict[str, str] | None = None, **order: Any) -> dict[str, Any]:
    """Order a spider's job, and return it once it is over."""
    job = service.create(engine="scrapy", spider=spider, spider_args=args or {}, **order)
    done: dict[str, Any] = service.finished(job["id"])
    return done


def processes_with(text: str) -> list[int]:
    """The processes of this machine whose command line has the text, but for zombies."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 -- numbers are wanted, not paths
        if name.isdigit():
            try:
                command = Path(f"/proc/{name}/cmdline").read_bytes()
                state = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()[0]
            except OSError:
                continue
            if text.encode() in command and state != b"Z":
                found.append(int(name))
    return found
