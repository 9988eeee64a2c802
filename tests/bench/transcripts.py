"""Cost of transcripts from the vendor's Parquet file to the table and to transcripts.parquet, on generated data.

    PYTHONPATH=workflow .venv/bin/python tests/bench/transcripts.py [--rows 10000000] [--genes integer]

A label image of 8192 x 8192 pixels with 132,496 cells and their nuclei; transcripts anywhere, 500 genes, single
precision, in the order of the instrument's tiles (or none), in a Parquet file as pyarrow writes it. Each stage runs in
a process of its own, as its job does, on one core; CPU seconds are the least of several repeats, after one that loads
the kernels; memory is the most that the process ever held, and in brackets what it held before it began. Labels are in
memory as blocks of 1024 x 1024 pixels, as the second pass has them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SIZE_PX, BLOCK_PX, PIXEL_UM = 8192, 1024, 0.2125
N_GENES, MIN_QV = 500, 20.0
LATTICE = 364  # cells along an axis
TILE_UM = 108.8  # the instrument's tiles: 512 pixels
BATCH = 1 << 20
STAGES = ("bin", "count", "join", "give")
WHAT = {
    "bin": "read the Parquet file, bin by place",
    "count": "assign and count, block by block, from the binned runs",
    "join": "add up the blocks' counts, make the matrices",
    "give": "cells in the order of the input, transcripts.parquet written",
}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "ARROW_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def make_labels(folder: Path) -> None:
    """Cells and nuclei as discs on a shaken lattice, one file a block: numbers of cells, then of nuclei."""
    random = np.random.default_rng(1)
    labels = np.zeros((2, SIZE_PX, SIZE_PX), dtype=np.int32)
    y, x = np.ogrid[-10:11, -10:11]
    discs = y * y + x * x <= 100, y * y + x * x <= 30
    centres = (np.arange(LATTICE) + 0.5) * SIZE_PX / LATTICE
    shaken = centres[:, np.newaxis] + random.uniform(-3, 3, (2, LATTICE, LATTICE))
    places = np.clip([shaken[0], shaken[1].T], 10, SIZE_PX - 11).astype(int).reshape(2, -1).T
    for number, (row, column) in enumerate(places, start=1):
        box = (slice(row - 10, row + 11), slice(column - 10, column + 11))
        cell, nucleus = labels[0][box], labels[1][box]
        cell[discs[0] & (cell == 0)] = number
        nucleus[discs[1] & (cell == number)] = number
    for index, (a, b) in enumerate(np.ndindex(*(2 * (SIZE_PX // BLOCK_PX,)))):
        block = labels[:, a * BLOCK_PX : (a + 1) * BLOCK_PX, b * BLOCK_PX : (b + 1) * BLOCK_PX]
        np.save(folder / f"labels-{index}.npy", block)


def make_table(path: Path, n_rows: int, order: str, genes: str) -> None:
    """Write the vendor's table, a part at a time."""
    random = np.random.default_rng(2)
    size_um = SIZE_PX * PIXEL_UM
    names = pa.array([f"GENE{k:04d}" for k in range(N_GENES)])
    across = int(np.ceil(size_um / TILE_UM))
    boxes = [(0.0, 0.0, size_um)]
    if order == "tiled":
        boxes = [(a * TILE_UM, b * TILE_UM, TILE_UM) for a in range(across) for b in range(across)]
    bounds = np.linspace(0, n_rows, len(boxes) + 1).astype(int)
    writer = None
    for (low_y, low_x, side), n in zip(boxes, np.diff(bounds).tolist(), strict=True):
        for start in range(0, n, BATCH):
            m = min(BATCH, n - start)
            y, x = (
                np.minimum(low + random.random(m) * side, size_um * 0.99999).astype(np.float32)
                for low in (low_y, low_x)
            )
            codes = pa.array((random.random(m) ** 2 * N_GENES).astype(np.int32))
            gene = codes if genes == "integer" else pa.DictionaryArray.from_arrays(codes, names)
            qv = (random.integers(60, 400, m) / 10).astype(np.float32)
            table = pa.table({"x_location": x, "y_location": y, "feature_name": gene, "qv": qv})
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
    if writer:
        writer.close()


