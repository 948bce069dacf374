"""Charts as inline SVG: bars with intervals, curves, and a map of points; colours come from the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

#: Size of a chart in the units of its own view; the page scales it.
WIDTH: Final = 720
LABELS: Final = 190
FIGURES: Final = 190
BAR: Final = 26


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure with its bounds."""

    label: str
    value: float
    low: float
    high: float
    #: Class of the page's style: ``ours`` or ``other``.
    style: str = "other"

    @property
    def told(self) -> str:
        """The figure as text."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bars(rows: Sequence[Bar], title: str) -> str:
    """Horizontal bars, each with a whisker from its lower to its upper bound; a line marks 0 where some are below.

    Args:
        rows: from top to bottom, at least one.
        title: for those who hear the page.
    """
    low = min(0.0, *(row.low for row in rows))
    high = max(1e-9, *(row.high for row in rows))
    span = WIDTH - LABELS - FIGURES

    def x(value: float) -> float:
        return LABELS + span * (value - low) / (high - low)

    parts = []
    for place, row in enumerate(rows):
        middle = BAR * place + BAR / 2
        left, right = sorted((x(0.0), x(row.value)))
        parts += [
            _text(LABELS - 10, middle + 4, row.label, "end"),
            f'<rect class="{row.style}" x="{left:.1f}" y="{middle - 8:.1f}" width="{right - left:.1f}" height="16"/>',
            _line(x(row.low), middle, x(row.high), middle, "whisker"),
            _line(x(row.low), middle - 4, x(row.low), middle + 4, "whisker"),
            _line(x(row.high), middle - 4, x(row.high), middle + 4, "whisker"),
            _text(WIDTH - FIGURES + 12, middle + 4, row.told, "start", "figure"),
        ]
    parts.append(_line(x(0.0), 0, x(0.0), BAR * len(rows), "axis"))
    return _svg(BAR * len(rows), title, parts)


def curve(values: Sequence[float], title: str, mark: int | None = None) -> str:
    """One value for each step as a line from left to right.

    Args:
        values: at least one.
        title: for those who hear the page.
        mark: a step that stands out, from 0.
    """
    height, left, right = 170, 60, WIDTH - 20
    low, high = min(values), max(values)
    span = (high - low) or 1.0

    def point(step: int) -> tuple[float, float]:
        along = step / max(len(values) - 1, 1)
        return left + (right - left) * along, 20 + 110 * (high - values[step]) / span

    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(point, range(len(values))))
    parts = [
        _line(left, 140, right, 140, "axis"),
        f'<polyline class="curve" points="{points}"/>',
        _text(left - 8, 24, f"{high:.3g}", "end", "figure"),
        _text(left - 8, 134, f"{low:.3g}", "end", "figure"),
        _text(left, 158, "1", "middle", "figure"),
        _text(right, 158, str(len(values)), "middle", "figure"),
    ]
    parts += [_dot(*point(step), 4 if step == mark else 2.5, "ours", str(values[step])) for step in range(len(values))]
    if mark is not None:
        x, y = point(mark)
        parts.append(_text(x, y - 8, "kept", "middle", "figure"))
    return _svg(height, title, parts)


def points(places: Sequence[tuple[float, float]], styles: Sequence[str], told: Sequence[str], title: str) -> str:
    """A map of points.

    Args:
        places: of the points, in any unit.
        styles: class of each.
        told: what each tells when it is pointed at.
        title: for those who hear the page.
    """
    height = 480
    across, up = ([place[axis] for place in places] for axis in (0, 1))
    scale = max(max(across) - min(across), max(up) - min(up), 1e-9)
    centre = (max(across) + min(across)) / 2, (max(up) + min(up)) / 2
    room = height - 20
    parts = [
        _dot(WIDTH / 2 + (x - centre[0]) / scale * room, height / 2 - (y - centre[1]) / scale * room, 3, style, text)
        for (x, y), style, text in zip(places, styles, told, strict=True)
    ]
    return _svg(height, title, parts)


def diagonal(places: Sequence[tuple[float, float]], told: Sequence[str]) -> str:
    """Points of a unit square with the line on which both are equal.

    Args:
        places: told and seen of each, 0 to 1.
        told: what each tells when it is pointed at.
    """
    height, left, size = 340, 120, 300

    def at(x: float, y: float) -> tuple[float, float]:
        return left + size * x, 10 + size * (1 - y)

    parts = [
        _line(*at(0, 0), *at(1, 1), "axis"),
        _line(*at(0, 0), *at(1, 0), "axis"),
        _line(*at(0, 0), *at(0, 1), "axis"),
        *(_text(at(share, 0)[0], 328, f"{share:g}", "middle", "figure") for share in (0, 0.5, 1)),
        *(_text(left - 8, at(0, share)[1] + 4, f"{share:g}", "end", "figure") for share in (0, 0.5, 1)),
        *(_dot(*at(*place), 5, "ours", text) for place, text in zip(places, told, strict=True)),
    ]
    return _svg(height, "told probability and share that fits", parts)


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    inside = "\n".join(parts)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}">\n'
        f"<title>{escape(title)}</title>\n{inside}\n</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str, style: str = "label") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x: float, y: float, to_x: float, to_y: float, style: str) -> str:
    return f'<line class="{style}" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"/>'


def _dot(x: float, y: float, size: float, style: str, told: str) -> str:
    title = f"<title>{escape(told)}</title>"
    return f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{size:g}">{title}</circle>'
