"""Archives of Scrapy projects: wheels, eggs as scrapyd-client builds them, zips of a project's folder.

All three are zip files, and what is in one is believed of nobody: not the names, not the sizes it claims.
"""

from __future__ import annotations

import configparser
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.domain.spider import is_module

#: Files that an archive may have.
MOST_FILES = 10_000
#: Bytes of a path, of one of its parts, and of a file that is read to find out what the archive is.
_PATH, _PART, _NOTE = 1_000, 255, 64 * 1024
_PIECE = 64 * 1024
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_ENCRYPTED = 1


@dataclass(slots=True, frozen=True)
class Layout:
    """Where an archive has its project: the folder to be importable, empty for the root, and the module of its settings."""

    folder: str
    settings: str


def layout_of(data: bytes) -> Layout:
    """What an archive is; raises `InvalidInput` for what is no project, or holds what an archive must not."""
    with _opened(data) as archive:
        names = [member.filename for member in _members(archive)]
        for name in names:
            path = PurePosixPath(name)
            entry_points = path.name == "entry_points.txt" and len(path.parts) == 2
            if entry_points and (path.parts[0] == "EGG-INFO" or path.parts[0].endswith(".dist-info")):
                settings = _setting(_note(archive, name), "scrapy", "settings")
                if settings is not None:
                    return Layout("", settings)
        for name in sorted(names, key=lambda name: name.count("/")):
            path = PurePosixPath(name)
            if path.name == "scrapy.cfg" and len(path.parts) <= 2:
                settings = _setting(_note(archive, name), "settings", "default")
                if settings is not None:
                    return Layout("/".join(path.parts[:-1]), settings)
        packages = [path.parts[0] for path in map(PurePosixPath, names) if path.parts[1:] == ("settings.py",)]
    if len(packages) == 1 and is_module(packages[0]):
        return Layout("", f"{packages[0]}.settings")
    raise _unusable(
        "it is no Scrapy project: there must be a scrapy.cfg that names the settings, or, in a wheel or egg, an entry point "
        "`settings` in the group `scrapy`"
    )


def unpack(data: bytes, target: Path, most: int) -> None:
    """Unpack into an existing folder, `most` bytes in all; raises `InvalidInput` and then leaves a part there."""
    left = most
    with _opened(data) as archive:
        for member in _members(archive):
            path = target / member.filename
            if member.is_dir():
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
                continue
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Exclusive: neither a link nor what another member made is written through.
            with archive.open(member) as source, open(path, "xb", opener=_private) as file:
                while piece := source.read(_PIECE):
                    left -= len(piece)
                    if left < 0:
                        raise _unusable(f"unpacked it has more than {most:,} bytes")
                    file.write(piece)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


@contextmanager
def _opened(data: bytes) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield archive
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,  # zipfile's, for compressions and versions that it does not know
        RuntimeError,
        UnicodeError,
        ValueError,
    ) as error:
        raise _unusable(f"it cannot be read: {error}") from None
    except OSError as error:
        if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
            raise _unusable("a file in it stands in the place of another, or of a folder") from None
        raise


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """What is in it, when all of it may be."""
    members = archive.infolist()
    if len(members) > MOST_FILES:
        raise _unusable(f"it has more than {MOST_FILES:,} files")
    known = set()
    for member in members:
        name = member.filename
        shown = ascii(name[:100])
        parts = name.removesuffix("/").split("/")
        # zipfile cuts names at a NUL and turns the system's own separators into slashes; what they were is in orig_filename.
        if name != member.orig_filename or "\\" in name or not name.isprintable():
            raise _unusable(f"the name {shown} has characters that names must not have")
        if name.startswith("/") or ":" in parts[0] or any(part in {"", ".", ".."} for part in parts):
            raise _unusable(f"the name {shown} leads out of the archive")
        if len(name.encode()) > _PATH or any(len(part.encode()) > _PART for part in parts):
            raise _unusable(f"the name {shown} is too long")
        mode = member.external_attr >> 16
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise _unusable(f"{shown} is a link or a device, and only files and folders may be in it")
        if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
            raise _unusable(f"{shown} is encrypted, or packed in a way that is not known")
        if name in known:
            raise _unusable(f"{shown} is in it twice")
        known.add(name)
    return members


def _note(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(name) as file:
        return file.read(_NOTE).decode("utf-8", "replace")


def _setting(text: str, section: str, option: str) -> str | None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    module = parser.get(section, option, fallback="").strip()
    return module if is_module(module) else None


def _unusable(why: str) -> InvalidInput:
    return InvalidInput(f"the archive cannot be used: {why}", ("file",))
