"""Sitemaps (sitemaps.org protocol 0.9): XML, index files, plain text, gzipped."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from lxml import etree

#: A sitemap may have 50 MiB unpacked, says the protocol.
SITEMAP_BYTES = 50 * 1024 * 1024
_GZIP = b"\x1f\x8b"


@dataclass(slots=True)
class Sitemap:
    """What one file holds: pages, and further sitemaps, in order. As written, not yet joined or checked."""

    pages: list[str] = field(default_factory=list)
    sitemaps: list[str] = field(default_factory=list)


def parse_sitemap(body: bytes) -> Sitemap:
    """Read a sitemap; whatever of it can be read. Entities are not expanded, nothing is fetched."""
    if body.startswith(_GZIP):
        body = _unpacked(body)
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start.startswith(b"<"):
        lines = body.decode("utf-8-sig", "replace").splitlines()
        return Sitemap(
            pages=[line.strip() for line in lines if line.strip().startswith(("http://", "https://"))]
        )
    found = Sitemap()
    parser = etree.XMLParser(
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
    )
    try:
        root = etree.fromstring(start, parser)
    except etree.XMLSyntaxError:
        return found
    if root is None:
        return found
    for entry in root:
        if not isinstance(entry.tag, str):
            continue
        kind = etree.QName(entry).localname
        for child in entry:
            if isinstance(child.tag, str) and etree.QName(child).localname == "loc" and child.text:
                (found.sitemaps if kind == "sitemap" else found.pages).append(child.text.strip())
    return found


def _unpacked(body: bytes) -> bytes:
    """The gzipped file's content, as far as it goes and no more than a sitemap may have."""
    try:
        return zlib.decompressobj(wbits=31).decompress(body, SITEMAP_BYTES)
    except zlib.error:
        return b""
