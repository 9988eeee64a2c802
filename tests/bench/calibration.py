"""Runs whose records the cost model is fitted to: `PYTHONPATH=workflow:tests python -P -m bench.calibration FOLDER`.

Generated tissue of several sizes, numbers of channels, block sizes and options, each run once with `isthmus run`; the
constants are fitted and written. What the plan says of a larger run, which is not among them, is then compared with
what that used.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tifffile
import yaml
from tissue import CHANNELS, PIXEL_SIZE_UM, GeneratedTissue

from bench.shard_memory import EDGES_PX, RULES, probe
from isthmus.blocks.grid import Region, Triple
from isthmus.launch.run import Run
from isthmus.plan.calibrate import Seen, calibrate
from isthmus.plan.model import read_plan, write_plan
from isthmus.plan.paths import RunPaths
from isthmus.report.resources import read_resources


@dataclass(frozen=True)
class Study:
    """One run: an image (z, y, x) of the first channels of generated tissue, its transcripts, and options.

    enlarged makes so many smaller pixels of one, (y, x) of a plane.
    """

    name: str
    shape: Triple
    n_channels: int = 4
    per_nucleus: int = 55
    seed: int = 1
    enlarged: int = 1
    cores: int = 2
    options: dict[str, Any] = field(default_factory=dict)


def _cut(block_px: int | list[int], **more: Any) -> dict[str, Any]:
    return {"execution": {"block_px": block_px, "keep_intermediates": True}, **more}


FITTED = (
    Study("small", (1, 1024, 1024), 2, cores=1, options=_cut(512)),
    Study("middle", (1, 2048, 2048), options=_cut(1024)),
    Study("large", (1, 4096, 4096), options=_cut(1024)),
    Study(
        "few_transcripts",
        (1, 3072, 4096),
        3,
        per_nucleus=8,
        seed=2,
        options=_cut(2048, segmentation={"basins": {"measure_diameter": True}}),
    ),
    Study(
        "wide_halo",
        (1, 2048, 2048),
        1,
        per_nucleus=150,
        seed=3,
        options=_cut(512, cells={"expand_um": 10.0}, segmentation={"basins": {"size_range": 2.0}}),
    ),
    Study("one_block", (1, 4096, 4096), 1, per_nucleus=20, seed=6, cores=1, options=_cut(4096)),
    Study("fine", (1, 1536, 1536), 2, per_nucleus=80, seed=5, enlarged=2, options=_cut(1024)),
    Study("volume", (32, 512, 512), 2, seed=4, options=_cut([32, 256, 256])),
)
"""What the constants come from."""

UNSEEN = Study("unseen", (1, 8192, 6144), 3, per_nucleus=30, seed=7, options=_cut(1024))
"""Three times as large as the largest of them, and no mixture of them."""


def write_study(study: Study, folder: Path) -> Path:
    """Write image, transcripts, sample sheet and configuration; returns the configuration's path."""
    folder.mkdir(parents=True)
    _write_image(study, folder / "image.ome.tif")
    _write_transcripts(study, folder / "transcripts.parquet")
    row = {"sample": study.name, "image": "image.ome.tif", "transcripts": "transcripts.parquet"}
    row |= {"pixel_size_um": str(PIXEL_SIZE_UM / study.enlarged), "z_step_um": str(PIXEL_SIZE_UM)}
    (folder / "samples.tsv").write_text("\t".join(row) + "\n" + "\t".join(row.values()) + "\n")
    options = {"samples": "samples.tsv", "results": "results", **study.options}
    (folder / "config.yaml").write_text(yaml.safe_dump(options))
    return folder / "config.yaml"


def _write_image(study: Study, path: Path) -> None:
    tissue = GeneratedTissue(study.seed, is_volume=study.shape[0] > 1)
    whole = Region((0, 0, 0), study.shape)
    pixels = np.stack([tissue.pixels(whole, channel) for channel in range(study.n_channels)])
    if study.enlarged > 1:
        pixels = pixels.repeat(study.enlarged, axis=2).repeat(study.enlarged, axis=3)
    axes = "CZYX" if study.shape[0] > 1 else "CYX"
    tifffile.imwrite(
        path,
        pixels if study.shape[0] > 1 else pixels[:, 0],
        ome=True,
        tile=(512, 512),
        compression="zlib",
        photometric="minisblack",
        metadata={"axes": axes, "Channel": {"Name": list(CHANNELS[: study.n_channels])}},
    )


