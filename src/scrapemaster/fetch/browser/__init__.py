"""Pages by a real browser: Chromium, driven by Playwright, behind a gate of our own."""
