"""A plate that one run has written as OME-Zarr is what another reads: the same fields, cells and places."""

from __future__ import annotations

from pathlib import Path

import compare
import numpy as np
import pytest
import tifffile
import zarr
from in_process import run_here
from study import Study
from synthetic import Tissue

WELLS, SITES, SHAPE = ("B02", "C11"), (1, 2), (260, 300)
PIXEL_UM = 0.5
OPTIONS = {
    "use_case": "screening",
    "segmentation": {"basins": {"channel": "w1", "nucleus_diameter_um": 12.0}},
    "execution": {"block_px": 256},
}


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as ImageXpress writes them: each field has nuclei of its own."""
    folder = tmp_path_factory.mktemp("made") / "plate"
    folder.mkdir()
    for number, well in enumerate(WELLS):
        for site in SITES:
            tissue = Tissue(seed=10 * number + site, pitch_px=40, radius_px=(9.0, 14.0))
            for wave, pixels in enumerate(tissue.image(SHAPE, n_channels=2)[:, 0], start=1):
                tifffile.imwrite(folder / f"p_{well}_s{site}_w{wave}.tif", pixels)
    return folder


def run_of(folder: Path, image: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder.mkdir()
    row = {"sample": "a", "image": str(image)}
    if image.name == "plate":
        row |= {"reader": "imagexpress", "pixel_size_um": str(PIXEL_UM)}
    return run_here(Study(folder, [row], OPTIONS), {}, monkeypatch)


def test_a_plate_that_was_written_is_read_as_the_same_plate(
    plate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_of(tmp_path / "first", plate, monkeypatch)
    written = first / "a" / "image.ome.zarr"
    again = run_of(tmp_path / "again", written, monkeypatch)
    fields = sorted(path.parent.relative_to(written) for path in written.glob("*/*/*/labels"))
    assert len(fields) == len(WELLS) * len(SITES)
    for field in fields:
        for array in ("0", "labels/nuclei/0", "labels/cells/0"):
            one, other = (
                zarr.open_array(results / "a" / "image.ome.zarr" / field / array, mode="r")[:]
                for results in (first, again)
            )
            assert np.array_equal(one, other), f"{field}/{array}"
    one, other = compare.cells(first), compare.cells(again)
    assert one.n_obs > 60
    assert set(one.obs["well"]) == set(WELLS)
    for table in (one, other):  # fields are called by their stores in the second run
        table.obs = table.obs.drop(columns=[name for name in ("image", "field") if name in table.obs])
    compare.assert_same_table(one, other)
