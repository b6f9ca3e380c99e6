"""The dashboard's files, as they are served: read once, compressed once."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
#: What browsers are told of each kind of file.
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
#: Smaller files are sent as they are: compressing them saves no packet.
_WORTH_IT = 1_000


@dataclass(slots=True, frozen=True)
class File:
    """A file's bytes, its media type, and the bytes compressed where that is worth it."""

    kind: str
    plain: bytes
    packed: bytes | None


class Files:
    """All files of a folder, by their path in it.

    `version` names exactly these contents: files under an address with it in it never change, so that browsers keep them.
    """

    def __init__(self, folder: Path = ASSETS) -> None:
        self._files: dict[str, File] = {}
        digest = hashlib.sha256()
        for path in sorted(folder.rglob("*")):
            kind = _KINDS.get(path.suffix)
            if kind is None or not path.is_file():
                continue
            name, plain = path.relative_to(folder).as_posix(), path.read_bytes()
            digest.update(f"{name}\0{len(plain)}\0".encode())
            digest.update(plain)
            self._files[name] = file_of(plain, kind)
        self.version = digest.hexdigest()[:12]

    def get(self, name: str) -> File | None:
        """The file with this path; None if there is none."""
        return self._files.get(name)

    def names(self, suffix: str) -> list[str]:
        """The paths of all files of a kind."""
        return [name for name in self._files if name.endswith(suffix)]


def file_of(plain: bytes, kind: str) -> File:
    """A file with these contents."""
    packed = (
        gzip.compress(plain, 9, mtime=0) if len(plain) >= _WORTH_IT and not kind.startswith("font") else None
    )
    return File(kind, plain, packed)
