"""`image.z: each`: the planes of a stack as images of their own, each exactly as if it were alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anndata
import compare
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile
import zarr
from in_process import run_here
from study import Study
from synthetic import Tissue, uniform

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.readers.registry import read_sample

SHAPE, N_PLANES = (300, 540), 3
PIXEL_UM, STEP_UM, ORIGIN_UM = 0.25, 1.5, (100.0, 40.0)
MOVES = ((0, 0), (41, 130), (170, 333))
"""Rows and columns by which the planes are turned around: other pictures with the same histogram."""
GENES = np.array([f"GENE{number}" for number in range(7)], dtype=object)
TISSUE = Tissue(seed=5, pitch_px=48, radius_px=(11.0, 19.0))


def _stack() -> npt.NDArray[np.uint16]:
    """(z, c, y, x)."""
    image = TISSUE.image(SHAPE, n_channels=2)[:, 0]
    return np.stack([np.roll(image, move, axis=(1, 2)) for move in MOVES])


def _transcripts() -> pa.Table:
    """Transcripts of all planes in a mixed order; a few lie below and above the stack, or beside it."""
    parts = []
    for plane, move in enumerate(MOVES):
        found = TISSUE.transcripts(SHAPE, per_nucleus=30)
        n = found["y"].size
        row = (found["y"] + move[0]) % SHAPE[0] + uniform(1, np.arange(n))
        column = (found["x"] + move[1]) % SHAPE[1] + uniform(2, np.arange(n))
        z = (plane + 0.999 * uniform(3 + plane, np.arange(n))) * STEP_UM
        z = np.where(uniform(8, np.arange(n)) < 0.01, -0.1 if plane == 0 else N_PLANES * STEP_UM + 0.1, z)
        parts.append(
            {
                "gene": GENES[found["gene"]],
                "x": ORIGIN_UM[0] + column * PIXEL_UM,
                "y": ORIGIN_UM[1] + row * PIXEL_UM,
                "z": z,
                "cell_id": np.where(found["cell"] > 0, found["cell"].astype(str), "0"),
            }
        )
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(uniform(9, np.arange(whole["x"].size)))
    return pa.table({name: pa.array(list(values[order])) for name, values in whole.items()})


def _row(folder: Path, transcripts: str) -> dict[str, str]:
    return {
        "sample": "a",
        "image": str(folder / "stack.ome.tif"),
        "transcripts": str(folder / transcripts),
        "pixel_size_um": str(PIXEL_UM),
        "z_step_um": str(STEP_UM),
        "origin_x_um": str(ORIGIN_UM[0]),
        "origin_y_um": str(ORIGIN_UM[1]),
    }


@dataclass(frozen=True)
class Runs:
    """The stack plane by plane, and each of its planes alone."""

    each: Path
    alone: tuple[Path, ...]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stack")
    about = {"axes": "ZCYX", "Channel": {"Name": ["DAPI", "membrane"]}}
    tifffile.imwrite(folder / "stack.ome.tif", _stack(), metadata=about, photometric="minisblack")
    table = _transcripts()
    pq.write_table(table, folder / "all.parquet")
    plane = np.floor(table["z"].to_numpy() / STEP_UM)
    for k in range(N_PLANES):
        pq.write_table(table.filter(pa.array(plane == k)), folder / f"{k}.parquet")
    return folder


OPTIONS = {"image": {"z": "each"}, "quantification": {"texture": True}}


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        cut = {"execution.block_px": 256, "execution.packs": 2}
        each = run_here(Study(folder / "each", [_row(data, "all.parquet")], OPTIONS), cut, patch)
        alone = tuple(
            run_here(
                Study(folder / str(k), [_row(data, f"{k}.parquet")], OPTIONS),
                {"image.z": k, "execution.block_px": 512},
                patch,
            )
            for k in range(N_PLANES)
        )
    return Runs(each, alone)


def _labels(results: Path, name: str, plane: int) -> npt.NDArray[np.int64]:
    store = results / "a" / "image.ome.zarr" / f"z{plane}" / "labels" / name / "0"
    return np.asarray(zarr.open_array(store, mode="r")[:]).astype(np.int64)


def _plane(results: Path, plane: int) -> anndata.AnnData:
    table = anndata.read_h5ad(results / "a" / "cells.h5ad")
    return table[(table.obs["plane"] == str(plane)).to_numpy()].copy()


def _bare(obs: pd.DataFrame) -> pd.DataFrame:
    """What does not tell which images there are and where they were cut."""
    names = ["instance_id", "image", "plane", "touches_seam"]
    obs = obs.drop(columns=[name for name in names if name in obs]).reset_index(drop=True)
    return obs.astype({"qc_reason": str})


@pytest.mark.parametrize("plane", range(N_PLANES))
def test_a_plane_has_the_values_that_it_has_alone(runs: Runs, plane: int) -> None:
    one, other = _plane(runs.each, plane), anndata.read_h5ad(runs.alone[plane] / "a" / "cells.h5ad")
    assert other.n_obs > 40
    first = int(one.obs["instance_id"].iloc[0])
    assert one.obs["instance_id"].tolist() == list(range(first, first + other.n_obs))
    for name in ("nuclei", "cells"):
        wanted = compare.labels(runs.alone[plane], name).astype(np.int64)
        np.testing.assert_array_equal(
            _labels(runs.each, name, plane), np.where(wanted > 0, wanted + first - 1, 0)
        )
    pd.testing.assert_frame_equal(_bare(one.obs), _bare(other.obs), check_exact=True)
    assert one.var_names.tolist() == other.var_names.tolist()
    assert (one.X != other.X).nnz == 0
    assert one.X.sum() > 500
    np.testing.assert_array_equal(one.obsm["spatial"], other.obsm["spatial"])
    for name in ("intensity", "texture"):
        left, right = (table.obsm[name].reset_index(drop=True) for table in (one, other))
        pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_transcripts_have_the_cells_of_their_plane(runs: Runs) -> None:
    found = pq.read_table(runs.each / "a" / "transcripts.parquet")
    assert found["x_um"].to_numpy().tolist() == _transcripts()["x"].to_numpy().tolist(), (
        "rows keep their order"
    )
    plane = np.floor(found["z_um"].to_numpy() / STEP_UM)
    ids, where = found["instance_id"].to_numpy(), found["compartment"].to_pylist()
    for k, results in enumerate(runs.alone):
        alone = pq.read_table(results / "a" / "transcripts.parquet")
        first = int(_plane(runs.each, k).obs["instance_id"].iloc[0])
        wanted = alone["instance_id"].to_numpy()
        np.testing.assert_array_equal(ids[plane == k], np.where(wanted > 0, wanted + first - 1, 0))
        mine = np.flatnonzero(plane == k)
        assert [where[i] for i in mine] == alone["compartment"].to_pylist()
    assert not ids[(plane < 0) | (plane >= N_PLANES)].any()


def test_no_cut_changes_a_value(
    runs: Runs, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(tmp_path / "whole", [_row(data, "all.parquet")], OPTIONS)
    whole = run_here(study, {"execution.block_px": 1024}, monkeypatch)
    compare.assert_same_table(compare.cells(runs.each), compare.cells(whole))
    assert compare.transcripts(runs.each).equals(compare.transcripts(whole))
    for name in ("nuclei", "cells"):
        for k in range(N_PLANES):
            np.testing.assert_array_equal(_labels(runs.each, name, k), _labels(whole, name, k))


def test_a_window_is_that_of_every_plane(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study(tmp_path / "each", [_row(data, "all.parquet")], OPTIONS)
    sets = {"image.region_um": [120.0, 50.0, 190.0, 100.0], "execution.block_px": 256}
    results = run_here(study, sets, monkeypatch)
    images = [zarr.open_array(results / f"a/image.ome.zarr/z{k}/0", mode="r")[:] for k in range(N_PLANES)]
    np.testing.assert_array_equal(np.stack(images), _stack()[:, :, 40:240, 80:360])
    cells = np.stack([_labels(results, "cells", k) for k in range(N_PLANES)])
    found = pq.read_table(results / "a" / "transcripts.parquet")
    pixel = [
        np.floor(found["z_um"].to_numpy() / STEP_UM).astype(int),
        np.floor((found["y_um"].to_numpy() - 50.0) / PIXEL_UM).astype(int),
        np.floor((found["x_um"].to_numpy() - 120.0) / PIXEL_UM).astype(int),
    ]
    inside = np.all([(at >= 0) & (at < n) for at, n in zip(pixel, cells.shape, strict=True)], axis=0)
    ids = found["instance_id"].to_numpy()
    np.testing.assert_array_equal(ids[inside], cells[tuple(at[inside] for at in pixel)])
    assert (ids[inside] > 0).sum() > 500
    assert not ids[~inside].any()
    spatial = compare.cells(results).obsm["spatial"]
    assert spatial.min(axis=0).tolist() > [120.0, 50.0]
    assert spatial.max(axis=0).tolist() < [190.0, 100.0]


def _sample(folder: Path, **options: object) -> Sample:
    return Sample(sample="a", image=folder, where="row 2", pixel_size_um=0.5, z="each", **options)


def test_a_stack_of_ome_zarr_is_read_plane_by_plane(tmp_path: Path) -> None:
    stack = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
    group = zarr.open_group(tmp_path / "s.ome.zarr", mode="w")
    group.create_array("0", data=stack, chunks=(1, 1, 4, 5))
    axes = [{"name": name} for name in "czyx"]
    scale = {"type": "scale", "scale": [1, 1, 1, 1]}
    multiscales = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales}
    parts = read_sample(_sample(tmp_path / "s.ome.zarr", z_step_um=2.0))
    assert [(image.name, dict(image.columns)) for image in parts.images] == [
        (f"z{k}", {"plane": str(k)}) for k in range(3)
    ]
    assert (parts.layout, parts.plane_step_um, parts.image.header.shape) == ("planes", 2.0, (2, 1, 4, 5))
    window = (slice(0, 1), slice(1, 4), slice(0, 5))
    for k, image in enumerate(parts.images):
        np.testing.assert_array_equal(image.part.open().read(1, window)[0], stack[1, k, 1:4])


def test_a_plane_is_an_image_and_has_no_others(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "plane.tif", np.ones((4, 5), np.uint16))
    assert read_sample(_sample(tmp_path / "plane.tif")).images == ()


def test_planes_of_many_images_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        stack = np.ones((3, 4, 5), np.uint16)
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", stack, metadata={"axes": "ZYX", "PhysicalSizeZ": 1.0})
    with pytest.raises(UserError, match="each of 3 planes is asked for, and the sample has 2 images already"):
        read_sample(_sample(tmp_path, reader="images"))


def test_transcripts_without_z_are_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = _transcripts().drop_columns(["z"])
    pq.write_table(table, tmp_path / "flat.parquet")
    row = _row(data, "all.parquet") | {"transcripts": str(tmp_path / "flat.parquet")}
    with pytest.raises(UserError, match="the transcripts have no z that tells their plane"):
        run_here(Study(tmp_path / "study", [row], OPTIONS), {}, monkeypatch)
