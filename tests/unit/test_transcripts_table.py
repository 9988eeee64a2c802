"""transcripts.parquet keeps the rows of the input, in its order, with their cells."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isthmus.errors import UserError
from isthmus.tables.transcripts import TranscriptWriter, scatter, with_cells


def _batches(n, sizes):
    start = 0
    for size in sizes:
        rows = range(start, start + size)
        # Each batch has a dictionary of its own, as readers make them.
        genes = pa.array([f"gene{r % 3 + start % 2}" for r in rows], pa.string()).dictionary_encode()
        yield pa.RecordBatch.from_pydict(
            {"x_um": pa.array([r / 2 for r in rows], pa.float64()), "gene": genes}
        )
        start += size
    assert start == n


def _record(rows, ids, parts):
    return {
        "point_row": np.array(rows, dtype=np.int64),
        "point_id": np.array(ids, dtype=np.int64),
        "point_compartment": np.array(parts, dtype=np.uint8),
    }


def test_rows_keep_their_order_and_number(tmp_path):
    records = [_record([9, 2], [70_000_000_000, 4], [2, 1]), _record([], [], []), _record([0], [4], [2])]
    assignment = scatter(tmp_path / "assignment", 10, records)
    writer = TranscriptWriter(tmp_path / "out" / "transcripts.parquet")
    for batch in with_cells(_batches(10, [3, 0, 6, 1]), assignment):
        writer.write(batch)
    assert not (tmp_path / "out" / "transcripts.parquet").exists()
    writer.finish()
    table = pq.read_table(tmp_path / "out" / "transcripts.parquet")
    assert table.column_names == ["x_um", "gene", "instance_id", "compartment"]
    assert table["x_um"].to_pylist() == [r / 2 for r in range(10)]
    assert table["instance_id"].to_pylist() == [4, 0, 4, 0, 0, 0, 0, 0, 0, 70_000_000_000]
    parts = table["compartment"].to_pylist()
    assert parts == ["cytoplasm", "none", "nucleus", *["none"] * 6, "cytoplasm"]
    wanted = [name for batch in _batches(10, [3, 0, 6, 1]) for name in batch["gene"].to_pylist()]
    assert table["gene"].to_pylist() == wanted
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["transcripts.parquet"]


def test_the_order_of_blocks_does_not_matter(tmp_path):
    records = [_record([k, k + 10], [k + 1, k + 2], [1, 2]) for k in range(10)]
    one = scatter(tmp_path / "one", 20, records)
    other = scatter(tmp_path / "other", 20, records[::-1])
    assert np.array_equal(one.instance_id, other.instance_id)
    assert np.array_equal(one.compartment, other.compartment)


def test_no_rows(tmp_path):
    assignment = scatter(tmp_path, 0, [])
    assert assignment.instance_id.size == 0
    assert [batch.num_rows for batch in with_cells(_batches(0, [0]), assignment)] == [0]


@pytest.mark.parametrize(("sizes", "word"), [([5], "more"), ([3, 1], "more"), ([2], "fewer"), ([], "fewer")])
def test_other_rows_than_were_binned_is_an_error(tmp_path, sizes, word):
    assignment = scatter(tmp_path, 3, [])
    with pytest.raises(UserError, match=f"{word} rows than when they were imported"):
        list(with_cells(_batches(sum(sizes), sizes), assignment))


def test_a_row_beyond_the_input_is_an_error(tmp_path):
    with pytest.raises(IndexError):
        scatter(tmp_path, 3, [_record([3], [1], [1])])


def test_an_unfinished_file_is_not_there(tmp_path):
    path = tmp_path / "transcripts.parquet"
    path.write_bytes(b"the result of an earlier run")
    writer = TranscriptWriter(path)
    for batch in with_cells(_batches(2, [2]), scatter(tmp_path / "a", 2, [])):
        writer.write(batch)
    assert path.read_bytes() == b"the result of an earlier run"
    writer.finish()
    assert pq.read_metadata(path).num_rows == 2
