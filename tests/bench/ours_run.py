"""A whole run of the product, `isthmus run`, as users start it: what each rule cost."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path
from typing import Any

from bench.data import facts_of, folder_of
from bench.measure import ROOT

CORE = ("segment_pack", "stitch_labels", "quantify_pack", "build_table", "build_outlines")


def tissue(scratch: Path, image: str, block_px: int) -> dict[str, Any]:
    """Run on a stored image and its transcripts, one worker."""
    store = folder_of(image) / "image.ome.zarr"
    size = facts_of(image)["pixel_size_um"]
    columns = {
        "sample": "tissue",
        "image": str(store),
        "transcripts": str(folder_of(image) / "transcripts.parquet"),
    }
    columns |= {"pixel_size_um": str(size), "origin_x_um": "0", "origin_y_um": "0"}
    lines = ["\t".join(columns), "\t".join(columns.values())]
    (scratch / "samples.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = f"samples: samples.tsv\nexecution:\n  block_px: {block_px}\n"
    (scratch / "config.yaml").write_text(config, encoding="utf-8")
    return _run(scratch, scratch / "config.yaml")


def demo(scratch: Path) -> dict[str, Any]:
    """The demo of imaging transcriptomics, its data fetched before."""
    return _run(scratch, ROOT / "config" / "imaging_transcriptomics.yaml")


def _run(scratch: Path, config: Path) -> dict[str, Any]:
    results = scratch / "results"
    command = ["isthmus", "run", str(config), "--cores", "1", "--set", f"results={results}"]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"isthmus run: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    with (results / "metrics" / "resources.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    phases: dict[str, float] = {}
    for row in rows:
        phases[row["rule"]] = phases.get(row["rule"], 0.0) + float(row["cpu_s"])
    return {
        "phases": phases,
        "core_cpu_s": sum(phases.get(rule, 0.0) for rule in CORE),
        "worker_mb": max(float(row["max_rss_mb"]) for row in rows),
    }