def stage(name: str, folder: Path) -> Callable[[], Any]:
    """What a stage's job does, to be run again and again."""
    from isthmus.blocks.arrays import arrays_from_bytes, arrays_to_bytes
    from isthmus.blocks.grid import Grid, Region
    from isthmus.quantify.counts import count_points
    from isthmus.readers.points import open_points
    from isthmus.steps.import_transcripts import BATCH_ROWS, bin_transcripts
    from isthmus.tables.agreement import TranscriptTally
    from isthmus.tables.counts import alphabetical, count_tables, merge_counts
    from isthmus.tables.transcripts import Assignment, TranscriptWriter, note_states, with_cells

    shape = (1, SIZE_PX, SIZE_PX)
    grid, whole = Grid(shape, (1, BLOCK_PX, BLOCK_PX)), Region((0, 0, 0), shape)
    ids = np.arange(1, LATTICE**2 + 1)
    part = open_points(folder / "table.parquet", where="bench")
    points, note = folder / "points", folder / "points.json"
    records = [folder / f"record-{index}" for index in range(grid.n_blocks)]

    def bin_() -> None:
        shutil.rmtree(points, ignore_errors=True)
        points.mkdir()
        sample = SimpleNamespace(
            shape=(1, *shape),
            points_shape=shape,
            points_window=whole,
            affine=(PIXEL_UM, 0.0, 0.0, 0.0, PIXEL_UM, 0.0),
            z_step_um=1.0,
            plane_step_um=None,
        )
        tally = bin_transcripts(part.batches(BATCH_ROWS), sample, points)  # type: ignore[arg-type]
        note.write_text(json.dumps({"genes": list(tally.codes), "n_rows": tally.n_rows}))

    def count() -> float:
        spent = 0.0
        for index, path in enumerate(records):
            cells, nuclei = np.load(folder / f"labels-{index}.npy")[:, np.newaxis]
            here = np.unique(cells[cells > 0]).astype(np.int64)
            number = np.zeros(ids.size + 1, dtype=np.int32)
            number[here] = np.arange(1, here.size + 1)
            cells, nuclei = number[cells], number[nuclei]
            start = time.process_time()
            found = count_points(
                points,
                grid.block(index).write,
                cells,
                nuclei,
                here,
                n_features=N_GENES,
                min_qv=MIN_QV,
            )
            spent += time.process_time() - start
            path.write_bytes(arrays_to_bytes(found))
        return spent

    def read() -> Iterator[dict[str, Any]]:
        for path in records:
            yield arrays_from_bytes(path.read_bytes())

    def join() -> int:
        genes = json.loads(note.read_text())["genes"]
        merged = merge_counts(read(), ids=ids, place=alphabetical(genes))
        tables = count_tables(merged, features=genes, control_patterns=(), index=ids)  # type: ignore[arg-type]
        return int(tables.counts.sum())

    def give() -> None:
        facts = json.loads(note.read_text())
        shutil.rmtree(folder / "states", ignore_errors=True)
        regions = [grid.block(index).write for index in range(grid.n_blocks)]
        note_states(folder / "states", points, zip(regions, read(), strict=True), ids)
        assignment = Assignment(folder / "states", points, ids, facts["n_rows"])
        writer = TranscriptWriter(folder / "transcripts.parquet")
        tally = TranscriptTally(controls=frozenset(), min_qv=MIN_QV)
        for batch, rows in with_cells(part.batches(BATCH_ROWS), assignment):
            writer.write(batch)
            tally.add(batch, rows.compartment, rows.inside)
        writer.finish()

    return {"bin": bin_, "count": count, "join": join, "give": give}[name]


def run_stage(name: str, folder: Path, repeats: int) -> None:
    """Run a stage in this process and print what it took."""
    work = stage(name, folder)
    before = _most_mb()
    work()
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        alone = work()
        spent.append(alone if name == "count" else time.process_time() - start)
    print(json.dumps({"cpu_s": min(spent), "memory_mb": _most_mb(), "before_mb": before}))  # noqa: T201


def _most_mb() -> float:
    # Not what the system counts of this process from its parent on (ru_maxrss).
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Measure all stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--order", nargs="+", choices=("tiled", "random"), default=["tiled", "random"])
    parser.add_argument("--genes", choices=("dictionary", "integer"), default="dictionary")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--stage", nargs=2, metavar=("STAGE", "FOLDER"), help="only this, in this process")
    options = parser.parse_args()
    if options.stage:
        run_stage(options.stage[0], Path(options.stage[1]), options.repeats)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_labels(folder)
        for order in options.order:
            make_table(folder / "table.parquet", options.rows, order, options.genes)
            _say(f"{options.rows:,} transcripts, order {order}, genes as {options.genes}")
            for step in STAGES:
                command = [sys.executable, __file__, "--stage", step, name, "--repeats", str(options.repeats)]
                done = subprocess.run(
                    command, capture_output=True, text=True, env=os.environ | ONE_THREAD, check=False
                )
                if done.returncode:
                    sys.exit(done.stderr)
                found = json.loads(done.stdout)
                memory = f"{found['memory_mb']:6.0f} MB ({found['before_mb']:.0f})"
                _say(f"  {found['cpu_s']:6.2f} CPU s  {memory}  {WHAT[step]}")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
