"""Whether a page is taken as plain HTTP brought it, or rendered by a browser: pure decisions of the `auto` engine, and what it learns.

A page is asked for plainly first. What it shows (`Signs`), and what rendering did to pages like it before (`LookLore`), say whether a browser
is worth its price. Pages are alike that have the same scripts, leave the same fields empty and show the same signs: their *look*. Where all
pages of a part of a site (its *section*) needed a browser for long enough, the plain request is left out.

Nothing learnt is for ever: a look that rendering does not change is rendered again after a hundred pages, then after twice as many, and so on;
a section that goes straight to the browser is asked for plainly again now and then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

_Known = TypeVar("_Known")

#: Pages of a look that rendering left as they were, after which it is trusted: of one that seems complete, and of a suspect.
PROOFS = 1
SUSPECT_PROOFS = 2
#: The same for a look that rendering changed before: one page without a change may be luck.
RECOVERY = 3
#: Pages of a trusted look after which one is rendered again; doubled each time that changes nothing, up to the second figure.
RECHECK = 100
RECHECK_AT_MOST = 6_400
#: Pages of a section in a row that needed a browser, after which the plain request is left out.
STREAK = 5
#: Pages after which it is made again all the same; doubled each time a browser was needed after all, up to the second figure.
RETURN = 10
RETURN_AT_MOST = 40
#: What is kept: hosts of a job, looks and sections of a host. Those used longest ago are forgotten.
HOSTS, LOOKS, SECTIONS = 64, 12, 12


class Reason(StrEnum):
    """Why a page's rows come from the engine that they come from."""

    NO_SCRIPTS = "no_scripts"
    COMPLETE = "complete"
    CHECKED = "checked"
    LEARNED = "learned"
    NO_BROWSER = "no_browser"
    RENDER_FAILED = "render_failed"
    SCRIPT_SHELL = "script_shell"
    PLACEHOLDERS = "placeholders"
    FIELDS_EMPTY = "fields_empty"
    CHALLENGE = "challenge"
    BLOCKED = "blocked"
    DIFFERED = "differed"
    SECTION_RENDERED = "section_rendered"
    ORDERED = "ordered"


#: What each reason means, for people: `http` keeps a page for the first six, `browser` has it for the others.
MEANING: Mapping[Reason, str] = {
    Reason.NO_SCRIPTS: "nothing on the page could change in a browser",
    Reason.COMPLETE: "every field has a value, and nothing shows that the page is unfinished",
    Reason.CHECKED: "it was rendered for comparison, which changed nothing",
    Reason.LEARNED: "pages like it were rendered before, which changed nothing",
    Reason.NO_BROWSER: "it would have been rendered, and there is no browser",
    Reason.RENDER_FAILED: "it was to be rendered, and the browser did not bring it",
    Reason.SCRIPT_SHELL: "the plain page is a shell that scripts fill",
    Reason.PLACEHOLDERS: "the plain page shows placeholders of what scripts bring",
    Reason.FIELDS_EMPTY: "fields were empty, and the page has scripts that may fill them",
    Reason.CHALLENGE: "the plain request met a challenge",
    Reason.BLOCKED: "the plain request was turned away",
    Reason.DIFFERED: "rendered, the page differs",
    Reason.SECTION_RENDERED: "the pages before it, in this part of the site, needed a browser",
    Reason.ORDERED: "the order asks for something that only a browser does",
}
#: Reasons that `http` has a page for.
PLAIN_REASONS = frozenset(tuple(Reason)[: tuple(Reason).index(Reason.SCRIPT_SHELL)])
#: Suspicions of a plain page, the weightiest first.
_SUSPICIONS = (
    Reason.CHALLENGE,
    Reason.BLOCKED,
    Reason.SCRIPT_SHELL,
    Reason.PLACEHOLDERS,
    Reason.FIELDS_EMPTY,
)


class Step(StrEnum):
    """What to do with a page."""

    PLAIN = "plain"
    RENDER = "render"


@dataclass(slots=True, frozen=True)
class Choice:
    """A step, and why. `sample`: it is rendered to learn, not because anything speaks against it: its plain rows may be taken if that fails."""

    step: Step
    why: Reason
    sample: bool = False


@dataclass(slots=True, frozen=True)
class Signs:
    """What a plain page shows. `look` tells which pages are alike; `suspicion` is one of the reasons to render; `scripts`: it has some that run."""

    look: str
    scripts: bool = False
    suspicion: Reason | None = None

    @property
    def proofs(self) -> int:
        """Renderings that must have changed nothing before such pages are trusted."""
        return PROOFS if self.suspicion is None else SUSPECT_PROOFS


@dataclass(slots=True, frozen=True)
class LookLore:
    """What is known of a look.

    `same`: renderings in a row that changed nothing. `changed`: rendering changed such pages, and it is not trusted since. `since`: pages taken
    plainly since the last rendering.
    """

    same: int = 0
    changed: bool = False
    since: int = 0

    def trusted(self, proofs: int) -> bool:
        """Whether such pages are taken plainly."""
        return not self.changed and self.same >= proofs

    def due(self, proofs: int) -> bool:
        """Whether a page is rendered again to see whether that is still so."""
        doublings = min(max(0, self.same - proofs), 16)
        return self.since >= min(RECHECK << doublings, RECHECK_AT_MOST)


