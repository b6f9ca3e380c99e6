"""Names of downloaded files."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

#: Characters that some file system, shell or header reads as more than a character.
_SPECIAL = re.compile(r"""[\s/\\:*?"'<>|%;`$&!{}()\[\]=,]+""")
#: Names that Windows keeps for devices.
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")
_LONGEST = 80


def file_stem(name: str | None, otherwise: str) -> str:
    """A job's name as the first part of a file name: in no folder, visible, on any system; `otherwise` if nothing is left."""
    visible = "".join(
        "-" if unicodedata.category(one)[0] in "CZ" else one
        for one in unicodedata.normalize("NFC", name or "")
    )
    stem = re.sub(r"-{2,}", "-", _SPECIAL.sub("-", visible)).strip("-. ")[:_LONGEST].strip("-. ")
    return f"_{stem}" if _DEVICES.match(stem) else stem or otherwise


def content_disposition(stem: str, suffix: str) -> str:
    """The header that names an attachment (RFC 6266): ASCII for old clients, and the whole name where it has more."""
    if stem.isascii():
        return f'attachment; filename="{stem}.{suffix}"'
    ascii_stem = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().strip("-. ")
    ascii_stem = re.sub(r"-{2,}", "-", _SPECIAL.sub("-", ascii_stem)).strip("-") or "export"
    return f"attachment; filename=\"{ascii_stem}.{suffix}\"; filename*=UTF-8''{quote(stem, safe='')}.{suffix}"
