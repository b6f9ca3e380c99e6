"""Plots as SVG, drawn by ourselves: bars, and lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

_WIDTH = 720
_LEFT = 210
_RIGHT = 90
_COLOURS = ("#1f6f8b", "#c8553d", "#588157", "#8e6c8a", "#b08900", "#555555")


class Plot(Protocol):
    """A picture of the report: its title, the name of its file, and the picture itself."""

    @property
    def title(self) -> str: ...
    @property
    def file(self) -> str: ...
    def svg(self) -> str:
        """The picture as SVG text."""
        ...


def _picture(height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(title)}</text>{"".join(parts)}</svg>\n'
    )


@dataclass(frozen=True)
class Bars:
    """A bar for each name; values are 0 or more."""

    title: str
    file: str
    values: Mapping[str, float]
    unit: str = ""

    def svg(self) -> str:
        """See `Plot`."""
        most = max(self.values.values(), default=0.0) or 1.0
        parts = []
        for place, (name, value) in enumerate(self.values.items()):
            y = 40 + place * 26
            width = (_WIDTH - _LEFT - _RIGHT) * value / most
            parts.append(
                f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>'
                f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="19" fill="{_COLOURS[0 if place == 0 else 5]}"/>'
                f'<text x="{_LEFT + width + 6:.1f}" y="{y + 14}">{value:,.0f}{escape(self.unit)}</text>'
            )
        return _picture(52 + 26 * len(self.values), self.title, parts)


@dataclass(frozen=True)
class Lines:
    """A line for each name over numbered places, from zero up."""

    title: str
    file: str
    values: Mapping[str, Sequence[float]]
    across: str

    def svg(self) -> str:
        """See `Plot`."""
        top, height, left, right = 44, 260, 70, _WIDTH - 20
        most = max((max(line, default=0.0) for line in self.values.values()), default=0.0) or 1.0
        parts = []
        for step in range(5):
            y = top + height - height * step / 4
            parts.append(
                f'<line x1="{left}" x2="{right}" y1="{y}" y2="{y}" stroke="#ddd"/>'
                f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{most * step / 4:,.0f}</text>'
            )
        for place, (name, line) in enumerate(self.values.items()):
            colour = _COLOURS[place % len(_COLOURS)]
            apart = (right - left) / max(1, len(line) - 1)
            points = " ".join(
                f"{left + number * apart:.1f},{top + height - height * value / most:.1f}"
                for number, value in enumerate(line)
            )
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
                f'<text x="{left + 10 + place * 220}" y="{top + height + 42}" fill="{colour}">{escape(name)}</text>'
            )
        parts.append(
            f'<text x="{(left + right) / 2}" y="{top + height + 22}" text-anchor="middle">{escape(self.across)}</text>'
        )
        return _picture(top + height + 56, self.title, parts)