@dataclass(slots=True, frozen=True)
class SectionLore:
    """What is known of a part of a site.

    `needed`: pages in a row that needed a browser. `direct`: pages rendered since without asking plainly first. `confirmed`: how often asking
    plainly again changed nothing.
    """

    needed: int = 0
    direct: int = 0
    confirmed: int = 0

    @property
    def straight(self) -> bool:
        """Whether the next page goes straight to the browser."""
        if self.needed < STREAK:
            return False
        return self.direct < min(RETURN << min(self.confirmed, 16), RETURN_AT_MOST)


@dataclass(slots=True, frozen=True)
class HostLore:
    """What is known of a host. `lessons` counts what it was learnt from."""

    lessons: int = 0
    looks: Mapping[str, LookLore] = field(default_factory=dict)
    sections: Mapping[str, SectionLore] = field(default_factory=dict)


class Finding(StrEnum):
    """What a page taught: it was kept without rendering, rendering left it as it was, changed it, or was all that was done."""

    KEPT = "kept"
    SAME = "same"
    CHANGED = "changed"
    DIRECT = "direct"


@dataclass(slots=True, frozen=True)
class Lesson:
    """What one page taught of its host; `look` is empty where there was no plain page, or none with scripts."""

    host: str
    section: str
    look: str
    finding: Finding


def section_of(url: str) -> str:
    """The part of its site that a URL is in: its first path segment, or none for pages at the top."""
    first, slash, _ = urlsplit(url).path.lstrip("/").partition("/")
    return first[:60] if slash else ""


def before_asking(lore: HostLore, section: str, *, ordered: bool) -> Choice:
    """What to do with a page of which only the URL is known. `ordered`: the job asks for what only a browser does."""
    if ordered:
        return Choice(Step.RENDER, Reason.ORDERED)
    known = lore.sections.get(section)
    if known is not None and known.straight:
        return Choice(Step.RENDER, Reason.SECTION_RENDERED)
    return Choice(Step.PLAIN, Reason.COMPLETE)


def on_plain_page(signs: Signs, lore: HostLore, *, more: bool) -> Choice:
    """What to do with a page that is there plainly. `more`: other pages of its host may follow, which profit from what is learnt."""
    known = lore.looks.get(signs.look, LookLore())
    suspicion = signs.suspicion
    if suspicion is None and not signs.scripts:
        return Choice(Step.PLAIN, Reason.NO_SCRIPTS)
    proofs = signs.proofs
    if known.trusted(proofs) and not known.due(proofs):
        return Choice(Step.PLAIN, Reason.LEARNED)
    if suspicion is not None:
        return Choice(Step.RENDER, suspicion)
    if known.changed:
        return Choice(Step.RENDER, Reason.DIFFERED)
    if more or known.trusted(proofs):
        return Choice(Step.RENDER, Reason.DIFFERED, sample=True)
    return Choice(Step.PLAIN, Reason.COMPLETE)


def after_rendering(choice: Choice, *, changed: bool) -> Choice:
    """Which page is taken when both are there, and why."""
    if not changed:
        return Choice(Step.PLAIN, Reason.CHECKED)
    return Choice(Step.RENDER, choice.why)


def suspicion_of(suspicions: Iterable[Reason]) -> Reason | None:
    """The weightiest of some suspicions; None of none."""
    raised = set(suspicions)
    return next((reason for reason in _SUSPICIONS if reason in raised), None)


def learnt(lore: HostLore, lesson: Lesson) -> HostLore:
    """What is known of a host after one more lesson."""
    looks, sections = dict(lore.looks), dict(lore.sections)
    section = _section_after(sections.pop(lesson.section, _NOTHING), lesson.finding)
    if section is not _NOTHING:
        sections[lesson.section] = section
    if lesson.look:
        looks[lesson.look] = _look_after(looks.pop(lesson.look, LookLore()), lesson.finding)
    return HostLore(lore.lessons + 1, _latest(looks, LOOKS), _latest(sections, SECTIONS))


def all_learnt(hosts: Mapping[str, HostLore], lessons: Iterable[Lesson]) -> dict[str, HostLore]:
    """What is known of all hosts after some lessons, in their order."""
    known = dict(hosts)
    for lesson in lessons:
        known[lesson.host] = learnt(known.pop(lesson.host, HostLore()), lesson)
    return _latest(known, HOSTS)


#: What is known of a section that says nothing for a browser.
_NOTHING = SectionLore()


def _look_after(look: LookLore, finding: Finding) -> LookLore:
    match finding:
        case Finding.KEPT:
            return LookLore(look.same, look.changed, look.since + 1)
        case Finding.SAME:
            same = look.same + 1
            return LookLore(same, look.changed and same < RECOVERY, 0)
        case Finding.CHANGED:
            return LookLore(0, changed=True)
        case Finding.DIRECT:
            return look


def _section_after(section: SectionLore, finding: Finding) -> SectionLore:
    match finding:
        case Finding.KEPT | Finding.SAME:
            return _NOTHING
        case Finding.CHANGED:
            again = section.needed >= STREAK and section.direct > 0
            return SectionLore(section.needed + 1, 0, section.confirmed + again)
        case Finding.DIRECT:
            return SectionLore(section.needed, section.direct + 1, section.confirmed)


def _latest(known: dict[str, _Known], most: int) -> dict[str, _Known]:
    """The last `most` of what is known."""
    return known if len(known) <= most else dict(list(known.items())[-most:])
