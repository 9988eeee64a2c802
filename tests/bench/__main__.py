"""Run the benchmark: `make bench`; `--quick` takes small images, `--only` some rows, `--page` only writes the page."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import about, page
from bench.facts import environments, machine
from bench.measure import CACHE, ROOT, Outcome, run_row
from bench.rows import QUICK, Row, Sizes, rows, select

RESULTS = CACHE / "results.json"
DEMO = "xenium_breast_small"


def main(arguments: list[str]) -> int:
    """Run what is asked for; a row that fails says why in the page."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small images, the page goes to .cache/bench")
    parser.add_argument(
        "--page", action="store_true", help="run nothing, write the page from the last results"
    )
    parser.add_argument(
        "--only",
        default="",
        help="run rows whose name contains this and what they need; all other results stay (--list names them)",
    )
    parser.add_argument("--list", action="store_true", help="print the names of the rows and run nothing")
    asked = parser.parse_args(arguments)
    sizes = QUICK if asked.quick else Sizes()
    todo = select(rows(sizes), asked.only)
    if asked.list:
        _say("\n".join(row.key for row in todo))
        return 0
    if not todo:
        parser.error(f"no row's name contains {asked.only!r}; --list prints them")
    file = RESULTS.with_name("results-quick.json") if asked.quick else RESULTS
    kept = asked.page or asked.only
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() and kept else {}
    if not asked.page:
        _run(results, todo, file, asked)
    _write_page(results, sizes, asked)
    return 0


def _write_page(results: dict[str, Any], sizes: Sizes, asked: argparse.Namespace) -> None:
    """The page in docs/ is of large images: of a run that ended, or of what there is where the page is asked for."""
    is_shown = not asked.quick and (asked.page or "whole" in results.get("about", {}))
    folder = ROOT / "docs" if is_shown else CACHE / ("quick" if asked.quick else "part")
    page.write(folder, results, sizes)
    if asked.only:
        _say(about.measured_now(results, sizes))
    _say(f"bench: wrote {(folder / 'benchmarks.md').relative_to(ROOT)}")


def _run(results: dict[str, Any], todo: list[Row], file: Path, asked: argparse.Namespace) -> None:
    subprocess.run(
        [sys.executable, "-P", "-m", "isthmus", "fetch", DEMO], check=False, stdout=subprocess.DEVNULL
    )
    noted = results.setdefault("about", {})
    begin = time.monotonic()
    for number, row in enumerate(todo, start=1):
        load = round(os.getloadavg()[0], 2)
        outcome = _cheapest(row, 1 if asked.quick else row.repeats)
        results[row.key] = dataclasses.asdict(outcome) | {"load": load}
        said = outcome.reason or f"{outcome.cpu_s:.1f} CPU s, {outcome.peak_mb:.0f} MB"
        _say(f"bench: {number} of {len(todo)}, {time.monotonic() - begin:.0f} s: {row.key}: {said}")
        noted |= {"machine": machine(), "environments": environments(), "quick": asked.quick}
        _note(noted, asked.only, ended=number == len(todo), minutes=(time.monotonic() - begin) / 60)
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".partial")
        temporary.write_text(json.dumps(results, indent=1), encoding="utf-8")
        temporary.replace(file)


def _note(noted: dict[str, Any], only: str, *, ended: bool, minutes: float) -> None:
    """Note which commands the results come from."""
    date = datetime.now(UTC).date().isoformat()
    if only:
        noted.setdefault("parts", {})[only] = date
    else:
        noted.pop("unfinished", None)
        noted["whole" if ended else "unfinished"] = {"date": date, "minutes": round(minutes, 1)}


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _cheapest(row: Row, repeats: int) -> Outcome:
    outcomes = [run_row(row.target, row.arguments, environment=row.environment) for _ in range(repeats)]
    good = [outcome for outcome in outcomes if not outcome.reason]
    return min(good, key=lambda one: one.values.get("core_cpu_s", one.cpu_s)) if good else outcomes[-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
