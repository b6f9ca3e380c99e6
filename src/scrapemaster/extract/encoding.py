"""Bytes to text, as a browser reads them.

The order is the HTML Standard's (section "determining the character encoding"): byte order mark, the Content-Type header,
a declaration in the first 1,024 bytes, and then UTF-8 if the body is valid UTF-8, else windows-1252.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

import webencodings

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_BE, "utf-16-be"), (codecs.BOM_UTF16_LE, "utf-16-le"))
_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([^\s"';,]+)""", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?(?:-->|$)", re.DOTALL)
_META = re.compile(rb"<meta\s[^>]*?charset\s*=\s*[\"']?\s*([^\s\"'/>;]+)", re.IGNORECASE)
_XML = re.compile(rb"^\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([^\s\"'>]+)")
_PRESCAN = 1_024
_VISIBLE = bytes(range(0x21, 0x7F))


def decode(body: bytes, content_type: str) -> str:
    """The text of a body; what is not valid becomes U+FFFD. `content_type` is the whole header."""
    for mark, name in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    codec = declared_codec(body, content_type)
    if codec is not None:
        return codec.decode(body, "replace")[0]
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def as_utf8(body: bytes, content_type: str) -> bytes:
    """The text in UTF-8, without the white space around it and without NUL.

    Most bodies are that already, and are not taken apart and put together again.
    """
    stripped = body.strip()
    if _is_plain(stripped) and _is_utf8(body, content_type):
        return stripped
    text = decode(body, content_type).strip()
    return (text.replace("\0", "") if "\0" in text else text).encode("utf-8")


def _is_plain(body: bytes) -> bool:
    """Whether it has no NUL, and begins and ends with what is neither white space of Unicode's nor a byte order mark."""
    return b"\0" not in body and body[:1] in _VISIBLE and body[-1:] in _VISIBLE


def _is_utf8(body: bytes, content_type: str) -> bool:
    """Whether `decode` would read the body as UTF-8, and find nothing wrong in it."""
    codec = declared_codec(body, content_type)
    if codec is not None and codec.name != "utf-8":
        return False
    if body.isascii():
        return True
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def declared_codec(body: bytes, content_type: str) -> codecs.CodecInfo | None:
    """Python's codec for what the header or the document declares; None if neither does, validly."""
    if content_type and (codec := _codec_of_header(content_type)) is not None:
        return codec
    head = body[:_PRESCAN]
    if (xml := _XML.match(head)) is not None:
        codec = _codec(xml[1].decode("latin-1"))
        if codec is not None:
            return _as_prescanned(codec)
    if b"<!--" in head:
        head = _COMMENT.sub(b"", head)
    meta = _META.search(head)
    if meta is not None:
        codec = _codec(meta[1].decode("latin-1"))
        if codec is not None:
            return _as_prescanned(codec)
    return None


@lru_cache(maxsize=256)
def _codec_of_header(content_type: str) -> codecs.CodecInfo | None:
    match = _CHARSET.search(content_type)
    return None if match is None else _codec(match[1])


@lru_cache(maxsize=256)
def _codec(label: str) -> codecs.CodecInfo | None:
    encoding = webencodings.lookup(label)
    if encoding is None:
        return None
    info: codecs.CodecInfo = encoding.codec_info
    return info


def _as_prescanned(codec: codecs.CodecInfo) -> codecs.CodecInfo:
    """What is declared inside the document cannot be UTF-16: its declaration could not have been read."""
    return codecs.lookup("utf-8") if codec.name.startswith("utf-16") else codec
