"""Which Chromium, and how it is started."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from scrapemaster.domain.errors import InvalidSetting, UserError

#: Looked for on PATH, in this order; the first is made for this: a whole Chromium opens a profile and a window for each page, which costs three times as much.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
#: Where Playwright installs its own, below its folder of browsers.
_INSTALLED = (
    "chromium_headless_shell-*/chrome-*/headless_shell",
    "chromium_headless_shell-*/chrome-*/chrome-headless-shell",
    "chromium-*/chrome-*/chrome",
)

#: Nothing leaves the browser but through a page's gate: what has no gate has a proxy at which nobody listens, and no names are
#: resolved (`MAP * ~NOTFOUND`). No UDP: neither QUIC nor WebRTC outside the proxy.
_NETWORK = (
    "--proxy-server=socks5://127.0.0.1:1",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--disable-quic",
    "--dns-prefetch-disable",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--no-pings",
    "--disable-domain-reliability",
    "--disable-sync",
)
#: No windows, no sounds, no helpers that outlive anything; no permission is ever granted.
_QUIET = (
    "--disable-gpu",
    "--deny-permission-prompts",
    "--disable-notifications",
    "--disable-print-preview",
    "--disable-speech-api",
    "--disable-crash-reporter",
)
#: Of Playwright's defaults, what serves testers of their own pages, and hurts with the pages of strangers.
UNWANTED = ("--disable-popup-blocking",)

NO_CHROMIUM = (
    "there is no Chromium for the browser engine: run `apt-get install chromium-headless-shell` (Debian), or "
    "`playwright install --with-deps chromium-headless-shell`, or name one with SCRAPEMASTER_BROWSER_EXECUTABLE"
)


class NoChromium(UserError):
    """No Chromium is installed; the message says how to get one."""

    code = "missing_browser"


def find_chromium(wanted: str | None) -> Path:
    """The Chromium to use: the one that a setting names, one on PATH, or Playwright's own.

    Raises `InvalidSetting` when the named one is none, and `NoChromium` when there is none at all.
    """
    if wanted is not None:
        found = shutil.which(wanted)
        if found is None:
            raise InvalidSetting(f"SCRAPEMASTER_BROWSER_EXECUTABLE: there is no program {wanted}")
        return Path(found)
    for name in _NAMES:
        if (found := shutil.which(name)) is not None:
            return Path(found)
    folder = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    cache = (
        Path(folder)
        if folder
        else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ms-playwright"
    )
    for pattern in _INSTALLED:
        for path in sorted(cache.glob(pattern), reverse=True):
            if os.access(path, os.X_OK):
                return path
    raise NoChromium(NO_CHROMIUM)


def arguments() -> list[str]:
    """Chromium's arguments besides Playwright's own."""
    return [*_NETWORK, *_QUIET]


def environment(folder: Path) -> dict[str, str | float | bool]:
    """What of our environment Chromium may see: no secrets, no display, and a home of its own."""
    kept = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "FONTCONFIG_PATH", "FONTCONFIG_FILE")
    values: dict[str, str | float | bool] = {
        name: value for name in kept if (value := os.environ.get(name)) is not None
    }
    return {**values, "HOME": str(folder), "TMPDIR": str(folder)}


def sandboxed(choice: str) -> bool:
    """Whether Chromium's sandbox is used: `on`, `off`, or `auto`: always but for root, for whom it does not work."""
    return choice == "on" or (choice == "auto" and os.geteuid() != 0)
