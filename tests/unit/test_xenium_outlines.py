"""Xenium's cells as outlines: places that would show a flip, an offset or half a pixel, and what is refused by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from xenium_folder import PIXEL_SIZE_UM, write_outlines, write_transcripts, write_xenium_folder

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.source import SampleParts
from isthmus.readers import xenium_outlines
from isthmus.readers.xenium import read_xenium
from isthmus.segment.polygons import PolygonLabels, store_polygons

SHAPE = (64, 96)
BOXES = {"aaaaaaab-1": (3, 5, 20, 31), "ffkpbaba-1": (30, 40, 47, 80), "jjjjjjjj-1": (2, 60, 12, 90)}
"""Top, left, bottom and right edges of the cells, in pixels: unlike their images in any mirror."""
NUMBER_OF = {name: number for number, name in enumerate(sorted(BOXES), start=1)}


@dataclass(frozen=True)
class Made:
    """A folder, and what is true of it."""

    folder: Path
    truth: np.ndarray

    def read(self, **columns: object) -> SampleParts:
        return read_xenium(Sample(sample="x", image=self.folder, where="row 2", **columns))


def box_um(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """Corners (x, y) of a box along the edges of pixels."""
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return np.array(corners) * PIXEL_SIZE_UM


def outlines(names: dict[str, object] | None = None) -> list[tuple[object, int, np.ndarray]]:
    return [
        ((names or {}).get(name, name), number, box_um(*box))
        for number, (name, box) in enumerate(BOXES.items(), start=1)
    ]


def boxes_painted() -> np.ndarray:
    truth = np.zeros(SHAPE, dtype=np.int64)
    for name, (top, left, bottom, right) in BOXES.items():
        truth[top:bottom, left:right] = NUMBER_OF[name]
    return truth


@pytest.fixture(params=[1, 2, 3, 4])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    """Transcripts just inside the corners of the pixels beside the cells' edges, each with the cell that holds it."""
    folder, truth = tmp_path / "output-XETG", boxes_painted()
    write_xenium_folder(folder, request.param, shape=SHAPE)
    write_outlines(folder / "cell_boundaries.parquet", outlines())
    names = {number: name for name, number in NUMBER_OF.items()} | {0: "UNASSIGNED"}
    rows, columns, cells = [], [], []
    for top, left, bottom, right in BOXES.values():
        for row, column in [
            (top, left),
            (bottom - 1, right - 1),
            (top - 1, left),
            (bottom - 1, right),
            (bottom, left),
        ]:
            for dy, dx in [(0.05, 0.05), (0.95, 0.05), (0.05, 0.95), (0.95, 0.95)]:
                rows.append(row + dy)
                columns.append(column + dx)
                cells.append(names[int(truth[row, column])])
    n = len(rows)
    table = {
        "transcript_id": pa.array(np.arange(n).astype("uint64")),
        "cell_id": pa.array(cells),
        "overlaps_nucleus": pa.array(np.zeros(n, dtype="uint8")),
        "feature_name": pa.array(["EPCAM"] * n),
        "x_location": pa.array(np.array(columns) * PIXEL_SIZE_UM),
        "y_location": pa.array(np.array(rows) * PIXEL_SIZE_UM),
        "z_location": pa.array(np.full(n, 5.0)),
        "qv": pa.array(np.full(n, 40.0)),
    }
    write_transcripts(folder / "transcripts.parquet", pa.table(table))
    return Made(folder, truth)


def painted(parts: SampleParts, folder: Path) -> np.ndarray:
    """The outlines as labels (y, x)."""
    header = parts.image.header
    assert parts.polygons is not None
    shape = header.shape[1:]
    store_polygons(parts.polygons, folder, affine=header.affine, shape=shape, where="row 2")
    return PolygonLabels(folder).read(0, tuple(slice(0, n) for n in shape))[0]


def test_outlines_are_the_true_labels_pixel_by_pixel(made: Made, tmp_path: Path) -> None:
    parts = made.read()
    assert np.array_equal(painted(parts, tmp_path / "p"), made.truth)
    assert parts.labels_show == "cells"
    assert parts.polygons.names() == {number: name for name, number in NUMBER_OF.items()}


