"""Imported label images as an oracle for all that comes after, and a vendor's folder through the whole workflow."""

from __future__ import annotations

import json
from pathlib import Path

import compare
import numpy as np
import pyarrow as pa
import pytest
import tifffile
import xenium_folder
from scipy.ndimage import distance_transform_edt, find_objects
from study import Study, journal_lines
from synthetic import Tissue
from tissue_sample import ORIGIN_UM, PIXEL_SIZE_UM, SHAPE, TISSUE, image_of, transcripts_of, write_sample

from isthmus.blocks.grid import Region

LARGE = 2**41 + 1


def oracle_labels() -> np.ndarray:
    """True nuclei with ids that have gaps and pass 32 bits, one object across six blocks, one in two parts."""
    truth = TISSUE.truth(Region((0, 0, 0), (1, *SHAPE)))
    if truth.ndim == 3:
        truth = truth[0]
    truth[300:330, 60:700] = LARGE
    truth[10:20, 850:860] = 7
    truth[500:540, 250:262] = 7
    return truth.astype(np.uint64)


def grown_by_hand(nuclei: np.ndarray, expand_px: float) -> np.ndarray:
    """Every pixel goes to the nearest nucleus within reach, of equally near ones to that of the smaller id."""
    cells, nearest = np.zeros_like(nuclei), np.full(nuclei.shape, np.inf)
    values = np.unique(nuclei)[1:]
    compact = np.searchsorted(values, nuclei) + 1
    compact[nuclei == 0] = 0
    reach = int(expand_px) + 1
    for number, place in enumerate(find_objects(compact), start=1):
        around = tuple(
            slice(max(0, s.start - reach), min(n, s.stop + reach))
            for s, n in zip(place, nuclei.shape, strict=True)
        )
        square = np.round(distance_transform_edt(compact[around] != number) ** 2)
        nearer = (square < nearest[around]) & (square <= expand_px**2)
        nearest[around][nearer] = square[nearer]
        cells[around][nearer] = values[number - 1]
    return cells


@pytest.mark.slow
def test_imported_labels_keep_their_ids_and_are_grown(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    row = write_sample(folder)
    given = oracle_labels()
    assert given.max() > 2**32
    tifffile.imwrite(folder / "labels.tif", given, tile=(128, 128), compression="zlib")
    options = {"segmentation": {"method": "labels"}, "execution": {"block_px": 256, "packs": 2}}
    study = Study(folder, [{**row, "labels": "labels.tif"}], options)
    ended = study.run(until=["a/cells.h5ad", "a/seams.json"])
    assert ended.code == 0, ended.text
    certificate = json.loads((study.results / "a" / "seams.json").read_text())
    assert certificate["differing_pixels"] == 0
    assert certificate["windows"]
    assert not certificate["skipped"]
    assert certificate["method"] == "labels"
    assert "imported label image" in certificate["statement"]
    nuclei, cells = compare.labels(study.results, "nuclei"), compare.labels(study.results, "cells")
    assert np.array_equal(nuclei, given)
    assert np.array_equal(cells, grown_by_hand(given, 3.0 / PIXEL_SIZE_UM))
    table = compare.cells(study.results)
    ids = np.unique(given)[1:]
    assert table.obs["instance_id"].tolist() == ids.tolist()
    assert table.obs_names[-1] == f"a-{ids[-1]}"
    areas = [(cells == i).sum() * PIXEL_SIZE_UM**2 for i in ids]
    np.testing.assert_allclose(table.obs["area_um2"], areas, rtol=1e-12)
    assert table.obs.loc[f"a-{LARGE}", "touches_seam"]
    assert not table.obs.loc[f"a-{LARGE}", "touches_edge"]
    rows, columns = np.nonzero(cells == 7)
    expected = [ORIGIN_UM[0] + (columns.mean() + 0.5) * PIXEL_SIZE_UM]
    expected += [ORIGIN_UM[1] + (rows.mean() + 0.5) * PIXEL_SIZE_UM]
    np.testing.assert_allclose(table["a-7"].obsm["spatial"][0], expected, atol=1e-9)
    # The same labels in one block: nothing differs, and the vendor's image was not segmented.
    one = study.run(sets={"execution.block_px": 1024, "execution.packs": 1}, until=["a/cells.h5ad"])
    assert one.code == 0, one.text
    assert np.array_equal(compare.labels(study.results, "cells"), cells)
    compare.assert_same_table(table, compare.cells(study.results))
    assert journal_lines(study.results, "segment_pack") == 12 + 1


def xenium_sample(folder: Path) -> np.ndarray:
    """An output folder of software 2 with our tissue in it; returns the image (c, y, x)."""
    tissue = Tissue(seed=5, pitch_px=64, radius_px=(15.0, 25.0))
    shape = (400, 500)
    xenium_folder.write_xenium_folder(folder, 2, shape=shape)
    image = np.concatenate([image_of(shape, tissue)] * 2)
    for path in (folder / "morphology_focus").iterdir():
        path.unlink()
    xenium_folder.multi_file_ome(
        folder / "morphology_focus", xenium_folder.IMAGE_NAMES[2], image, xenium_folder.STAINS
    )
    table = transcripts_of(shape, tissue)
    for place, (name, origin) in enumerate(
        zip(("x_location", "y_location"), ORIGIN_UM, strict=True), start=4
    ):
        table = table.set_column(place, name, pa.array(table[name].to_numpy() - origin))
    table = table.append_column("z_location", pa.array(np.full(table.num_rows, 11.0)))
    xenium_folder.write_transcripts(folder / "transcripts.parquet", table)
    return image


@pytest.mark.slow
def test_a_xenium_folder_from_end_to_end(tmp_path: Path) -> None:
    image = xenium_sample(tmp_path / "study" / "output-XETG")
    study = Study(tmp_path / "study", [{"sample": "x", "image": "output-XETG", "reader": "xenium"}])
    ended = study.run()
    assert ended.code == 0, ended.text
    table, cells = compare.cells(study.results, "x"), compare.labels(study.results, "cells", "x")
    assert cells.shape == image.shape[1:]
    assert 20 < table.n_obs < 60
    assert {f"{stain}_mean_cell" for stain in xenium_folder.STAINS} <= set(table.obsm["intensity"])
    rows = compare.transcripts(study.results, "x").to_pandas()
    assert (rows["z_um"] == 11).all()
    inside = (rows["x_um"] >= 0).to_numpy()
    under = np.zeros(len(rows), dtype=int)
    at = (rows["y_um"] / 0.2125).astype(int), (rows["x_um"] / 0.2125).astype(int)
    under[inside] = cells[at[0][inside], at[1][inside]]
    assert (rows["instance_id"] == under).mean() > 0.999
    assert (study.results / "report.html").exists()
    page = (study.results / "report.html").read_text()
    assert "ATP1A1/CD45/E-Cadherin" in page or "ATP1A1&#x2F;CD45" in page or "DAPI" in page
