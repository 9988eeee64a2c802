"""Bins of Visium HD: each molecule at the centre of its bin, in the order of the matrix; and broken files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.fetch import fetch
from isthmus.image.source import PointsPart, SampleParts
from isthmus.readers import visium_hd
from isthmus.readers.registry import read_sample

SQUARE = "binned_outputs/square_002um"
POSITIONS = f"{SQUARE}/spatial/tissue_positions.parquet"
SCALES = f"{SQUARE}/spatial/scalefactors_json.json"
MATRIX = f"{SQUARE}/filtered_feature_bc_matrix.h5"
Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetch("visium_hd_made", into=tmp_path_factory.mktemp("hd"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of the generated folder, to harm."""
    shutil.copytree(made / "outs", tmp_path / "outs")
    return tmp_path / "outs"


def read(outs: Path, image: Path | None = None, **row: Any) -> SampleParts:
    return read_sample(Sample(sample="a", counts=outs, image=image, where="row 2", **row))


def points(parts: SampleParts) -> PointsPart:
    assert parts.points is not None
    return parts.points


def molecules(part: PointsPart, n: int = 1 << 16) -> pd.DataFrame:
    return pa.Table.from_batches(part.batches(n)).to_pandas()


def under_labels(made: Path, x_um: Floats, y_um: Floats, gene: pd.Series[str]) -> npt.NDArray[np.int64]:
    """Nuclei x genes, counted by the label under each place; independent of Isthmus."""
    labels = tifffile.imread(made / "truth/labels.tif")
    column, row = np.floor(x_um / 0.5).astype(int), np.floor(y_um / 0.5).astype(int)
    inside = (row >= 0) & (row < labels.shape[0]) & (column >= 0) & (column < labels.shape[1])
    names = pd.read_csv(made / "truth/counts.csv", index_col=0).columns
    counts = np.zeros((labels.max() + 1, len(names)), dtype=np.int64)
    np.add.at(counts, (labels[row[inside], column[inside]], names.get_indexer(gene[inside])), 1)
    return counts[1:]


def test_molecules_lie_at_the_centres_of_their_bins(made: Path) -> None:
    """A flip, a swap, a bin, half a bin or a pixel beside, and another size of pixels would all give other counts."""
    parts = read(made / "outs", made / "image.tif")
    found = molecules(points(parts))
    truth = pd.read_csv(made / "truth/counts.csv", index_col=0).to_numpy()
    x, y, gene = (found[name] for name in ("x_um", "y_um", "gene"))
    assert np.array_equal(under_labels(made, x.to_numpy(), y.to_numpy(), gene), truth)
    wrong = {
        "half a bin": (x + 1, y),
        "half a bin up": (x, y - 1),
        "a pixel": (x + 0.5, y),
        "half a pixel": (x - 0.25, y - 0.25),
        "a bin": (x, y + 2),
        "rows and columns exchanged": (y, x),
        "upside down": (x, 360 - y),
        "left to right": (440 - x, y),
        "size": (x * 1.01, y * 1.01),
    }
    for what, (other_x, other_y) in wrong.items():
        counts = under_labels(made, other_x.to_numpy(), other_y.to_numpy(), gene)
        assert not np.array_equal(counts, truth), what


def test_what_is_said_of_the_folder(made: Path) -> None:
    parts = read(made / "outs", made / "image.tif")
    assert parts.reader == "spaceranger (Visium HD)"
    assert not parts.tested_on_real_files
    assert parts.spots is None
    assert parts.image.header.affine.numbers() == (0.5, 0, 0, 0, 0.5, 0)
    assert "bins of 2 um: what a bin holds goes to the cell under its centre" in parts.notes[0]
    with h5py.File(made / "outs" / MATRIX) as file:
        assert points(parts).expected_rows == file["matrix/data"].shape[0]


