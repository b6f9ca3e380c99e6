"""What is done on a page once it is there: waiting, scrolling, actions, pictures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from scrapemaster.domain.errors import GiveUpPage, PageError, RetryPage
from scrapemaster.domain.rendering import Action, ActionType, ArtefactKind, Capture, Rendering

if TYPE_CHECKING:
    from playwright.async_api import Error
    from playwright.async_api import Page as Tab

#: Seconds that an action may wait for what it acts on, where the order does not say.
ACTION_SECONDS = 10.0
#: Seconds between two looks at a page that is scrolled, and looks after which a page that did not grow is at its end.
_SCROLL_PAUSE = 0.25
_SCROLL_STILL = 3
#: Screens that `scroll` goes down where the order does not say how many.
SCROLL_TIMES = 50
#: Bytes of one picture or document, and pixels of a whole page's picture in height.
CAPTURE_BYTES = 32 * 1024 * 1024
_CAPTURE_HEIGHT = 16_384
#: Captures of one page.
CAPTURES = 20

_TO_THE_END = "() => { window.scrollTo(0, document.documentElement.scrollHeight); return document.documentElement.scrollHeight }"
_HEIGHT = "() => Math.max(document.documentElement.scrollHeight, window.innerHeight)"


async def perform(tab: Tab, rendering: Rendering) -> list[Capture]:
    """Wait, scroll and act as the job says, and take the pictures it wants. Raises `PageError`."""
    captures: list[Capture] = []
    if isinstance(rendering.wait_for, int):
        await asyncio.sleep(rendering.wait_for / 1_000)
    elif rendering.wait_for is not None:
        await _wait_for(tab, rendering.wait_for, None, "wait_for")
    if rendering.scroll:
        await _scroll(tab, rendering.scroll)
    for number, action in enumerate(rendering.actions):
        try:
            await _act(tab, action, f"actions[{number}]", captures)
        except PageError:
            if not action.optional:
                raise
    if rendering.screenshot:
        captures.append(await _screenshot(tab, full=rendering.screenshot == "full"))
    if rendering.pdf:
        captures.append(_bounded(ArtefactKind.PDF, await tab.pdf(print_background=True)))
    return captures


async def _act(tab: Tab, action: Action, where: str, captures: list[Capture]) -> None:
    match action.type:
        case ActionType.WAIT if action.selector is None:
            await asyncio.sleep(action.seconds or 0)
        case ActionType.WAIT:
            await _wait_for(tab, action.selector, _patience(action), where)
        case ActionType.SCROLL:
            await _scroll(tab, action.times or SCROLL_TIMES)
        case ActionType.SCREENSHOT:
            if len(captures) < CAPTURES:
                captures.append(await _screenshot(tab, full=action.full))
        case _:
            await _use(tab, action, where)


async def _use(tab: Tab, action: Action, where: str) -> None:
    from playwright.async_api import Error  # noqa: PLC0415 -- an extra, and heavy

    selector, value, patience = action.selector or "", action.value or "", _patience(action)
    try:
        match action.type:
            case ActionType.PRESS if not selector:
                await tab.keyboard.press(value)
            case ActionType.PRESS:
                await tab.press(selector, value, timeout=patience)
            case ActionType.CLICK:
                await tab.click(selector, timeout=patience)
            case ActionType.FILL:
                await tab.fill(selector, value, timeout=patience)
            case _:
                await tab.select_option(selector, value, timeout=patience)
    except Error as error:
        what = f"{where} ({action.type} {selector})"
        late = f"{what} could not be done in {patience / 1_000:g} s"
        raise _translated(error, late, what, reason="action_failed") from None


def _patience(action: Action) -> float:
    """Milliseconds to wait for what an action acts on."""
    return 1_000 * (ACTION_SECONDS if action.seconds is None else action.seconds)


async def _wait_for(tab: Tab, selector: str | None, patience: float | None, where: str) -> None:
    from playwright.async_api import Error  # noqa: PLC0415 -- an extra, and heavy

    try:
        # Without a limit of its own it is bound by the page's.
        await tab.wait_for_selector(selector or "", state="attached", timeout=patience or 0)
    except Error as error:
        late = f"{where}: nothing matched {selector} in time"
        raise _translated(error, late, where, reason="wait_failed") from None


def _translated(error: Error, late: str, where: str, *, reason: str) -> Exception:
    """What it means that something could not be done: too late, impossible, or the page has gone."""
    if error.name == "TimeoutError":
        return RetryPage(reason, late)
    if "closed" in error.message or "crashed" in error.message:
        return error
    first = (error.message.splitlines() or ["it could not be done"])[0]
    return GiveUpPage(reason, f"{where}: {first[:300]}")


async def _scroll(tab: Tab, times: int) -> None:
    """Go to the end of a page again and again, until it has stopped growing."""
    height, still = -1, 0
    for _ in range(times):
        grown = await tab.evaluate(_TO_THE_END)
        still = still + 1 if grown == height else 0
        if still >= _SCROLL_STILL:
            return
        height = grown
        await asyncio.sleep(_SCROLL_PAUSE)


async def _screenshot(tab: Tab, *, full: bool) -> Capture:
    if full and int(await tab.evaluate(_HEIGHT)) > _CAPTURE_HEIGHT:
        width = int(await tab.evaluate("() => window.innerWidth"))
        clip = {"x": 0, "y": 0, "width": width, "height": _CAPTURE_HEIGHT}
        data = await tab.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]
    else:
        data = await tab.screenshot(full_page=full)
    return _bounded(ArtefactKind.SCREENSHOT, data)


def _bounded(kind: ArtefactKind, data: bytes) -> Capture:
    if len(data) > CAPTURE_BYTES:
        raise GiveUpPage(
            "capture_too_large", f"the {kind} has {len(data):,} bytes; the limit is {CAPTURE_BYTES:,}"
        )
    return Capture(kind, data)
