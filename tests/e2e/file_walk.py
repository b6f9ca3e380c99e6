"""Which pages of a folder of HTML files can be reached by links: found without any code of ours."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.base: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        href = values.get("href")
        if href is None:
            return
        if tag == "base" and self.base is None:
            self.base = href
        elif tag in {"a", "area"} or (tag == "link" and "next" in (values.get("rel") or "").lower().split()):
            self.links.append(href)


def reachable_pages(root: Path, start: str) -> tuple[set[str], set[str]]:
    """Paths (such as `/lib/index.html`) of HTML files reached from `start`, and paths that are linked but missing."""
    reached, missing, waiting = set[str](), set[str](), [start]
    while waiting:
        path = waiting.pop()
        if path in reached or path in missing:
            continue
        file = root / path.lstrip("/")
        if file.is_dir():
            file /= "index.html"
            if not path.endswith("/"):
                waiting.append(f"{path}/")
                continue
        if not file.is_file():
            missing.add(path)
            continue
        if file.suffix not in {".html", ".htm"}:
            continue
        reached.add(path)
        parser = _Links()
        parser.feed(file.read_text("utf-8", "replace"))
        here = f"http://site{path}"
        base = urljoin(here, parser.base) if parser.base else here
        for link in parser.links:
            try:
                # Browsers read a backslash as a slash (WHATWG URL, "special" schemes).
                parts = urlsplit(urldefrag(urljoin(base, link.strip().replace("\\", "/"))).url)
            except ValueError:
                continue
            if parts.scheme == "http" and parts.netloc == "site" and not parts.query:
                waiting.append(unquote(parts.path) or "/")
    return reached, missing
