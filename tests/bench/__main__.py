"""Run the benchmark: `make bench`; `--quick` takes small images, `--page` only writes the page anew."""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import page
from bench.facts import environments, machine
from bench.measure import CACHE, ROOT, Outcome, run_row
from bench.rows import QUICK, Row, Sizes, rows

RESULTS = CACHE / "results.json"
DEMO = "xenium_breast_small"


def main(arguments: list[str]) -> int:
    """Run what is asked for; a row that fails says why in the page."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small images, the page goes to .cache/bench")
    parser.add_argument(
        "--page", action="store_true", help="run nothing, write the page from the last results"
    )
    parser.add_argument("--only", default="", help="run rows whose key contains this, keep the other results")
    asked = parser.parse_args(arguments)
    file = RESULTS.with_name("results-quick.json") if asked.quick else RESULTS
    results = (
        json.loads(file.read_text(encoding="utf-8")) if file.exists() and (asked.page or asked.only) else {}
    )
    sizes = QUICK if asked.quick else Sizes()
    if not asked.page:
        _run(results, sizes, file, asked.only, quick=asked.quick)
    folder = CACHE / "quick" if asked.quick else ROOT / "docs"
    page.write(
        folder, results, sizes, command="make bench" if not asked.quick else "make bench BENCH=--quick"
    )
    _say(f"bench: wrote {(folder / 'benchmarks.md').relative_to(ROOT)}")
    return 0


def _run(results: dict[str, Any], sizes: Sizes, file: Path, only: str, *, quick: bool) -> None:
    subprocess.run(
        [sys.executable, "-P", "-m", "isthmus", "fetch", DEMO], check=False, stdout=subprocess.DEVNULL
    )
    todo = [row for row in rows(sizes, quick=quick) if only in row.key]
    begin = time.monotonic()
    for number, row in enumerate(todo, start=1):
        outcome = _cheapest(row)
        results[row.key] = dataclasses.asdict(outcome)
        said = outcome.reason or f"{outcome.cpu_s:.1f} CPU s, {outcome.peak_mb:.0f} MB"
        _say(f"bench: {number} of {len(todo)}, {time.monotonic() - begin:.0f} s: {row.key}: {said}")
        results["about"] = {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
            "environments": environments(),
            "quick": quick,
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".partial")
        temporary.write_text(json.dumps(results, indent=1), encoding="utf-8")
        temporary.replace(file)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _cheapest(row: Row) -> Outcome:
    outcomes = [run_row(row.target, row.arguments, environment=row.environment) for _ in range(row.repeats)]
    good = [outcome for outcome in outcomes if not outcome.reason]
    return min(good, key=lambda one: one.values.get("core_cpu_s", one.cpu_s)) if good else outcomes[-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
