"""Bodies that are files and no documents, by what they begin with and by how they are sent."""

from __future__ import annotations

#: What files begin with (the WHATWG MIME Sniffing Standard, section 6, and the formats' own specifications).
_MAGIC = (
    (b"%PDF-", "PDF"),
    (b"%!PS-Adobe-", "PostScript"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x89PNG\r\n\x1a\n", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF87a", "an image"),
    (b"GIF89a", "an image"),
    (b"OggS\x00", "audio or video"),
    (b"ID3", "audio"),
    (b"fLaC", "audio"),
    (b"\x1a\x45\xdf\xa3", "video"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"wOFF", "a font"),
    (b"wOF2", "a font"),
    (b"\x7fELF", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"MZ\x90\x00", "a program"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document"),
    (b"SQLite format 3\x00", "a database"),
)
_FIRST_BYTES = frozenset(magic[0] for magic, _ in _MAGIC) | {ord("R")}
_DOCUMENTS = ("json", "xml")


def magic_of(body: bytes) -> str | None:
    """What kind of file a body is, when it begins like one."""
    if not body:
        return None
    if body[0] in _FIRST_BYTES:
        for magic, kind in _MAGIC:
            if body.startswith(magic):
                return kind
        if body.startswith(b"RIFF") and body[8:12] in {b"WAVE", b"AVI ", b"WEBP"}:
            return "audio or video"
    return "video" if body[4:8] == b"ftyp" else None


def is_attachment(disposition: str, media_type: str) -> bool:
    """Whether a response is to be saved and not shown (RFC 6266). JSON and XML are data however they are sent."""
    kind = disposition.partition(";")[0].strip().lower()
    return kind not in {"", "inline"} and not media_type.endswith(_DOCUMENTS)
