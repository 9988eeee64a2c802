"""CPU time and memory of both passes over a generated image, disk included, and what is lost between codec and result.

    python tests/bench/io_path.py --side 4096 [--channels 4] [--block 1024] [--folder FOLDER]

The steps run as jobs run them: segment_pack and quantify_pack with one worker, stitch_labels. Printed are: CPU seconds
of the workers' blocks, and of the processes around them; megapixels a CPU second; the largest memory of a worker; then,
block by block in this process, how much of that is reading, writing and records; and the codec limit: the time to
decode all channels and to encode nuclei and cells once, without anything else.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tissue import GeneratedTissue

from isthmus.blocks.grid import Grid
from isthmus.image.affine import Affine
from isthmus.image.ome_zarr import Level, create_level, write_image_metadata
from isthmus.launch.run import Run
from isthmus.packs.journal import WrittenFile
from isthmus.packs.memory import keep_freed_memory
from isthmus.quantify.block import quantify_block
from isthmus.segment.block import compute_function
from isthmus.segment.record import BlockRecord
from isthmus.steps import quantify_pack, segment_pack
from isthmus.steps.job import Job
from isthmus.steps.stitch_labels import stitch_labels
from isthmus.steps.survey_image import survey_image

PIXEL_UM = 0.5
TILE = (1, 1024, 1024)


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def make_study(folder: Path, side: int, channels: int, block: int) -> None:
    """An image of GeneratedTissue in its final place, its histograms, a transcript, and the plan."""
    grid = Grid((1, side, side), TILE)
    image = folder / "out" / "a" / "image.ome.zarr"
    level = create_level(
        image / "0",
        shape=grid.shape,
        dtype=np.dtype(np.uint16),
        chunk=(1, 256, 256),
        shard=TILE,
        n_channels=channels,
    )
    tissue, histograms = GeneratedTissue(), np.zeros((channels, 65_536), dtype=np.int64)
    brightness = np.zeros((channels, grid.n_blocks), dtype=np.int64)
    for channel in range(channels):
        for index in range(grid.n_blocks):
            write = grid.block(index).write
            pixels = tissue.pixels(write, channel)
            level.write(write, pixels, channel)
            histograms[channel] += np.bincount(pixels.reshape(-1), minlength=65_536)
            brightness[channel, index] = pixels.sum()
    write_image_metadata(
        image,
        name="a",
        is_volume=False,
        factors=[(1, 1, 1)],
        affine=Affine.from_size(PIXEL_UM),
        z_step_um=1.0,
        channels=[f"c{k}" for k in range(channels)],
    )
    work = folder / "out" / "work" / "a"
    work.mkdir(parents=True)
    np.savez(work / "histograms.npz", histograms=histograms, brightness=brightness)
    (folder / "transcripts.csv").write_text("x_um,y_um,gene\n1.0,1.0,one\n")
    (folder / "samples.tsv").write_text(
        "sample\timage\ttranscripts\na\tout/a/image.ome.zarr\ttranscripts.csv\n"
    )
    options = {"samples": "samples.tsv", "results": "out", "execution": {"block_px": block, "packs": 1}}
    (folder / "config.yaml").write_text(yaml.safe_dump(options))


@contextmanager
def job(folder: Path, rule: str, pack: str = "") -> Iterator[Job]:
    """A job's surroundings without its log."""
    made = Job(
        rule,
        results=str(folder / "out"),
        log_file=str(folder / "log"),
        outputs=[],
        sample="a",
        pack=pack,
    )
    yield made


def run_pack(folder: Path, rule: str) -> float:
    """One pack with one worker; CPU seconds of the process around it."""
    step = {"segment_pack": segment_pack.segment_pack, "quantify_pack": quantify_pack.quantify_pack}[rule]
    before = time.process_time()
    with job(folder, rule, "1-of-1") as made:
        step(made, workers=1)
    return time.process_time() - before


def run_steps(folder: Path, mpix: float) -> dict[str, float]:
    """Both passes and stitching; CPU seconds of each part."""
    run = Run.from_files([folder / "config.yaml"], overrides={}, cores=1, cwd=folder)
    # The sample has no points for this: counting transcripts is another measurement.
    sample = run.plan.samples["a"].model_copy(update={"has_points": False})
    run.__dict__["plan"] = run.plan.model_copy(update={"samples": {"a": sample}})
    run.begin()
    spent: dict[str, float] = {}
    with job(folder, "survey_image") as made:
        survey_image(made)
    for rule in ("segment_pack", "quantify_pack"):
        # A process of its own, as a job is: what workers are forked from has loaded the kernels of one step.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            spent[f"{rule}, process around"] = process.submit(run_pack, folder, rule).result()
        with job(folder, rule, "1-of-1") as made:
            pass
        entries = [
            json.loads(line)
            for path in made.sample_paths.journal(rule).glob("*.jsonl")
            for line in path.read_text().splitlines()
        ]
        spent[f"{rule}, worker"] = sum(entry["cpu_s"] for entry in entries)
        rss = sorted(entry["max_rss_mb"] for entry in entries)
        records = sum(entry["size"] for entry in entries)
        say(
            f"{rule}: largest memory of the worker {rss[-1]:.1f} MB; records {records / mpix / 1e3:.1f} kB/MPix"
        )
        if rule == "segment_pack":
            before = time.process_time()
            with job(folder, "stitch_labels") as stitching:
                stitch_labels(stitching)
            spent["stitch_labels"] = time.process_time() - before
    run.end()
    return spent


