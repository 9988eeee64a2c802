"""Stores held against a validator that others wrote: ome-zarr-models, in an environment of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
from in_process import run_here
from study import REPOSITORY, Study
from synthetic import Tissue

from isthmus.blocks.grid import Region
from isthmus.image.affine import Affine
from isthmus.image.collection import write_collection
from isthmus.image.ome_zarr import create_level, write_image_metadata

pytestmark = pytest.mark.slow

PYTHON = REPOSITORY / ".venv-validators" / "bin" / "python"
LOOK = """
import json, sys, warnings
warnings.simplefilter("ignore")
import zarr
from ome_zarr_models.v05.bioformats2raw import BioFormats2Raw
from ome_zarr_models.v05.hcs import HCS
from ome_zarr_models.v05.image import Image
from ome_zarr_models.v05.image_label import ImageLabel
from ome_zarr_models.v05.labels import Labels
from ome_zarr_models.v05.well import Well
kinds = {c.__name__: c for c in (BioFormats2Raw, HCS, Image, ImageLabel, Labels, Well)}
for kind, path in json.loads(sys.argv[1]):
    kinds[kind].from_zarr(zarr.open_group(path, mode="r"))
    print(kind)
"""
TISSUE = Tissue(seed=5, pitch_px=48, radius_px=(11.0, 19.0))
WELLS = ["A/1/0", "A/1/1", "B/12/0"]


def _validate(kinds: list[tuple[str, Path]]) -> None:
    """Fail unless each store is what it is said to be; skip where there is no validator."""
    if not PYTHON.exists():
        pytest.skip("there is no .venv-validators: envs/environment.sh validators makes it")
    if (PYTHON.parents[1] / "failed.txt").exists():
        pytest.skip(f"the validators' environment failed: {(PYTHON.parents[1] / 'failed.txt').read_text()}")
    words = json.dumps([(kind, str(path)) for kind, path in kinds])
    ended = subprocess.run([PYTHON, "-c", LOOK, words], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == [kind for kind, _ in kinds]


def _of_image(image: Path) -> list[tuple[str, Path]]:
    labels = image / "labels"
    return [("Image", image), ("Labels", labels), *(("ImageLabel", labels / n) for n in ("nuclei", "cells"))]


def _plate(store: Path) -> Path:
    for name in WELLS:
        level = create_level(
            store / name / "0",
            shape=(1, 300, 400),
            dtype=np.dtype(np.uint16),
            chunk=(1, 100, 100),
            shard=(1, 300, 400),
            n_channels=1,
        )
        pixels = TISSUE.image((300, 400))[0].astype(np.uint16)
        level.write(Region((0, 0, 0), (1, 300, 400)), pixels, 0)
        write_image_metadata(
            store / name,
            name=name,
            is_volume=False,
            factors=[(1, 1, 1)],
            affine=Affine.from_size(0.25),
            z_step_um=1.0,
            channels=("DAPI",),
        )
    write_collection(store, WELLS, "plate", name="p")
    return store


def test_a_plate_of_ours_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"sample": "a", "image": str(_plate(tmp_path / "in.ome.zarr"))}
    results = run_here(Study(tmp_path / "plate", [row], {"use_case": "screening"}), {}, monkeypatch)
    store = results / "a" / "image.ome.zarr"
    wells = [("Well", store / well) for well in ("A/1", "B/12")]
    _validate([("HCS", store), *wells, *(pair for name in WELLS for pair in _of_image(store / name))])


def test_planes_and_a_volume_of_ours_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.repeat(TISSUE.image((300, 400))[0], 4, axis=0).astype(np.uint16)
    tifffile.imwrite(tmp_path / "s.ome.tif", pixels, metadata={"axes": "ZYX"}, photometric="minisblack")
    row = {"sample": "a", "image": str(tmp_path / "s.ome.tif"), "pixel_size_um": "0.25", "z_step_um": "1"}
    study = Study(tmp_path / "study", [row], {"use_case": "volumes"})
    each = run_here(study, {"image.z": "each", "results": "each"}, monkeypatch)
    whole = run_here(study, {"results": "whole"}, monkeypatch)
    series = each / "a" / "image.ome.zarr"
    _validate(
        [("BioFormats2Raw", series), *_of_image(series / "z2"), *_of_image(whole / "a" / "image.ome.zarr")]
    )


def test_what_is_not_valid_is_told(tmp_path: Path) -> None:
    store = _plate(tmp_path / "in.ome.zarr")
    group = json.loads((store / "zarr.json").read_text())
    del group["attributes"]["ome"]["plate"]["rows"]
    (store / "zarr.json").write_text(json.dumps(group))
    _validate([])
    with pytest.raises(AssertionError, match="plate.rows"):
        _validate([("HCS", store)])
