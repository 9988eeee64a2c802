"""The Xenium reader on synthetic folders of versions 1 to 4."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from xenium_folder import PIXEL_SIZE_UM, STAINS, write_xenium_folder
from zarr.storage import ZipStore

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.source import POINT_COLUMNS
from isthmus.readers.registry import detect_reader, read_sample

WHERE = "samples.tsv, row 2 (sample b1)"


def sample(folder: Path, **columns) -> Sample:
    return Sample(sample="b1", image=folder, where=WHERE, **columns)


def fault(folder: Path, **columns) -> str:
    with pytest.raises(UserError) as caught:
        read_sample(sample(folder, reader="xenium", **columns))
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(WHERE)
    return line


def rows(parts, n: int = 13) -> list[dict]:
    return [row for batch in parts.points.batches(n) for row in batch.to_pylist()]


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_folder_of_each_version(tmp_path, version):
    image = write_xenium_folder(tmp_path, version)
    parts = read_sample(sample(tmp_path))
    header = parts.image.header
    assert header.shape == (len(image), 1, 64, 96)
    assert header.channels == STAINS[: len(image)]
    assert header.affine.numbers() == (PIXEL_SIZE_UM, 0.0, 0.0, 0.0, PIXEL_SIZE_UM, 0.0)
    source = parts.image.open()
    window = (slice(0, 1), slice(30, 50), slice(0, 96))
    for channel in range(len(image)):
        np.testing.assert_array_equal(source.read(channel, window)[0], image[channel, 30:50])
    assert parts.n_vendor_cells == 7
    assert not parts.tested_on_real_files
    assert any("no real Xenium folder" in note for note in parts.notes)


@pytest.mark.parametrize(
    ("version", "said"), [(1, "1.3.0.5"), (2, "2.0.0.10"), (3, "3.1.0.0"), (4, "4 (by its files)")]
)
def test_version_is_told(tmp_path, version, said):
    write_xenium_folder(tmp_path, version)
    assert read_sample(sample(tmp_path)).reader == f"xenium {said}"


@pytest.mark.parametrize("version", [1, 2, 4])
@pytest.mark.parametrize("name", ["transcripts.parquet", "transcripts.csv.gz"])
def test_tables_of_transcripts_agree(tmp_path, version, name):
    write_xenium_folder(tmp_path / "a", version)
    write_xenium_folder(tmp_path / "b", version, transcripts=name)
    expected = pq.read_table(tmp_path / "a" / "transcripts.parquet").to_pylist()
    parts = read_sample(sample(tmp_path / "b"))
    assert parts.points.columns == tuple(POINT_COLUMNS)
    found = rows(parts)
    assert len(found) == len(expected) == 50
    for mine, theirs in zip(found, expected, strict=True):
        gene = theirs["feature_name"]
        assert mine["gene"] == (gene.decode() if isinstance(gene, bytes) else gene)
        assert mine["x_um"] == pytest.approx(theirs["x_location"], rel=1e-6)
        assert mine["qv"] == theirs["qv"]
        assert mine["overlaps_nucleus"] == bool(theirs["overlaps_nucleus"])
        unassigned = theirs["cell_id"] in (-1, "UNASSIGNED")
        assert mine["vendor_cell_id"] == (None if unassigned else str(theirs["cell_id"]))


def test_zipped_zarr_has_the_same_transcripts_tile_by_tile(tmp_path):
    write_xenium_folder(tmp_path / "a", 2)
    write_xenium_folder(tmp_path / "b", 2, transcripts="transcripts.zarr.zip")
    parts = read_sample(sample(tmp_path / "b"))
    assert parts.points.columns == ("x_um", "y_um", "z_um", "gene", "qv")
    found = {(row["x_um"], row["y_um"], row["gene"], row["qv"]) for row in rows(parts)}
    table = rows(read_sample(sample(tmp_path / "a")))
    assert found == {(row["x_um"], row["y_um"], row["gene"], row["qv"]) for row in table}
    assert len(rows(parts)) == 50


def test_focus_image_goes_before_projection(tmp_path):
    write_xenium_folder(tmp_path, 1)
    assert [path.name for path in read_sample(sample(tmp_path)).image.files] == ["morphology_focus.ome.tif"]
    (tmp_path / "morphology_focus.ome.tif").unlink()
    assert [path.name for path in read_sample(sample(tmp_path)).image.files] == ["morphology_mip.ome.tif"]


@pytest.mark.parametrize("version", [2, 4])
def test_folder_with_the_nuclear_stain_only(tmp_path, version):
    write_xenium_folder(tmp_path, version, n_stains=1)
    assert read_sample(sample(tmp_path)).image.header.channels == ("DAPI",)


@pytest.mark.parametrize("images", [None, {}, {"morphology_focus_filepath": "elsewhere.ome.tif"}])
@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_image_is_found_when_the_manifest_names_none(tmp_path, version, images):
    write_xenium_folder(tmp_path, version)
    expected = read_sample(sample(tmp_path)).image.files
    edit(tmp_path, images=images)
    assert read_sample(sample(tmp_path)).image.files == expected


def test_other_table_and_affine_of_the_sheet(tmp_path):
    write_xenium_folder(tmp_path / "a", 2)
    write_xenium_folder(tmp_path / "b", 3, n_transcripts=9)
    six = (0.2, 0.0, 5.0, 0.0, 0.2, 6.0)
    table = tmp_path / "b" / "transcripts.parquet"
    parts = read_sample(sample(tmp_path / "a", transcripts=table, affine=six))
    assert len(rows(parts)) == 9
    assert parts.image.header.affine.numbers() == six


def test_detection(tmp_path):
    write_xenium_folder(tmp_path / "a", 2)
    assert detect_reader(sample(tmp_path / "a")) == "xenium"
    assert detect_reader(sample(tmp_path / "a" / "experiment.xenium")) == "xenium"
    assert detect_reader(sample(tmp_path)) == "generic"
    assert read_sample(sample(tmp_path / "a" / "experiment.xenium")).n_vendor_cells == 7


def test_cells_are_counted_when_the_manifest_does_not(tmp_path):
    write_xenium_folder(tmp_path, 2)
    edit(tmp_path, num_cells=None)
    assert read_sample(sample(tmp_path)).n_vendor_cells == 7
    (tmp_path / "cells.parquet").unlink()
    parts = read_sample(sample(tmp_path))
    assert parts.n_vendor_cells is None
    assert any("lacks the vendor's cells" in note for note in parts.notes)


def test_pixel_size_of_the_manifest_counts_and_a_difference_is_told(tmp_path):
    write_xenium_folder(tmp_path, 2)
    edit(tmp_path, pixel_size=0.425)
    parts = read_sample(sample(tmp_path))
    assert parts.image.header.affine.pixel_size_um == (0.425, 0.425)
    assert any("the image says 0.2125 um a pixel" in note for note in parts.notes)


def edit(folder: Path, **changes) -> None:
    path = folder / "experiment.xenium"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_is_missing_is_named(tmp_path):
    folder = tmp_path / "a"
    write_xenium_folder(folder, 2)
    (folder / "transcripts.parquet").unlink()
    line = fault(folder)
    assert "there is no table of transcripts; copy one of these" in line
    assert "transcripts.parquet, transcripts.csv.gz, transcripts.zarr.zip" in line
    for path in (folder / "morphology_focus").iterdir():
        path.unlink()
    line = fault(folder)
    assert "there is no image" in line
    assert "morphology_focus/ch0000_*.ome.tif" in line
    (folder / "experiment.xenium").unlink()
    assert "there is no experiment.xenium" in fault(folder)


def test_one_stain_missing(tmp_path):
    write_xenium_folder(tmp_path, 2)
    (tmp_path / "morphology_focus" / "morphology_focus_0002.ome.tif").unlink()
    assert "1 of its 4 planes are in files that are not there" in fault(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"num_cells": 3}', '{"pixel_size": 0}'])
def test_broken_manifest(tmp_path, content):
    write_xenium_folder(tmp_path, 2)
    (tmp_path / "experiment.xenium").write_text(content)
    assert "experiment.xenium" in fault(tmp_path)


def test_broken_zipped_zarr(tmp_path):
    write_xenium_folder(tmp_path, 2, transcripts="transcripts.zarr.zip")
    path = tmp_path / "transcripts.zarr.zip"
    path.write_bytes(path.read_bytes()[:-50])
    assert "no readable zip" in fault(tmp_path)
    path.unlink()
    write_xenium_folder(tmp_path / "b", 2, transcripts="transcripts.zarr.zip", n_transcripts=0)
    assert "the table has no rows" in fault(tmp_path / "b")


def test_zipped_zarr_of_an_unknown_layout(tmp_path):
    write_xenium_folder(tmp_path, 2)
    (tmp_path / "transcripts.parquet").unlink()
    with ZipStore(tmp_path / "transcripts.zarr.zip", mode="w") as store:
        zarr.open_group(store, mode="w", zarr_format=2, attributes={"gene_names": ["A"]})
    assert "its layout is not the one that Isthmus knows" in fault(tmp_path)
    assert "use transcripts.parquet of the same folder" in fault(tmp_path)


def test_zipped_zarr_with_codewords_of_no_gene(tmp_path):
    write_xenium_folder(tmp_path, 2)
    (tmp_path / "transcripts.parquet").unlink()
    with ZipStore(tmp_path / "transcripts.zarr.zip", mode="w") as store:
        root = zarr.open_group(store, mode="w", zarr_format=2, attributes={"gene_names": ["A", "B"]})
        tile = root.create_group("grids", attributes={"grid_keys": [["0,0"]]}).create_group("0/0,0")
        tile.create_array("location", data=np.ones((2, 3), "float32"))
        tile.create_array("gene_identity", data=np.array([[1], [65535]], "uint16"))
        tile.create_array("quality_score", data=np.full((2, 1), 40, "float32"))
    assert [row["gene"] for row in rows(read_sample(sample(tmp_path)))] == ["B", "UnassignedCodeword"]
