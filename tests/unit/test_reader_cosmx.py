"""CosMx exports in several versions: places that would show a flip, an offset or half a pixel, and what is refused.

Generated with known truth: no real export has been at hand, and reader and report say so.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import cosmx_folder as made
import numpy as np
import pandas as pd
import pytest
import tifffile

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.source import SampleParts
from isthmus.readers.registry import read_sample

WHOLE = (slice(0, 1), slice(0, 130), slice(0, 280))


def read(folder: Path, **options: object) -> SampleParts:
    return read_sample(Sample(sample="a", image=folder, where="row 2", **options))


def points(parts: SampleParts) -> pd.DataFrame:
    return pd.concat([batch.to_pandas() for batch in parts.points.batches(9)], ignore_index=True)


@pytest.fixture(params=made.VERSIONS)
def parts(request: pytest.FixtureRequest, tmp_path: Path) -> SampleParts:
    return read(made.write_export(tmp_path / "export", made.VERSIONS[request.param]))


def test_fields_lie_where_they_should_whichever_way_files_say_it(parts):
    assert parts.image.header.shape == (3, 1, 130, 280)
    source = parts.image.open()
    for channel in range(3):
        expected = made.mosaic({fov: made.field_image(fov)[channel] for fov in made.LEFT_TOP})
        assert np.array_equal(source.read(channel, WHOLE)[0], expected)


def test_labels_of_all_fields_have_ids_of_their_own(parts):
    assert np.array_equal(parts.labels.open().read(0, WHOLE)[0], made.truth())
    assert parts.labels_show == "cells"


def test_a_window_is_the_window_of_the_whole(parts):
    window = (slice(0, 1), slice(37, 91), slice(61, 229))
    assert np.array_equal(parts.labels.open().read(0, window)[0], made.truth()[window[1:]])


def test_each_transcript_lies_in_the_vendors_cell_or_in_none(parts):
    table, affine = points(parts), parts.image.header.affine
    column, row = affine.to_px(table["x_um"].to_numpy(), table["y_um"].to_numpy())
    under = made.truth()[np.floor(row).astype(int), np.floor(column).astype(int)]
    vendor = table["vendor_cell_id"].astype(object).fillna("0").astype("int64").to_numpy()
    assert vendor.tolist() == [fov * 1_000_000 + cell if cell else 0 for fov, cell, *_ in made.points()]
    assert under.tolist() == vendor.tolist()


def test_micrometres_are_the_vendors_with_y_negated(parts):
    table = points(parts)
    expected = [
        (made.LEFT_TOP[fov][0] + x, -(made.LEFT_TOP[fov][1] - row)) for fov, _, x, row, _ in made.points()
    ]
    assert table[["x_um", "y_um"]].to_numpy() == pytest.approx(np.array(expected) * made.SIZE_UM, abs=1e-6)
    assert parts.image.header.affine.pixel_size_um == pytest.approx((made.SIZE_UM, made.SIZE_UM))


def test_it_says_what_it_is_and_that_no_real_export_has_tested_it(parts):
    assert parts.reader.startswith("cosmx (")
    assert not parts.tested_on_real_files
    assert any("no real CosMx export" in note for note in parts.notes)
    assert any("100.0% of the transcripts looked at" in note for note in parts.notes)
    assert parts.n_vendor_cells == 8
    assert parts.image.header.channels == made.CHANNELS
    assert [field.name for field in parts.fields] == ["1", "2", "3", "7"]
    assert parts.fields[3].x0_um == pytest.approx(5200 * made.SIZE_UM)
    assert parts.fields[3].y0_um == pytest.approx(-8930 * made.SIZE_UM)


def test_versions_are_told_apart_by_their_columns(tmp_path):
    names = {
        key: read(made.write_export(tmp_path / key, version)).reader for key, version in made.VERSIONS.items()
    }
    assert names["legacy"] == "cosmx (positions in pixels)"
    assert names["atomx"] == "cosmx (positions in mm)"
    assert names["later"] == "cosmx (global positions in mm)"


def test_without_labels_images_run_down_and_the_note_says_that_nothing_tells(tmp_path):
    folder = made.write_export(tmp_path / "export", made.ATOMX)
    shutil.rmtree(folder / "CellLabels")
    parts = read(folder)
    assert parts.labels is None
    assert any("there are no labels to tell" in note for note in parts.notes)
    expected = made.mosaic({fov: made.field_image(fov)[0] for fov in made.LEFT_TOP})
    assert np.array_equal(parts.image.open().read(0, WHOLE)[0], expected)


def _edit(name, old, new):
    def change(folder):
        path = folder / name
        path.write_text(path.read_text().replace(old, new))

    return change


def _shuffled_cells(folder):
    for fov in made.LEFT_TOP:
        tifffile.imwrite(
            folder / "CellLabels" / f"CellLabels_F{fov:03}.tif", np.full(made.FIELD_PX, 9, np.uint16)
        )


def _smaller_labels(folder):
    tifffile.imwrite(folder / "CellLabels" / "CellLabels_F002.tif", np.zeros((5, 6), np.uint16))


def _composites(folder):
    (folder / "Morphology2D").rename(folder / "CellComposite")


def _smaller(folder):
    tifffile.imwrite(
        folder / "Morphology2D" / "a_F00007.TIF", np.zeros((3, 5, 6), np.uint16), photometric="minisblack"
    )
    (folder / "Morphology2D" / "20240101_S1_C902_F00007.TIF").unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "slide_tx_file.csv").unlink(), r"there is no \*_tx_file.csv"),
        (lambda f: shutil.rmtree(f / "Morphology2D"), "there is no folder Morphology2D"),
        (_composites, "only CellComposite, whose pictures are no measured intensities"),
        (_edit("slide_tx_file.csv", ",target,", ",gene_name,"), "slide_tx_file.csv has no column target"),
        (_edit("slide_tx_file.csv", "x_local_px", "x_FOV_px"), "slide_tx_file.csv has no column x_local_px"),
        (
            _edit("slide_fov_positions_file.csv", "x_global_px", "x_slide_um"),
            "a layout that this version does not know",
        ),
        (_edit("slide_fov_positions_file.csv", "\n7,", "\n8,"), "field 7 has an image and no line"),
        (_edit("slide_fov_positions_file.csv", "5000.0", "5044.0"), "the transcripts put field 1 at x 5000"),
        (_shuffled_cells, "only 0% of the transcripts of field 1 lie in the cell that the table names"),
        (_smaller_labels, "'CellLabels_F002.tif' has 5 x 6 pixels in 1 channels, the images 60 x 80"),
        (_smaller, "'a_F00007.TIF' is 3 x 1 x 5 x 6"),
        (
            lambda f: (f / "Morphology2D" / "20240101_S1_C902_F00007.TIF").unlink(),
            "there are transcripts of field 7, which has no image",
        ),
        (lambda f: shutil.copy(f / "slide_tx_file.csv", f / "b_tx_file.csv"), "there are several tables"),
    ],
)
def test_what_is_missing_or_new_is_named(tmp_path, change, words):
    folder = made.write_export(tmp_path / "export")
    change(folder)
    with pytest.raises(UserError, match=words) as caught:
        points(read(folder, reader="cosmx"))
    assert str(caught.value).count("\n") == 0
    assert caught.value.do


def test_another_size_of_pixels_moves_everything_together(tmp_path):
    parts = read(made.write_export(tmp_path / "export"), pixel_size_um=0.18)
    assert parts.image.header.affine.pixel_size_um == pytest.approx((0.18, 0.18))
    table = points(parts)
    column, row = parts.image.header.affine.to_px(table["x_um"].to_numpy(), table["y_um"].to_numpy())
    under = made.truth()[np.floor(row).astype(int), np.floor(column).astype(int)]
    assert (under > 0).tolist() == [cell > 0 for _, cell, *_ in made.points()]
