"""The reader on Vizgen's test region and on Giotto's crop: counts, orientation, place."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely
import tifffile
from scipy.ndimage import gaussian_filter

from isthmus.config.samples import Sample
from isthmus.image.source import SampleParts
from isthmus.readers.registry import read_sample
from isthmus.segment.polygons import PolygonLabels, store_polygons

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
VPT, GIOTTO = DATA / "merscope_vpt", DATA / "merscope_giotto_mini"


def points(parts: SampleParts) -> pd.DataFrame:
    return pd.concat([batch.to_pandas() for batch in parts.points.batches(1 << 20)], ignore_index=True)


def painted(parts: SampleParts, folder: Path) -> np.ndarray:
    header = parts.image.header
    store_polygons(parts.polygons, folder, affine=header.affine, shape=header.shape[1:], where="row 2")
    return PolygonLabels(folder).read(0, tuple(slice(0, n) for n in header.shape[1:]))


@pytest.fixture(scope="module")
def vpt() -> SampleParts:
    if not VPT.is_dir():
        pytest.skip("the test region of VPT is not there")
    sample = Sample(sample="a", image=VPT, labels=VPT / "cells_cellpose.parquet", where="row 2", z="all")
    return read_sample(sample)


@pytest.fixture(scope="module")
def labels(vpt: SampleParts, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return painted(vpt, tmp_path_factory.mktemp("vpt") / "p")


@pytest.fixture(scope="module")
def cell_by_gene() -> pd.DataFrame:
    return pd.read_csv(VPT / "cell_by_gene.csv", index_col=0)


def counted(cell: np.ndarray, gene: pd.Series, like: pd.DataFrame) -> pd.DataFrame:
    made = pd.crosstab(cell[cell > 0], gene[cell > 0].astype(str))
    return made.reindex(index=like.index, columns=like.columns, fill_value=0)


def test_the_region_is_what_its_files_say(vpt):
    assert vpt.reader == "merscope"
    assert vpt.image.header.shape == (3, 7, 512, 512)
    assert vpt.image.header.channels == ("DAPI", "Cellbound1", "Cellbound2")
    assert vpt.image.header.affine.pixel_size_um == pytest.approx((0.107996, 0.107996), rel=1e-4)
    assert len(points(vpt)) == 5936


def test_outlines_and_transcripts_give_the_vendors_counts_exactly(vpt, cell_by_gene):
    """Point in polygon, plane by plane, in our micrometres: all entries equal."""
    table = points(vpt)
    plane = (table["z_um"] / vpt.image.header.z_step_um).astype(int).to_numpy()
    at = shapely.points(table["x_um"], table["y_um"])
    cell = np.zeros(len(table), dtype=np.int64)
    outlines = pq.read_table(VPT / "cells_cellpose.parquet").to_pandas()
    for _, row in outlines.iterrows():
        inside = (plane == row["ZIndex"]) & shapely.contains(shapely.from_wkb(row["Geometry"]), at)
        assert not cell[inside].any()
        cell[inside] = row["EntityID"]
    pd.testing.assert_frame_equal(
        counted(cell, table["gene"], cell_by_gene), cell_by_gene, check_dtype=False, check_names=False
    )


def test_painted_outlines_give_the_vendors_counts_but_for_borders(vpt, labels, cell_by_gene):
    """A pixel goes whole to a cell, so transcripts within a pixel of a border may change sides: 17 of 1,484 entries."""
    table, header = points(vpt), vpt.image.header
    column, row = header.affine.to_px(table["x_um"].to_numpy(), table["y_um"].to_numpy())
    plane = (table["z_um"] / header.z_step_um).astype(int).to_numpy()
    inside = (column >= 0) & (column < 512) & (row >= 0) & (row < 512)
    assert inside.sum() == 3334
    cell = np.zeros(len(table), dtype=np.int64)
    at = plane[inside], row[inside].astype(int), column[inside].astype(int)
    cell[inside] = labels[at]
    made = counted(cell, table["gene"], cell_by_gene)
    assert np.abs(made.to_numpy() - cell_by_gene.to_numpy()).sum() == 17
    assert made.to_numpy().sum() == 1489
    assert cell_by_gene.to_numpy().sum() == 1484


def test_painted_outlines_cover_what_the_outlines_do(vpt, labels):
    """Areas agree to a hundredth; ids are the vendor's, whole."""
    outlines = pq.read_table(VPT / "cells_cellpose.parquet").to_pandas()
    areas = shapely.area(shapely.from_wkb(outlines["Geometry"].to_numpy()))
    ids, counts = np.unique(labels[labels > 0], return_counts=True)
    assert ids.tolist() == sorted(outlines["EntityID"].unique().tolist())
    given = pd.Series(areas).groupby(outlines["EntityID"].to_numpy()).sum()
    assert len(ids) == 94
    ratio = counts * vpt.image.header.affine.pixel_area_um2 / given.loc[ids].to_numpy()
    assert ratio.mean() == pytest.approx(1.0, abs=0.002)
    assert np.abs(ratio - 1).max() < 0.015