def _write_transcripts(study: Study, path: Path) -> None:
    tissue = GeneratedTissue(study.seed)
    _, ny, nx = study.shape
    found = tissue.transcripts(Region((0, 0, 0), (1, ny, nx)), per_nucleus=study.per_nucleus)
    inside = (found["y"] >= 0) & (found["x"] >= 0) & (found["y"] < ny) & (found["x"] < nx)
    names = pa.array([f"gene_{number}" for number in range(int(found["gene"].max()) + 1)])
    made = {f"{axis}_um": pa.array(found[axis][inside] * PIXEL_SIZE_UM) for axis in ("x", "y")}
    if study.shape[0] > 1:
        made["z_um"] = pa.array(np.full(int(inside.sum()), study.shape[0] / 2 * PIXEL_SIZE_UM))
    gene = pa.DictionaryArray.from_arrays(pa.array(found["gene"][inside]), names)
    made["qv"] = pa.array(np.full(int(inside.sum()), 30.0, np.float32))
    pq.write_table(pa.table({**made, "gene": gene.cast(pa.string())}), path)


def run_study(config: Path, *, cores: int) -> Path:
    """Run it; returns the results folder."""
    command = [sys.executable, "-P", "-m", "isthmus", "run", config.name, "--cores", str(cores)]
    done = subprocess.run(command, cwd=config.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"isthmus run: {(done.stderr or done.stdout).strip()}")
    return config.parent / "results"


def probes() -> list[Seen]:
    """Memory of workers by the size of shards."""
    return [
        Seen("fixed_mb", rule, {"worker": 1.0, piece: edge * edge / 1e6}, probe(rule, edge))
        for rule, piece in RULES.items()
        for edge in EDGES_PX
    ]


def used_by_rule(results: Path) -> dict[str, tuple[float, float]]:
    """CPU seconds of all jobs of each rule, and MB of its largest job."""
    used: dict[str, tuple[float, float]] = {}
    for row in read_resources(RunPaths(results)):
        cpu_s, memory_mb = used.get(row["rule"], (0.0, 0.0))
        used[row["rule"]] = (cpu_s + row["cpu_s"], max(memory_mb, row["max_rss_mb"]))
    return used


def compare_unseen(results: Path) -> Iterator[str]:
    """What the plan foresaw for a run, and what it used: one line a rule, and the sums."""
    plan = read_plan(RunPaths(results).plan)
    used = used_by_rule(results)
    for rule, (cpu_s, memory_mb) in used.items():
        needs = plan.rules[rule]
        yield (
            f"{rule:20} CPU s {needs.cpu_hours * 3600:7.1f} planned {cpu_s:7.1f} used   "
            f"MB {needs.memory_mb:6d} planned {memory_mb:6.0f} used   {needs.memory_mb / memory_mb:.2f}"
        )
    planned_s = 3600 * sum(needs.cpu_hours for needs in plan.rules.values())
    used_s = sum(cpu_s for cpu_s, _ in used.values())
    yield f"CPU s {planned_s:.0f} planned, {used_s:.0f} used: {planned_s / used_s:.2f}"


def main(folder: Path, *, only_memory: bool) -> None:
    """Run all that have not been run yet, fit, and compare."""
    for study in (*FITTED, UNSEEN):
        place = folder / study.name
        if (place / "results" / "report.html").exists():
            continue
        config = place / "config.yaml"
        run_study(config if config.exists() else write_study(study, place), cores=study.cores)
        print(f"{study.name} done", flush=True)  # noqa: T201
    calibrate([folder / study.name / "results" for study in FITTED], probes(), only_memory=only_memory)
    for line in compare_unseen(_planned_anew(folder / UNSEEN.name)):
        print(line)  # noqa: T201


def _planned_anew(place: Path) -> Path:
    """The plan of a study, with the constants as they are now; returns its results folder."""
    results = place / "results"
    files, cores = [place / "config.yaml"], UNSEEN.cores
    plan = Run.from_files(files, overrides={"results": str(results)}, cores=cores).plan
    write_plan(plan, results / "plan.json")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="PYTHONPATH=workflow:tests python -P -m bench.calibration")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the runs are, or will be")
    parser.add_argument("--only-memory", action="store_true", help="on a machine that does other things too")
    given = parser.parse_args()
    main(given.folder.resolve(), only_memory=given.only_memory)
