"""Transcripts in any order, in an image cut anywhere: each gets the cell of its pixel, and each is counted once."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from isthmus.blocks.grid import Grid, Region
from isthmus.quantify.counts import count_points
from isthmus.readers.points import canonical_batches
from isthmus.steps import import_transcripts
from isthmus.steps.import_transcripts import bin_transcripts
from isthmus.tables.counts import merge_counts
from isthmus.tables.transcripts import Assignment, note_states, with_cells

STEP_UM = (2.0, 0.5, 0.25)
MIN_QV = 20.0
SHAPES = st.one_of(
    st.tuples(st.just(1), st.integers(1, 700), st.integers(1, 700)),
    st.tuples(st.integers(2, 4), st.integers(1, 300), st.integers(1, 300)),
    st.just((66, 5, 260)),
)


def _labels(shape, seed):
    """Cells of three by five pixels and their nuclei; every fourth place is empty. Ids are far from 1..n."""
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    number = (z // 2 * 1000 + y // 3) * 1000 + x // 5
    cells = np.where((number * 7919 + seed) % 4 == 0, 0, number * 3 + 1)
    nuclei = np.where((y % 3 == 1) & (x % 5 < 3), cells, 0)
    return cells.astype(np.int64), nuclei.astype(np.int64)


def _rows(random, n, shape, n_genes, *, ordered):
    """Pixels, some of them beyond the image, half of them on borders and some in one place; genes; qualities."""
    pixel = np.column_stack([random.integers(-1, length + 1, n) for length in shape]).astype(np.float64)
    pixel += np.where(random.random((n, 3)) < 0.5, 0.0, random.random((n, 3)))
    pixel[: n // 6] = pixel[:1]
    if ordered:
        pixel = pixel[np.lexsort(pixel.T)]
    qv = random.choice(np.array([10.0, 20.0, 30.0, np.nan]), n)
    return pixel, random.integers(0, n_genes, n), qv


def _numbers(labels, ids):
    return np.where(labels > 0, np.searchsorted(ids, labels) + 1, 0).astype(np.int32)


@given(
    shape=SHAPES,
    block_px=st.tuples(st.integers(1, 70), st.integers(60, 700), st.integers(60, 700)),
    n=st.integers(0, 120),
    n_genes=st.sampled_from([1, 3, 40]),
    has_qv=st.booleans(),
    has_z=st.booleans(),
    sizes=st.tuples(st.integers(1, 50), st.integers(1, 60)),
    ordered=st.booleans(),
    seed=st.integers(0, 9),
)
def test_any_order_and_any_blocks_give_what_plain_counting_gives(
    shape, block_px, n, n_genes, has_qv, has_z, sizes, ordered, seed
):
    random = np.random.default_rng(seed)
    cells, nuclei = _labels(shape, seed)
    pixel, genes, qv = _rows(random, n, shape, n_genes, ordered=ordered)
    columns = {name: pixel[:, axis] * STEP_UM[axis] for axis, name in ((2, "x_um"), (1, "y_um"))}
    columns |= {"z_um": pixel[:, 0] * STEP_UM[0]} if has_z else {}
    columns |= {"gene": pa.array([f"g{gene}" for gene in genes], pa.string())}
    columns |= {"qv": qv} if has_qv else {}

    with tempfile.TemporaryDirectory() as folder:
        found = _run(Path(folder), columns, cells, nuclei, block_px, sizes)
    ids, names, merged, rows = found

    counts: Counter[tuple[int, str, int]] = Counter()
    low: Counter[int] = Counter()
    for k in range(n):
        at = [int(v) for v in np.floor(pixel[k])]
        if shape[0] == 1 or not has_z:
            at[0] = 0
        inside = all(0 <= v < length for v, length in zip(at, shape, strict=True))
        cell = int(cells[tuple(at)]) if inside else 0
        part = 0 if not cell else 1 if nuclei[tuple(at)] else 2
        assert (rows[0][k], rows[1][k], rows[2][k]) == (cell, part, inside)
        if cell and has_qv and not qv[k] >= MIN_QV:
            low[cell] += 1
        elif cell:
            counts[cell, f"g{genes[k]}", part] += 1
    assert merged.n_low_quality.tolist() == [low[i] for i in ids.tolist()]
    seen: Counter[tuple[int, str, int]] = Counter()
    for k, cell in enumerate(ids.tolist()):
        for entry in range(merged.start[k], merged.start[k + 1]):
            for column, part in ((0, 2), (1, 1)):
                if merged.counts[entry, column]:
                    seen[cell, names[merged.feature[entry]], part] += int(merged.counts[entry, column])
    assert seen == counts


def _run(folder, columns, cells, nuclei, block_px, sizes):
    """Ids, names of features, merged counts, and (ids, compartments, inside) of all rows."""
    batch_rows, run_rows = sizes
    shape = cells.shape
    whole = Region((0, 0, 0), shape)
    sample = SimpleNamespace(
        shape=(1, *shape),
        points_shape=shape,
        points_window=whole,
        affine=(STEP_UM[2], 0.0, 0.0, 0.0, STEP_UM[1], 0.0),
        z_step_um=STEP_UM[0],
        plane_step_um=None,
    )

    def batches():
        table = pa.RecordBatch.from_pydict(columns)
        return canonical_batches(lambda n: iter([table]), "table", batch_rows)

    before, import_transcripts.RUN_ROWS = import_transcripts.RUN_ROWS, run_rows
    try:
        (folder / "points").mkdir()
        tally = bin_transcripts(batches(), sample, folder / "points")
    finally:
        import_transcripts.RUN_ROWS = before
    grid, blocks = Grid(shape, block_px), []
    for index in range(grid.n_blocks):
        write = grid.block(index).write
        part = cells[write.slices]
        ids = np.unique(part[part > 0])
        numbers = _numbers(part, ids), _numbers(nuclei[write.slices], ids)
        found = count_points(
            folder / "points", write, *numbers, ids, n_features=len(tally.codes), min_qv=MIN_QV
        )
        blocks.append((write, found))
    ids = np.unique(cells[cells > 0])
    place = np.arange(len(tally.codes), dtype=np.int32)
    merged = merge_counts((record for _, record in blocks), ids=ids, place=place)
    note_states(folder / "states", folder / "points", reversed(blocks), ids)
    assignment = Assignment(folder / "states", folder / "points", ids, tally.n_rows)
    made = [rows for _, rows in with_cells(batches(), assignment)]
    joined = [
        np.concatenate([getattr(rows, name) for rows in made] or [np.empty(0)])
        for name in ("instance_id", "compartment", "inside")
    ]
    return ids, list(tally.codes), merged, joined
