"""Manuals of Debian packages as sites: every page that links lead to, and its title, read off the files by themselves."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from posixpath import join, normpath
from urllib.parse import unquote, urlsplit

import lxml.html

from benchmarks.manual_server import nginx
from benchmarks.website import Site, Tally


@dataclass(frozen=True)
class Document:
    """A manual: its folder, and the Debian package that brings it. `start`: its first page."""

    folder: Path
    package: str
    title: str
    start: str = "index.html"


#: 1,169 pages of 13 KB, written by DocBook.
POSTGRESQL = Document(
    Path("/usr/share/doc/postgresql-doc-15/html"), "postgresql-doc-15", "PostgreSQL 15 manual"
)
#: Some 500 pages of 96 KB, written by Sphinx; half of their bytes are in pages of more than 150 KB.
PYTHON = Document(Path("/usr/share/doc/python3.11-doc/html"), "python3.11-doc", "Python 3.11 manual")


def truth(document: Document) -> dict[str, tuple[str, int]]:
    """Title and size of each page that links lead to from the first, by its path in the folder.

    Read with lxml, and by no crawler: what crawlers must come to.
    """
    found: dict[str, tuple[str, int]] = {}
    waiting = [document.start]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        body = (document.folder / path).read_bytes()
        root = lxml.html.fromstring(body, parser=lxml.html.HTMLParser(encoding="utf-8"))
        found[path] = (root.findtext(".//title") or "", len(body))
        for href in root.xpath("//a/@href"):
            parts = urlsplit(href)
            if parts.scheme or parts.netloc or not parts.path or parts.query:
                continue
            target = normpath(join(Path(path).parent.as_posix(), unquote(parts.path)))
            if target.endswith(".html") and (document.folder / target).is_file():
                waiting.append(target)
    return found


@contextmanager
def served(document: Document, copies: int, core: int | None = None) -> Iterator[Site]:
    """Serve a manual so many times over, so that a run takes seconds rather than tenths."""
    if not document.folder.is_dir():
        raise SystemExit(f"the {document.title} is not installed: apt-get install {document.package}")
    pages = truth(document)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        copied = [f"copy{number}" for number in range(copies)]
        for copy in copied:
            (root / copy).symlink_to(document.folder.resolve())
        links = "".join(f'<li><a href="{copy}/{document.start}">{copy}</a></li>' for copy in copied)
        (root / "index.html").write_text(f"<!doctype html><title>Manuals</title><h2>All</h2><ul>{links}</ul>")
        with nginx(root, core) as base:
            rows = [(f"{base}/index.html", "Manuals")]
            rows += [
                (f"{base}/{copy}/{path}", title) for copy in copied for path, (title, _) in pages.items()
            ]
            sizes = [size for _, size in pages.values()]
            yield Site(
                f"{document.title}, {copies} ×" if copies > 1 else document.title,
                [f"{base}/index.html"],
                f"{base}/",
                len(rows),
                sum(sizes) / len(sizes),
                Tally.of(rows),
                [f"/{copied[0]}/{path}" for path in pages],
            )
