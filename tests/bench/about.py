"""How the numbers of the page came about, and what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.figures import Figures
from bench.rows import Sizes
from bench.text import number, table


def measured_now(results: dict[str, Any], sizes: Sizes) -> str:
    """What was asked, as far as there are results: for those who ran a part."""
    return table(_HEAD, [row for row in _rows(Figures(results, sizes)) if row[3] != "-"])


def about(results: dict[str, Any], f: Figures) -> dict[str, str]:
    """What the head of the page says of how the numbers came about."""
    noted, load = results.get("about", {}), f.load()
    options = ["--quick"] if noted.get("quick") else []
    said = [
        f"on {run['date']} by {_command(options)}{end} {run['minutes']:g} minutes"
        for name, end in (("whole", " in"), ("unfinished", ", which was stopped after"))
        if (run := noted.get(name))
    ]
    said += [
        f"rows that contain *{only}* on {date} by {_command([*options, f'--only {only}'])}"
        for only, date in noted.get("parts", {}).items()
    ]
    small = " These are small images: a trial of the benchmark, not a result." if noted.get("quick") else ""
    return {
        "measured": "; ".join(said) or "never as a whole",
        "small": small,
        "machine": noted.get("machine", "unknown machine"),
        "load": f"{load[0]:g} in the median, {load[1]:g} at most" if load else "unknown",
    }


def _command(options: Sequence[str]) -> str:
    joined = " ".join(options)
    quoted = f'"{joined}"' if " " in joined else joined
    return f"`make bench BENCH={quoted}`" if options else "`make bench`"


_HEAD = ("figure", "goal", "measured", "met")


def asked(f: Figures) -> str:
    return "## What was asked\n\n" + table(_HEAD, _rows(f))


def _rows(f: Figures) -> list[list[str]]:
    rows = []
    for name, goal, value, digits in f.asked():
        met = "-" if value is None else ("yes" if goal.met(value) else "**no**")
        rows.append([name, goal.text, number(value, digits), met])
    return rows
