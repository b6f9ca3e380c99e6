"""`config.browser`: how the browser engine renders pages."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StringConstraints, model_validator

from scrapemaster.api.schemas.base import Body
from scrapemaster.domain.rendering import BLOCKED_BY_DEFAULT, Action, ActionType, Rendering

PageSelector = Annotated[str, StringConstraints(min_length=1, max_length=2_048)]
Resource = Literal[
    "image", "media", "font", "stylesheet", "script", "xhr", "fetch", "texttrack", "eventsource", "ping", "manifest", "other"
]  # fmt: skip
#: Screens that `scroll: true` goes down at most.
_SCROLL = 50
#: Actions that say nothing without a selector, and those that say nothing without a value.
_ON_SOMETHING = frozenset({"click", "fill", "select"})
_WITH_VALUE = frozenset({"fill", "press", "select"})


class ActionBody(Body):
    """One step on the page, done in order after `wait_for` and `scroll`."""

    type: Literal["click", "fill", "press", "select", "wait", "scroll", "screenshot"] = Field(
        description="`click`, `fill`, `select` act on the first element that matches `selector`; `press` on it or on what has the focus; "
        "`wait` for it, or for `seconds`; `scroll` to the end of the page; `screenshot` takes a picture now.",
        examples=["click"],
    )
    selector: PageSelector | None = Field(
        None, description="CSS, or XPath when it begins with `//`.", examples=["button.more"]
    )
    value: str | None = Field(
        None,
        max_length=10_000,
        description="The text to fill in, the key to press (such as `Enter`), the option to select.",
        examples=["Enter"],
    )
    seconds: StrictFloat | None = Field(
        None,
        ge=0,
        le=300,
        description="How long to wait for the selector (10 by default), or without one how long to wait.",
        examples=[1.5],
    )
    times: StrictInt | None = Field(
        None, ge=1, le=1_000, description="Of `scroll`: how often to go to the end, at most. Default: 50."
    )
    full: StrictBool = Field(
        default=False, description="Of `screenshot`: the whole page, not only what a window shows."
    )
    optional: StrictBool = Field(
        default=False, description="The page does not fail when this cannot be done."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.type in _ON_SOMETHING and self.selector is None:
            raise ValueError(f"{self.type} needs a selector")
        if self.type in _WITH_VALUE and self.value is None:
            raise ValueError(f"{self.type} needs a value")
        if self.type == "wait" and self.selector is None and self.seconds is None:
            raise ValueError("wait needs a selector or seconds")
        return self

    def to_domain(self) -> Action:
        """The action for the engine."""
        return Action(**{**self.model_dump(), "type": ActionType(self.type)})


class ViewportBody(Body):
    """The size of the window, in CSS pixels."""

    width: StrictInt = Field(1_280, ge=100, le=4_096, description="Its width.", examples=[1280])
    height: StrictInt = Field(720, ge=100, le=4_096, description="Its height.", examples=[720])


class BrowserBody(Body):
    """How pages are rendered; for `engine: browser` and `engine: auto`. The page's `timeout` bounds all of it together."""

    wait_until: Literal["load", "domcontentloaded", "networkidle", "settled"] = Field(
        "load",
        description="When the page counts as there: at its `load` event, when its document is read (`domcontentloaded`), when half "
        "a second went by without traffic (`networkidle`), or, `settled`, when it is loaded and has stopped asking for more: that is waited for "
        "eight seconds at most, and running out of them is no failure. With `engine: auto`, `load` means `settled` unless there is a `wait_for`.",
    )
    wait_for: PageSelector | Annotated[StrictInt, Field(ge=0, le=60_000)] | None = Field(
        None,
        description="Then wait until this selector matches (CSS, or XPath when it begins with `//`), or for so many milliseconds.",
        examples=[".deal"],
    )
    scroll: StrictBool | Annotated[StrictInt, Field(ge=1, le=1_000)] = Field(
        default=False,
        description="Go to the end of the page again and again until it has stopped growing: 50 times at most with `true`, or so many.",
        examples=[True],
    )
    actions: list[ActionBody] = Field(
        [],
        max_length=100,
        description="What to do then, in order.",
        examples=[[{"type": "click", "selector": "button.more"}, {"type": "wait", "seconds": 0.5}]],
    )
    block_resources: StrictBool | list[Resource] | None = Field(
        None,
        description="What not to load. Default, and `true`: `image`, `media` and `font`, unless pictures are taken of the page, which "
        "then loads everything. `false` or an empty list: nothing is left out.",
        examples=[["image", "media", "font"]],
    )
    screenshot: StrictBool | Literal["viewport", "full"] = Field(
        default=False,
        description="Keep a picture (PNG) of each page in the end: of the window with `true`, of the whole page with `full`. See "
        "`/jobs/{id}/artefacts`.",
        examples=["full"],
    )
    pdf: StrictBool = Field(default=False, description="Keep each page as a PDF too.")
    viewport: ViewportBody = Field(default_factory=ViewportBody, description="The size of the window.")

    def to_domain(self) -> Rendering:
        """The rendering for the engine."""
        pictured = bool(self.screenshot) or self.pdf or any(one.type == "screenshot" for one in self.actions)
        blocked: Any = self.block_resources
        if blocked is None:
            blocked = not pictured
        if isinstance(blocked, bool):
            blocked = BLOCKED_BY_DEFAULT if blocked else ()
        scroll = _SCROLL if self.scroll is True else int(self.scroll)
        screenshot = "viewport" if self.screenshot is True else self.screenshot or ""
        return Rendering(
            wait_until=self.wait_until,
            wait_for=self.wait_for,
            scroll=scroll,
            actions=[action.to_domain() for action in self.actions],
            block_resources=list(dict.fromkeys(blocked)),
            screenshot=screenshot,
            pdf=self.pdf,
            width=self.viewport.width,
            height=self.viewport.height,
        )
