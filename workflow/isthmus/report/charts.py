"""Small charts as inline SVG. Text is real text in the page's own type; every chart says in words what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from isthmus.report.colours import diverging, is_dark
from isthmus.report.text import nice_length, number, short

WIDTH = 340


@dataclass(frozen=True)
class Threshold:
    """A bound drawn into a histogram."""

    name: str
    value: float


def histogram(
    title: str,
    *,
    edges: Sequence[float],
    before: Sequence[int],
    after: Sequence[int],
    thresholds: Sequence[Threshold],
    unit: str = "",
) -> Markup:
    """Cells before (outline) and after (filled) quality control; thresholds are dashed lines."""
    left, top, width, height = 44, 14, WIDTH - 56, 118
    low, high = edges[0], edges[-1]
    for bound in thresholds:  # a bound just outside the data is worth the room; one far away is told in words
        if high < bound.value <= high + 0.5 * (high - low):
            high = bound.value + 0.02 * (high - low)
        if low - 0.5 * (high - low) <= bound.value < low:
            low = bound.value - 0.02 * (high - low)
    most = max(1, *before)

    def x(value: float) -> float:
        return round(left + (value - low) / (high - low) * width, 1)

    def y(value: float) -> float:
        return round(top + height - value / most * height, 1)

    parts = [_line(left, y(tick), left + width, y(tick), "grid") for tick in _ticks(0, most, 3)]
    for start, stop, n in zip(edges, edges[1:], after, strict=False):
        if n:
            parts.append(_rect(x(start), y(n), x(stop) - x(start), y(0) - y(n), "after"))
    steps = [f"M{x(edges[0])} {y(0)}"]
    steps += [f"V{y(n)}H{x(stop)}" for stop, n in zip(edges[1:], before, strict=True)]
    parts.append(f'<path class="before" d="{"".join(steps)}V{y(0)}"/>')
    parts.append(_line(left, y(0), left + width, y(0), "axis"))
    parts += [_text(left - 6, y(tick) + 4, number(tick), "end") for tick in _ticks(0, most, 3)]
    parts += [_text(x(tick), top + height + 16, short(tick), "middle") for tick in _ticks(low, high, 5)]
    parts.append(
        _text(left + width / 2, top + height + 33, f"{title}{f' ({unit})' if unit else ''}", "middle", "name")
    )
    for bound in thresholds:
        if low <= bound.value <= high:
            parts.append(_line(x(bound.value), top - 8, x(bound.value), y(0), "bound"))
            anchor = "end" if x(bound.value) > left + 0.7 * width else "start"
            shift = -4 if anchor == "end" else 4
            parts.append(
                _text(x(bound.value) + shift, top, f"{bound.name} {number(bound.value)}", anchor, "bound")
            )
    words = f"Histogram of {title}: {sum(before)} cells before and {sum(after)} after quality control"
    return _svg(WIDTH, top + height + 40, parts, words)


@dataclass(frozen=True)
class Segment:
    """A part of a stacked bar."""

    name: str
    value: float
    colour: str


def stacked_bars(rows: Mapping[str, Sequence[Segment]], words: str) -> Markup:
    """One bar of 100 % a row, its parts labelled where there is room."""
    left = min(260, 20 + 7 * max((len(name) for name in rows), default=0))
    width, height, gap = 720 - left, 26, 10
    parts: list[str] = []
    for i, (name, segments) in enumerate(rows.items()):
        top, at, total = i * (height + gap) + 2, float(left), sum(s.value for s in segments) or 1
        parts.append(_text(left - 10, top + height / 2 + 4, name, "end", "row"))
        for segment in segments:
            size = segment.value / total * width
            if size <= 0:
                continue
            label = f"{100 * segment.value / total:.1f} %"
            title = (
                f"<title>{escape(name)}, {escape(segment.name)}: {number(segment.value)} ({label})</title>"
            )
            parts.append(
                f'<rect x="{at:.1f}" y="{top}" width="{size:.1f}" height="{height}" fill="{segment.colour}">'
                f"{title}</rect>"
            )
            if size > 48:
                style = "on-dark" if is_dark(segment.colour) else "on-light"
                parts.append(_text(at + size / 2, top + height / 2 + 4, label, "middle", style))
            at += size
    return _svg(left + width + 4, len(rows) * (height + gap), parts, words)


def heat_map(
    names: Sequence[str],
    values: Mapping[tuple[str, str], float],
    counts: Mapping[tuple[str, str], str],
    *,
    limit: float,
) -> Markup:
    """Names x names, coloured from -limit (blue) over 0 (white) to limit (orange); each field tells its number."""
    told = {pair: f"{pair[0]} beside {pair[1]}: {words}" for pair, words in counts.items()}
    words = f"Heat map of neighbourhood enrichment between {len(names)} kinds of cells; the table below has the numbers"
    return field_map(names, names, values, told, limit=limit, words=words)


def field_map(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Mapping[tuple[str, str], float],
    told: Mapping[tuple[str, str], str],
    *,
    limit: float,
    words: str,
    digits: int = 0,
) -> Markup:
    """Rows x columns, coloured from -limit (blue) over 0 (white) to limit (orange); each field tells what it is."""
    left = min(200, 14 + 7 * max(len(name) for name in rows))
    longest = max(len(name) for name in columns)
    top = min(200, 14 + 7 * longest)
    cell = max(14, min(34, 560 // max(len(rows), len(columns))))
    style = "row" if cell >= 18 else "row tiny"
    parts: list[str] = []
    for j, column in enumerate(columns):
        x, y = left + (j + 0.5) * cell + 4, top - 8
        parts.append(
            f'<text class="{style}" transform="translate({x:g} {y:g}) rotate(-60)">{escape(column)}</text>'
        )
    for i, row in enumerate(rows):
        parts.append(_text(left - 8, top + (i + 0.5) * cell + 4, row, "end", "row"))
        for j, column in enumerate(columns):
            value = values.get((row, column))
            if value is None:
                continue
            colour = diverging(value, limit)
            title = f"<title>{escape(told[row, column])}</title>"
            place = f'x="{left + j * cell}" y="{top + i * cell}" width="{cell - 1}" height="{cell - 1}"'
            parts.append(f'<rect {place} fill="{colour}">{title}</rect>')
            if cell >= 26:
                style = "on-dark" if is_dark(colour) else "on-light"
                middle = (left + (j + 0.5) * cell - 0.5, top + (i + 0.5) * cell + 3.5)
                shown = f"{value:.{digits}f}"
                shown = shown.removeprefix("-") if float(shown) == 0 else shown
                parts.append(_text(*middle, shown, "middle", f"{style} tiny"))
    width, height = len(columns) * cell, len(rows) * cell
    return _svg(left + width + max(20, 4 * longest), top + height + 4, parts, words)


def _ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers between low and high."""
    if high <= low:
        return [low]
    step = nice_length((high - low) / max(1, about - 1))
    first = -(-low // step)
    found: list[float] = []
    while (first + len(found)) * step <= high * (1 + 1e-9) + 1e-12:
        found.append((first + len(found)) * step)
    return found


def _svg(width: float, height: float, parts: Sequence[str], words: str) -> Markup:
    sizes = f"--natural:{width:g}px;max-width:{width:g}px"
    head = f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" style="{sizes}" role="img"'
    return Markup(f'{head} aria-label="{escape(words)}">{"".join(parts)}</svg>')


def _rect(x: float, y: float, width: float, height: float, style: str) -> str:
    return f'<rect class="{style}" x="{x:g}" y="{y:g}" width="{width:.4g}" height="{height:.4g}"/>'


def _line(x0: float, y0: float, x1: float, y1: float, style: str) -> str:
    return f'<line class="{style}" x1="{x0:g}" y1="{y0:g}" x2="{x1:g}" y2="{y1:g}"/>'


def _text(x: float, y: float, words: str, anchor: str, style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'