def test_each_transcript_lies_in_the_vendors_cell_or_in_none(made: Made, tmp_path: Path) -> None:
    parts = made.read()
    labels, affine = painted(parts, tmp_path / "p"), parts.image.header.affine
    batches = list(parts.points.batches(7))
    x_um, y_um = (np.concatenate([b.column(name).to_numpy() for b in batches]) for name in ("x_um", "y_um"))
    vendor = [name for batch in batches for name in batch.column("vendor_cell_id").to_pylist()]
    column, row = affine.to_px(x_um, y_um)
    under = labels[np.floor(row).astype(int), np.floor(column).astype(int)]
    assert under.tolist() == [NUMBER_OF.get(name, 0) for name in vendor]
    assert 0 < np.count_nonzero(under) < under.size


@pytest.mark.parametrize("name", ["cell_boundaries.parquet", "cell_boundaries.csv.gz"])
@pytest.mark.parametrize("batch_rows", [1, 4, 7, 1000])
def test_an_outline_may_lie_in_two_batches(tmp_path: Path, monkeypatch, name: str, batch_rows: int) -> None:
    monkeypatch.setattr(xenium_outlines, "_BATCH_ROWS", batch_rows)
    monkeypatch.setattr(xenium_outlines, "_BLOCK_BYTES", 80 * batch_rows)
    write_outlines(tmp_path / name, outlines())
    part = xenium_outlines.open_outlines(tmp_path / name, "row 2")
    batches = list(part.batches())
    assert [number for batch in batches for number in batch.ids.tolist()] == [
        NUMBER_OF[name] for name in BOXES
    ]
    vertices = np.concatenate([batch.xy_um for batch in batches])
    expected = np.concatenate([np.concatenate([xy, xy[:1]]) for _, _, xy in outlines()])
    np.testing.assert_allclose(vertices, expected, rtol=1e-6)


def test_a_cell_with_two_nuclei_has_both(tmp_path: Path) -> None:
    write_xenium_folder(tmp_path, 3, shape=SHAPE)
    two = [("aaaaaaab-1", 1, box_um(3, 5, 10, 10)), ("aaaaaaab-1", 2, box_um(3, 20, 10, 25))]
    write_outlines(tmp_path / "nucleus_boundaries.parquet", two)
    parts = read_xenium(
        Sample(sample="x", image=tmp_path, where="row 2", labels=tmp_path / "nucleus_boundaries.parquet")
    )
    assert parts.labels_show == "nuclei"
    labels = painted(parts, tmp_path / "p")
    assert np.count_nonzero(labels) == 2 * 7 * 5
    assert not labels[:, 10:20].any(), "they are not one outline"
    assert set(np.unique(labels)) == {0, 1}


@pytest.mark.parametrize("kind", [int, str.encode])
def test_names_of_old_versions(tmp_path: Path, kind) -> None:
    """Numbers stay ids; byte strings are texts."""
    names = {name: kind(str(number)) for name, number in zip(BOXES, (12, 7, 300), strict=True)}
    write_outlines(tmp_path / "cell_boundaries.parquet", outlines(names), label_id=False)
    part = xenium_outlines.open_outlines(tmp_path / "cell_boundaries.parquet", "row 2")
    assert next(batch.ids.tolist() for batch in part.batches())[:2] == [12, 7]
    assert part.names() == {}


def harmed(path: Path, kind: str) -> None:
    if kind == "cut short":
        path.write_bytes(path.read_bytes()[:100])
    elif kind == "empty":
        write_outlines(path, [])
    elif kind == "nothing":
        path.write_bytes(b"")
    else:
        table = pq.read_table(path)
        pq.write_table(table.rename_columns(["cell_id", "x", "y", "label_id"]), path)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("cut short", "damaged or cut short"),
        ("nothing", "damaged or cut short"),
        ("empty", "there are no outlines"),
        ("columns", "there is no column vertex_x among cell_id, x, y, label_id"),
    ],
)
def test_harm_is_told_where_outlines_are_asked_for(tmp_path: Path, kind: str, found: str) -> None:
    write_xenium_folder(tmp_path, 2, shape=SHAPE)
    path = tmp_path / "cell_boundaries.parquet"
    write_outlines(path, outlines())
    harmed(path, kind)
    parts = read_xenium(Sample(sample="x", image=tmp_path, where="row 2"))  # a run that needs none goes on
    with pytest.raises(UserError, match=found) as caught:
        list(parts.polygons.batches())
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_outlines_has_none(tmp_path: Path) -> None:
    write_xenium_folder(tmp_path, 2, shape=SHAPE)
    (tmp_path / "cell_boundaries.parquet").unlink()
    parts = read_xenium(Sample(sample="x", image=tmp_path, where="row 2"))
    assert parts.polygons is None
    assert any("segmentation.method labels needs cell_boundaries" in note for note in parts.notes)