def test_a_count_of_three_is_three_molecules_whatever_the_batch(made: Path, monkeypatch: Any) -> None:
    part = points(read(made / "outs", made / "image.tif"))
    whole = molecules(part)
    with h5py.File(made / "outs" / MATRIX) as file:
        total, largest = int(file["matrix/data"][:].sum()), int(file["matrix/data"][:].max())
    assert len(whole) == total
    assert largest >= 2
    monkeypatch.setattr(visium_hd, "_BINS_AT_ONCE", 1000)
    for n in (1, 977):
        batches = []
        for batch in part.batches(n):
            assert 0 < batch.num_rows <= n
            batches.append(batch)
            if len(batches) == 400:
                break
        some = pa.Table.from_batches(batches).to_pandas()
        pd.testing.assert_frame_equal(some, whole[: len(some)])
    assert len(molecules(part, 977)) == total


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 20))
def test_counts_are_repeated_whatever_the_batch(counts: list[int], n: int) -> None:
    pieces = list(visium_hd._repeated(np.array(counts, np.int64), n))
    assert all(0 < piece.size <= n for piece in pieces)
    assert [k for piece in pieces for k in piece.tolist()] == np.repeat(
        np.arange(len(counts)), counts
    ).tolist()


@given(st.lists(st.tuples(st.integers(0, 99_999), st.integers(0, 99_999)), min_size=1, max_size=20))
def test_names_of_bins_tell_their_places(places: list[tuple[int, int]]) -> None:
    names = [f"s_002um_{row:05}_{column:05}-1" for row, column in places]
    for array in (
        np.array(names, "S21"),
        np.array(names, object).astype("S40"),
        visium_hd._fixed(pa.array(names)),
    ):
        row, column = visium_hd._row_and_column(array, "file", "here")
        assert list(zip(row.tolist(), column.tolist(), strict=True)) == places


@pytest.mark.parametrize(
    "name", ["s_002um_00001_00002-", "s_002um_00001_00002-12", "s_008um_00001_00002-1", "AAAC-1"]
)
def test_other_names_of_bins_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"file has a bin called '{name}'"):
        visium_hd._row_and_column(np.array([name], "S30"), "file", "here")


def edit(path: Path, change: Callable[[h5py.Group], None]) -> None:
    with h5py.File(path, "r+") as file:
        change(file["matrix"])


def replace_data(group: h5py.Group, name: str, values: Any) -> None:
    del group[name]
    group[name] = values


def test_genes_of_one_name_keep_their_ids_and_antibodies_are_left_out(folder: Path, made: Path) -> None:
    def change(group: h5py.Group) -> None:
        names, kinds = group["features/name"][:], group["features/feature_type"][:]
        names[1] = names[0]
        kinds = kinds.astype("S20")
        kinds[2] = b"Antibody Capture"
        replace_data(group["features"], "name", names)
        replace_data(group["features"], "feature_type", kinds)

    before = molecules(points(read(folder, made / "image.tif")))["gene"].value_counts()
    edit(folder / MATRIX, change)
    parts = read(folder, made / "image.tif")
    after = molecules(points(parts))["gene"].value_counts()
    assert after["GENE00000"] == before["TUM0"]
    assert after["GENE00001"] == before["TUM1"]
    assert "TUM2" not in after.index
    assert after["TUM3"] == before["TUM3"]
    assert "1 features that are no genes (Antibody Capture) are left out" in parts.notes


def test_the_picture_of_the_folder_is_used_where_no_image_is_named(folder: Path, made: Path) -> None:
    (folder / "spatial").mkdir()
    Image.fromarray(tifffile.imread(made / "image.tif")[::2, ::2]).save(
        folder / "spatial/tissue_hires_image.png"
    )
    scales = json.loads((folder / SCALES).read_text()) | {"tissue_hires_scalef": 0.5}
    (folder / SCALES).write_text(json.dumps(scales))
    parts = read(folder)
    assert parts.image.header.affine.numbers()[0] == 1.0
    assert "the picture tissue_hires_image.png is used, 1 um a pixel" in parts.notes


