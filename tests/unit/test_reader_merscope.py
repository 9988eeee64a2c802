"""MERSCOPE region folders: places that would show a flip, an offset or half a pixel, and what is refused by name.

The faults that these tests are there for were planted and seen to fail: the matrix without the half pixel, with it
twice, with x and y exchanged, with y turned over; planes shifted by one; transcripts half a plane off.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import merscope_folder as made
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.source import SampleParts
from isthmus.readers.registry import read_sample
from isthmus.segment.polygons import PolygonLabels, store_polygons

WHOLE = tuple(slice(0, n) for n in (made.N_PLANES, *made.SHAPE))


def read(folder: Path, **options: object) -> SampleParts:
    return read_sample(Sample(sample="a", image=folder, where="row 2", **{"z": "all", **options}))


def points(parts: SampleParts) -> pd.DataFrame:
    return pd.concat([batch.to_pandas() for batch in parts.points.batches(7)], ignore_index=True)


def labels(parts: SampleParts, folder: Path) -> np.ndarray:
    """The outlines painted."""
    header = parts.image.header
    store_polygons(parts.polygons, folder, affine=header.affine, shape=header.shape[1:], where="row 2")
    return PolygonLabels(folder).read(0, tuple(slice(0, n) for n in header.shape[1:]))


def under(image: np.ndarray, parts: SampleParts) -> np.ndarray:
    """What an image (z, y, x) holds under each transcript."""
    table, header = points(parts), parts.image.header
    column, row = header.affine.to_px(table["x_um"].to_numpy(), table["y_um"].to_numpy())
    z = (table["z_um"] / header.z_step_um).astype(int) if image.shape[0] > 1 else 0
    return image[z, np.floor(row).astype(int), np.floor(column).astype(int)]


@pytest.fixture
def region(tmp_path: Path) -> Path:
    return made.write_region(tmp_path / "region_0")


def test_a_region_is_told_by_its_files(region):
    parts = read(region)
    assert parts.reader == "merscope"
    assert parts.tested_on_real_files
    header = parts.image.header
    assert header.shape == (2, 3, *made.SHAPE)
    assert header.channels == ("DAPI", "PolyT")
    assert header.z_step_um == 1.5
    assert parts.n_vendor_cells == 2
    assert parts.labels_show == "cells"


def test_stains_and_planes_are_where_their_names_say(region):
    source = read(region).image.open()
    for stain in range(2):
        pixels = source.read(stain, WHOLE)
        assert np.array_equal(pixels, np.stack([made.image(stain, z) for z in range(made.N_PLANES)]))


def test_pixels_have_the_size_and_the_place_of_the_matrix(region):
    affine = read(region).image.header.affine
    assert affine.pixel_size_um == pytest.approx((1 / made.SCALE[1], 1 / made.SCALE[0]))
    # The vendor's matrix maps this point to the whole numbers (3, 5): the centre of that pixel.
    x_um, y_um = (3 - made.SHIFT_PX[0]) / made.SCALE[0], (5 - made.SHIFT_PX[1]) / made.SCALE[1]
    assert np.array(affine.to_px(np.float64(x_um), np.float64(y_um))) == pytest.approx([3.5, 5.5])


@pytest.mark.parametrize("polygons", ["parquet", "hdf5"])
def test_outlines_are_the_true_labels_pixel_by_pixel(tmp_path, polygons):
    parts = read(made.write_region(tmp_path / "region_0", polygons=polygons))
    assert parts.tested_on_real_files == (polygons == "parquet"), "no real HDF5 outlines were there to test"
    assert np.array_equal(labels(parts, tmp_path / "p"), made.truth())


def test_bright_pixels_are_those_of_the_outlines(region, tmp_path):
    parts = read(region)
    bright = parts.image.open().read(0, WHOLE) >= 1000
    assert np.array_equal(bright, labels(parts, tmp_path / "p") > 0)


def test_each_transcript_lies_in_the_vendors_cell_or_in_none(region, tmp_path):
    parts = read(region)
    table = points(parts)
    vendor = table["vendor_cell_id"].astype(object).fillna("0").astype("int64").to_numpy()
    assert vendor.tolist() == [cell for cell, *_ in made.points()]
    assert under(labels(parts, tmp_path / "p"), parts).tolist() == vendor.tolist()
    assert table["gene"].tolist() == [point[-1] for point in made.points()]


def test_transcripts_lie_in_the_middle_of_their_plane(region):
    parts = read(region, z_step_um=2.0)
    assert points(parts)["z_um"].tolist() == [2.0 * (point[3] + 0.5) for point in made.points()]


def test_planes_are_projected_unless_a_volume_is_asked_for(region, tmp_path):
    planes = np.stack([made.image(1, z) for z in range(made.N_PLANES)])
    flat = (slice(0, 1), *WHOLE[1:])
    for z, expected in (
        ("auto", planes.max(axis=0)),
        ("mean", planes.astype(int).sum(axis=0) // 3),
        (1, planes[1]),
    ):
        parts = read(region, z=z)
        assert parts.image.header.shape == (2, 1, *made.SHAPE)
        assert np.array_equal(parts.image.open().read(1, flat)[0], expected)
        truth = made.truth()[1] if z == 1 else made.truth().max(axis=0)
        assert np.array_equal(labels(parts, tmp_path / str(z))[0], truth)
    assert len({read(region, z=z).image.made for z in ("auto", "mean", 0, 1)}) == 4
    with pytest.raises(UserError, match="plane 3 is asked for, and the image has 3"):
        read(region, z=3)


def test_outlines_turned_over_are_turned_back(region, tmp_path):
    for number in range(made.N_PLANES):
        rows = ["x,y,poly_ID"]
        for cell, z, xy in made.outlines():
            rows += [f"{x!r},{-y!r},3{cell}{'0' * 20}" for x, y in xy.tolist() if z == number]
        folder = tmp_path / "outlines"
        folder.mkdir(exist_ok=True)
        (folder / f"z{number}_polygons.csv").write_text("\n".join(rows) + "\n")
    parts = read(region, labels=folder)
    assert any("turned" in note for note in parts.notes)
    ranks = np.searchsorted(sorted(made.EDGES), made.truth()) + 1
    assert np.array_equal(labels(parts, tmp_path / "p"), np.where(made.truth() > 0, ranks, 0))
    assert parts.polygons.names()[1] == f"3{min(made.EDGES)}{'0' * 20}"


def test_names_too_long_for_ids_are_numbered_in_their_order(tmp_path):
    folder = made.write_region(tmp_path / "region_0", polygons="none")
    names = {cell: f"{cell}{'7' * 20}" for cell in made.EDGES}
    made.write_hdf5(folder / "cell_boundaries", names)
    parts = read(folder)
    assert parts.polygons.names() == {1: min(names.values()), 2: max(names.values())}
    assert np.unique(labels(parts, tmp_path / "p")).tolist() == [0, 1, 2]


def _remove(name):
    return lambda folder: (folder / name).unlink()


def _rename_column(old, new):
    def change(folder):
        path = folder / "detected_transcripts.csv"
        path.write_text(path.read_text().replace(old, new, 1))

    return change


def _newer_images(folder):
    for path in (folder / "images").glob("*.tif"):
        path.rename(path.with_suffix(".ome.zarr"))


def _without_geometry(folder):
    path = folder / "cell_boundaries.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["Geometry"]), path)


def _other_hdf5(folder):
    (folder / "cell_boundaries.parquet").unlink()
    (folder / "cell_boundaries").mkdir()
    with h5py.File(folder / "cell_boundaries" / "feature_data_0.hdf5", "w") as file:
        file["features"] = 1


def _smaller(folder):
    import tifffile

    tifffile.imwrite(folder / "images" / "mosaic_PolyT_z2.tif", np.zeros((5, 6), np.uint16))


def _manifest(folder):
    (folder / "images" / "manifest.json").write_text(
        '{"mosaic_files": [{"file_name": "mosaic_DAPI_z7.tif"}]}'
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_remove("images/mosaic_PolyT_z1.tif"), "no image of stain PolyT in plane 1"),
        (_remove("detected_transcripts.csv"), "no table of transcripts"),
        (_remove("images/micron_to_mosaic_pixel_transform.csv"), "no micron_to_mosaic_pixel_transform.csv"),
        (_rename_column("global_x", "global_X_um"), "no column for x_um"),
        (_rename_column(",gene,", ",target_id,"), "no column for gene"),
        (_newer_images, "mosaic_DAPI_z0.ome.zarr, .*: a layout that this version does not know"),
        (_without_geometry, "no column Geometry or geometry among ID, EntityID, ZIndex"),
        (_other_hdf5, "no group featuredata, only features"),
        (_smaller, "'mosaic_PolyT_z2.tif' is 1 x 1 x 5 x 6 of uint16"),
        (_manifest, "manifest.json names 'mosaic_DAPI_z7.tif', which is not there"),
        (
            lambda folder: (folder / "images/micron_to_mosaic_pixel_transform.csv").write_text(
                "1 0 3\n0 1 4\n"
            ),
            "holds no 3 x 3 matrix",
        ),
        (lambda folder: shutil.rmtree(folder / "images"), "no images mosaic_<stain>_z<plane>.tif"),
    ],
)
def test_what_is_missing_or_new_is_named(region, change, words):
    change(region)
    with pytest.raises(UserError, match=words) as caught:
        read(region, reader="merscope")
    assert str(caught.value).count("\n") == 0
    assert caught.value.do


def test_columns_of_other_names_are_found_by_the_configuration(region):
    path = region / "detected_transcripts.csv"
    path.write_text(path.read_text().replace(",gene,", ",barcode_name,", 1))
    table = points(read(region, columns={"gene": "barcode_name"}))
    assert table["gene"].tolist() == [point[-1] for point in made.points()]
    with pytest.raises(UserError, match="no column for qv among"):
        read(region, columns={"gene": "barcode_name", "qv": "phred"})