def profile_blocks(folder: Path, n_blocks: int) -> None:
    """Where the time of blocks goes, in this process."""
    keep_freed_memory()  # as a worker does
    spent: dict[str, float] = defaultdict(float)

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            began = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent[name] += time.process_time() - began

        return wrapper

    for owner, name in ((Level, "read"), (Level, "write"), (WrittenFile, "of"), (BlockRecord, "to_bytes")):
        bound = getattr(owner, name)
        made = timed(name, bound)
        setattr(owner, name, staticmethod(made) if hasattr(bound, "__self__") else made)
    for rule in ("segment_pack", "quantify_pack"):
        with job(folder, rule, "1-of-1") as made:
            grid, root = made.sample.grid, made.paths.root
            if rule == "segment_pack":
                compute = compute_function(segment_pack.segment_job(made))
            else:
                work = quantify_pack.quantify_job(made)
                compute = lambda index, work=work: quantify_block(work, index)  # noqa: E731
            chosen = list(range(grid.n_blocks))[-n_blocks:]
            compute(chosen[0])
            best: dict[str, float] = {}
            for _ in range(3):
                spent.clear()
                began = time.process_time()
                for index in chosen:
                    for file in compute(index).files:
                        if file.exists():
                            WrittenFile.of(root, file)
                spent["all"] = time.process_time() - began
                if not best or spent["all"] < best["all"]:
                    best = dict(spent)
        mpix = sum(grid.block(b).write.size for b in chosen) / 1e6
        parts = ", ".join(f"{name} {1e3 * value / mpix:.2f}" for name, value in sorted(best.items()))
        say(f"{rule}, ms/MPix in {len(chosen)} blocks: {parts}")


def worker_start() -> None:
    """CPU seconds of a fresh process that imports what a worker needs and runs every kernel once, caches warm."""
    for room in ("segment", "quantify"):
        code = f"import isthmus.{room}.block, isthmus.{room}.warm, time; print(time.process_time())"
        words = [sys.executable, "-P", "-c", code]
        took = [
            float(subprocess.run(words, capture_output=True, text=True, check=True).stdout) for _ in range(4)
        ]
        say(f"start of a worker, {room}: {min(took):.2f} CPU s")


def codec_limit(folder: Path, mpix: float) -> float:
    """CPU seconds to decode each channel once and to encode nuclei and cells once, whole shards."""
    image = Level.open(folder / "out/a/image.ome.zarr/0", is_volume=False, has_channels=True)
    n_channels, height, width = image.array.shape
    grid = Grid((1, height, width), TILE)
    began = time.process_time()
    for channel in range(n_channels):
        for index in range(grid.n_blocks):
            image.read(grid.block(index).write, channel)
    decode = time.process_time() - began
    encode = 0.0
    for name in ("nuclei", "cells"):
        labels = Level.open(
            folder / f"out/a/image.ome.zarr/labels/{name}/0", is_volume=False, has_channels=False
        )
        target = create_level(
            folder / f"limit_{name}",
            shape=grid.shape,
            dtype=labels.array.dtype,
            chunk=(1, 256, 256),
            shard=TILE,
        )
        for index in range(grid.n_blocks):
            write = grid.block(index).write
            pixels = labels.read(write)
            began = time.process_time()
            target.write(write, pixels)
            encode += time.process_time() - began
    say(f"codec limit, ms/MPix: decode {1e3 * decode / mpix:.2f}, encode {1e3 * encode / mpix:.2f}")
    return decode + encode


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--block", type=int, default=1024)
    parser.add_argument("--folder", type=Path, help="where to work; it is kept")
    parser.add_argument("--memory-only", action="store_true", help="only run the steps")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (asked.folder or Path(temporary)).resolve()
        if not (folder / "config.yaml").exists():
            make_study(folder, asked.side, asked.channels, asked.block)
        mpix = asked.side**2 / 1e6
        spent = run_steps(folder, mpix)
        for name, seconds in spent.items():
            say(f"{name}: {seconds:.2f} CPU s, {1e3 * seconds / mpix:.2f} ms/MPix")
        blocks = spent["segment_pack, worker"] + spent["quantify_pack, worker"] + spent["stitch_labels"]
        say(f"both passes and stitching: {mpix / blocks:.1f} MPix per CPU s")
        say(f"stitching: {100 * spent['stitch_labels'] / spent['segment_pack, worker']:.1f} % of pass 1")
        if not asked.memory_only:
            limit = codec_limit(folder, mpix)
            say(
                f"codec limit: {mpix / limit:.1f} MPix per CPU s; the run is at {100 * limit / blocks:.1f} % of it"
            )
            profile_blocks(folder, 4)
            worker_start()


if __name__ == "__main__":
    main()