def columns(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    table = change(pq.read_table(folder / POSITIONS).to_pandas())
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), folder / POSITIONS)


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        (lambda f: (f / MATRIX).unlink(), "square_002um has no filtered_feature_bc_matrix.h5; copy it there"),
        (lambda f: (f / POSITIONS).unlink(), "square_002um has no spatial/tissue_positions.parquet"),
        (lambda f: (f / SCALES).unlink(), "square_002um has no spatial/scalefactors_json.json"),
        (lambda f: (f / SCALES).write_text("{}"), "has no microns_per_pixel"),
        (
            lambda f: (f / SCALES).write_text('{"microns_per_pixel": 0.5, "bin_size_um": 4}'),
            "says bin_size_um 4; this version reads the layout of Space Ranger 3 and 4",
        ),
        (
            lambda f: (f / SQUARE).rename(f / "binned_outputs/hexagon_001um"),
            "binned_outputs has no square_002um .it has hexagon_001um.; copy the bins of 2 um",
        ),
        (
            lambda f: columns(f, lambda t: t.rename(columns={"pxl_row_in_fullres": "y"})),
            "tissue_positions.parquet has no column pxl_row_in_fullres .it has barcode,.* y,",
        ),
        (lambda f: (f / POSITIONS).write_bytes(b"PAR1 no"), "tissue_positions.parquet cannot be read"),
        (lambda f: (f / MATRIX).write_bytes(b"no"), "filtered_feature_bc_matrix.h5 cannot be read"),
        (
            lambda f: edit(f / MATRIX, lambda g: g.file.attrs.modify("version", 3)),
            "is of version 3 of its layout; this version reads",
        ),
        (lambda f: edit(f / MATRIX, lambda g: g.pop("indices")), "lacks a data set .*indices"),
        (
            lambda f: edit(f / MATRIX, lambda g: replace_data(g, "data", g["data"][:] * 0.5)),
            "holds values of float64; give raw counts",
        ),
        (
            lambda f: edit(
                f / MATRIX, lambda g: replace_data(g, "barcodes", np.char.upper(g["barcodes"][:]))
            ),
            "has a bin called 'S_002UM_.*', not 's_002um_<row>_<column>-1'",
        ),
    ],
)
def test_folders_that_lack_something_or_are_newer(
    harm: Callable[[Path], Any], line: str, folder: Path, made: Path
) -> None:
    harm(folder)
    with pytest.raises(UserError, match=line) as caught:
        read(folder, made / "image.tif")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        (
            lambda f: columns(f, lambda t: t[t["array_row"] < 100]),
            "bin 's_002um_.*' of filtered_feature_bc_matrix.h5 has no position in tissue_positions.parquet; give files",
        ),
        (
            lambda f: columns(f, lambda t: t.assign(array_row=t["array_col"], array_col=t["array_row"])),
            "barcodes of tissue_positions.parquet do not name array_row and array_col",
        ),
        (
            lambda f: columns(f, lambda t: t.assign(pxl_row_in_fullres=np.nan)),
            "tissue_positions.parquet has positions that are no numbers",
        ),
        (
            lambda f: columns(f, lambda t: t.assign(array_row=t["array_row"].where(t["array_row"] > 3))),
            "tissue_positions.parquet cannot be read",
        ),
        (
            lambda f: columns(f, lambda t: t.assign(array_col="a")),
            "tissue_positions.parquet cannot be read",
        ),
        (
            lambda f: columns(f, lambda t: t.assign(barcode=t["barcode"] + "x")),
            "tissue_positions.parquet",
        ),
        (
            lambda f: edit(f / MATRIX, lambda g: replace_data(g, "data", -g["data"][:])),
            "holds counts below 0",
        ),
    ],
)
def test_faults_that_show_when_bins_are_read(
    harm: Callable[[Path], Any], line: str, folder: Path, made: Path
) -> None:
    harm(folder)
    part = points(read(folder, made / "image.tif"))
    with pytest.raises(UserError, match=line) as caught:
        molecules(part)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("column", ["pixel_size_um", "origin_x_um", "origin_y_um", "z_step_um"])
def test_a_row_that_says_where_pixels_lie_is_refused(made: Path, column: str) -> None:
    with pytest.raises(UserError, match=f"the row gives {column}, which the folder tells; leave it empty"):
        read(made / "outs", made / "image.tif", **{column: 3.0})
