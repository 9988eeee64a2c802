"""Numbers, sizes and durations as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from math import floor, log10

from markupsafe import Markup, escape

TIMES, DASH = "\u00d7", "\u2013"
"""The sign between two sizes, and the one between the ends of a range or for no number."""


def count(value: float) -> str:
    """1,234,567."""
    return f"{round(value):,}"


def number(value: float) -> str:
    """Three digits that matter; whole numbers from 100 on."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return count(value)
    digits = max(0, 2 - floor(log10(abs(value))))
    text = f"{value:.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def short(value: float) -> str:
    """As `number`, but 1.5k, 2M and 3G where a number is long."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (letter != "k" and abs(value) >= size):
            return f"{number(value / size)}{letter}"
    return number(value)


def share(part: float, whole: float) -> str:
    """Per cent with one digit; a dash where there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole else DASH


def duration(seconds: float) -> str:
    """0.05 s, 12.3 s, 4 min 05 s, 3 h 12 min."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def megabytes(value: float) -> str:
    """Megabytes, or gigabytes from 10,000 on."""
    return f"{value / 1000:.1f} GB" if value >= 10_000 else f"{count(value)} MB"


def file_size(n_bytes: float) -> str:
    """1.2 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


def day(timestamp: float) -> str:
    """22 November 2026, in universal time."""
    moment = datetime.fromtimestamp(timestamp, UTC)
    return f"{moment.day} {moment:%B %Y}"


def moment(timestamp: float) -> str:
    """22 November 2026, 15:04 UTC."""
    return f"{day(timestamp)}, {datetime.fromtimestamp(timestamp, UTC):%H:%M} UTC"


def nice_length(at_most: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is no larger."""
    power: float = 10.0 ** floor(log10(at_most))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= at_most * (1 + 1e-9))


def length(um: float) -> str:
    """50 µm, 2 mm."""
    return f"{um / 1000:g} mm" if um >= 1000 else f"{um:g} µm"


def as_code(words: str) -> Markup:
    """Words between backticks as code."""
    parts = [escape(part) for part in words.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if k % 2 else part for k, part in enumerate(parts)
    )


def joined(words: list[str]) -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else ""