def test_the_region_is_not_upside_down(vpt, labels):
    """Measured: 0.308 for DAPI as it is, -0.223 turned over; bright inside the outlines."""
    table, header = points(vpt), vpt.image.header
    column, row = header.affine.to_px(table["x_um"].to_numpy(), table["y_um"].to_numpy())
    density, *_ = np.histogram2d(row, column, bins=512, range=((0, 512), (0, 512)))
    whole = tuple(slice(0, n) for n in header.shape[1:])
    dapi = vpt.image.open().read(0, whole)
    projected = gaussian_filter(dapi.max(axis=0).astype(float), 10)
    smooth = gaussian_filter(density, 10)
    assert np.corrcoef(smooth.ravel(), projected.ravel())[0, 1] == pytest.approx(0.308, abs=0.01)
    assert np.corrcoef(smooth[::-1].ravel(), projected.ravel())[0, 1] < -0.2
    inside = labels[6] > 0
    assert dapi[6][inside].mean() / dapi[6][~inside].mean() == pytest.approx(1.34, abs=0.01)
    assert dapi[6][inside[::-1]].mean() / dapi[6][~inside[::-1]].mean() < 0.75


@pytest.fixture(scope="module")
def giotto(tmp_path_factory: pytest.TempPathFactory) -> SampleParts:
    """The crop in the vendor's words: JPEG becomes TIFF, its extent the vendor's matrix."""
    if not GIOTTO.is_dir():
        pytest.skip("Giotto's crop is not there")
    folder = tmp_path_factory.mktemp("giotto") / "region_0"
    (folder / "images").mkdir(parents=True)
    for path in sorted((GIOTTO / "images").glob("*.jpg")):
        name = path.stem.replace("mini_dataset", "mosaic").replace("dapi", "DAPI")
        tifffile.imwrite(folder / "images" / f"{name}.tif", imagecodecs.imread(path))
    scale = 9.20585
    shift = [-corner * scale - 0.5 for corner in (6400.029, 4699.967)]
    (folder / "images" / "micron_to_mosaic_pixel_transform.csv").write_text(
        f"{scale} 0 {shift[0]}\n0 {scale} {shift[1]}\n0 0 1\n"
    )
    sample = Sample(
        sample="a",
        image=folder,
        transcripts=GIOTTO / "vizgen_transcripts.gz",
        labels=GIOTTO / "cell_boundaries",
        where="row 2",
        z=0,
    )
    return read_sample(sample)


def test_a_crop_with_outlines_turned_over_lies_on_its_image(giotto, tmp_path):
    """Measured: 14.4 % of the image covered, DAPI 3.17 times brighter inside, 42.1 % of the plane's transcripts."""
    header = giotto.image.header
    assert header.shape == (2, 1, 4143, 4603)
    assert any("turned" in note for note in giotto.notes)
    labels = painted(giotto, tmp_path / "p")[0]
    assert (labels > 0).mean() == pytest.approx(0.144, abs=0.001)
    dapi = giotto.image.open().read(0, (slice(0, 1), slice(0, 4143), slice(0, 4603)))[0]
    assert dapi[labels > 0].mean() / dapi[labels == 0].mean() == pytest.approx(3.17, abs=0.02)
    table = points(giotto)
    column, row = header.affine.to_px(table["x_um"].to_numpy(), table["y_um"].to_numpy())
    assert (column >= 0).all()
    assert (row >= 0).all()
    assert (column < 4603).all()
    assert (row < 4143).all()
    first = (table["z_um"] < 1.5).to_numpy()
    assert first.sum() == 36_197
    assert (labels[row[first].astype(int), column[first].astype(int)] > 0).mean() == pytest.approx(
        0.421, abs=0.001
    )
    names = giotto.polygons.names()
    assert all(30 < len(name) < 40 for name in names.values())
