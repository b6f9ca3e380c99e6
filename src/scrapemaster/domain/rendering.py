"""How a job wants its pages rendered by a browser, and what is kept of them besides rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from scrapemaster.domain.ids import ArtefactId, JobId

#: What a page may load that is left out where the order says nothing: nothing of it is ever extracted.
BLOCKED_BY_DEFAULT = ("image", "media", "font")


#: `wait_until`: as `load`, and then until the page has stopped loading by itself.
SETTLED = "settled"


class ActionType(StrEnum):
    """What can be done on a page."""

    CLICK = "click"
    FILL = "fill"
    PRESS = "press"
    SELECT = "select"
    WAIT = "wait"
    SCROLL = "scroll"
    SCREENSHOT = "screenshot"


@dataclass(slots=True, frozen=True)
class Action:
    """One step on a page, after it has loaded. The public schema (`api.schemas`) bounds and documents each value.

    `value` is the text to fill in, the key to press or the option to select; `seconds` how long to wait for `selector`, or without
    one how long to wait; `times` how often to scroll. `optional`: that it cannot be done does not fail the page.
    """

    type: ActionType
    selector: str | None = None
    value: str | None = None
    seconds: float | None = None
    times: int | None = None
    full: bool = False
    optional: bool = False


@dataclass(slots=True, frozen=True)
class Rendering:
    """A job's `config.browser`.

    `wait_for` is a selector, or milliseconds. `scroll` is how many screens to scroll down at most, 0 for none; the end of the page ends it
    earlier. `screenshot` is "" for none, `viewport` or `full`.
    """

    wait_until: str = "load"
    wait_for: str | int | None = None
    scroll: int = 0
    actions: Sequence[Action] = ()
    block_resources: Sequence[str] = BLOCKED_BY_DEFAULT
    screenshot: str = ""
    pdf: bool = False
    width: int = 1_280
    height: int = 720

    @property
    def demanding(self) -> bool:
        """Whether it asks for something that only a browser does."""
        return bool(self.wait_for is not None or self.scroll or self.actions or self.screenshot or self.pdf)


class ArtefactKind(StrEnum):
    """What an artefact is; its media type follows from that and from nothing that a server sent."""

    SCREENSHOT = "screenshot"
    PDF = "pdf"

    @property
    def media_type(self) -> str:
        """The type it is served as."""
        return "image/png" if self is ArtefactKind.SCREENSHOT else "application/pdf"

    @property
    def suffix(self) -> str:
        """The end of its file name."""
        return "png" if self is ArtefactKind.SCREENSHOT else "pdf"


@dataclass(slots=True, frozen=True)
class Capture:
    """A picture or document made of a page, on its way to the store."""

    kind: ArtefactKind
    data: bytes


@dataclass(slots=True, frozen=True)
class Artefact:
    """A stored file of a job, without its bytes. `size` is in bytes, `created_at` in epoch seconds."""

    id: ArtefactId
    job_id: JobId
    url: str
    kind: ArtefactKind
    size: int
    created_at: float


def artefact_id(job: JobId, fingerprint: bytes, part: int) -> ArtefactId:
    """The identity of the `part`-th capture of a job's page: made again, it takes the place of the first."""
    digest = blake2b(f"{job}/{part}/".encode() + fingerprint, digest_size=16)
    return ArtefactId(digest.hexdigest())
