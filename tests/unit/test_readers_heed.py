"""Every column of the sample sheet is heeded by a reader or refused by name, and what each reads moves things."""

from __future__ import annotations

import re
from pathlib import Path

import cosmx_folder
import merscope_folder
import numpy as np
import pytest
import tifffile
import xenium_folder
from imc_files import write_text

from isthmus.config.samples import Sample
from isthmus.config.sheet_words import COLUMNS, READERS
from isthmus.errors import UserError
from isthmus.readers.heeded import ASKED, HEEDED, check_heeded
from isthmus.readers.registry import read_sample

GIVEN = {
    "transcripts": Path("t.csv"),
    "counts": Path("c"),
    "reads": Path("r"),
    "labels": Path("l.tif"),
    "acquisition": "2",
    "pixel_size_um": 0.3,
    "z_step_um": 2.0,
    "origin_x_um": 0.0,
    "origin_y_um": 7.0,
    "affine": (0.3, 0.0, 50.0, 0.0, 0.3, 60.0),
}
OF_SPOTS = {"spaceranger", "st_array"}
PASSED_OVER = [
    (reader, column) for reader, heeded in HEEDED.items() for column in ASKED if column not in heeded
]


def test_every_reader_and_every_column_is_in_the_table():
    assert set(HEEDED) == set(READERS) - OF_SPOTS
    about_other_things = {"sample", "image", "reader", "segmentation", "structures", "batch", "condition"}
    identifiers = {"image_accession", "omics_accession", "biosample"}
    assert set(ASKED) == set(COLUMNS) - about_other_things - identifiers == set(GIVEN)


@pytest.mark.parametrize(("reader", "column"), PASSED_OVER)
def test_a_column_that_would_be_passed_over_is_refused(reader, column):
    """Also where its value is 0: an origin of 0 is one."""
    sample = Sample(
        sample="a", image=Path("i"), where="samples.tsv, row 2 (sample a)", **{column: GIVEN[column]}
    )
    with pytest.raises(UserError) as caught:
        check_heeded(sample, reader)
    assert str(caught.value).startswith(f"samples.tsv, row 2 (sample a), column {column}: reader '{reader}'")
    assert all(other in str(caught.value) for other in HEEDED[reader])


def _xenium(folder: Path) -> Path:
    xenium_folder.write_xenium_folder(folder, 2)
    return folder


def _imc(folder: Path) -> Path:
    folder.mkdir()
    return write_text(folder / "a.txt", {"DNA(Ir191Di)": np.ones((3, 4))})


def _channels(folder: Path) -> Path:
    folder.mkdir()
    for name in ("DNA", "CD3"):
        tifffile.imwrite(folder / f"{name}.tif", np.zeros((8, 9), np.uint16))
    return folder


MADE = {
    "cosmx": cosmx_folder.write_export,
    "imc": _imc,
    "merscope": merscope_folder.write_region,
    "tiff_folder": _channels,
    "xenium": _xenium,
}
MAPS = [
    (reader, column) for reader in MADE for column in ("affine", "pixel_size_um") if column in HEEDED[reader]
]


@pytest.mark.parametrize(("reader", "column"), MAPS)
def test_what_is_heeded_places_the_pixels(tmp_path, reader, column):
    image = MADE[reader](tmp_path / "data")
    sample = Sample(sample="a", image=image, reader=reader, where="row 2", **{column: GIVEN[column]})
    affine = read_sample(sample).image.header.affine
    assert affine.pixel_size_um == pytest.approx((0.3, 0.3))
    if column == "affine":
        assert affine.numbers() == GIVEN["affine"]


@pytest.mark.parametrize("reader", ["merscope", "xenium"])
def test_readers_refuse_what_they_would_pass_over(tmp_path, reader):
    image = MADE[reader](tmp_path / "data")
    for column in ("pixel_size_um", "origin_x_um", "origin_y_um"):
        sample = Sample(sample="a", image=image, reader=reader, where="row 2", **{column: 1.0})
        with pytest.raises(UserError, match=rf"row 2, column {column}: reader '{reader}' does not heed it"):
            read_sample(sample)


def test_many_images_have_no_transcripts_of_their_own(tmp_path):
    from isthmus.readers.image_sets import read_images

    folder = _channels(tmp_path / "data")
    sample = Sample(
        sample="a", image=folder, pixel_size_um=1.0, where="row 2", transcripts=GIVEN["transcripts"]
    )
    with pytest.raises(UserError, match="column transcripts: transcripts beside many images"):
        read_images(sample)


def _drop_column(folder: Path) -> None:
    import pyarrow.parquet as pq

    path = folder / "transcripts.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["feature_name"]), path)


def _cut_short(folder: Path) -> None:
    path = folder / "transcripts.parquet"
    path.write_bytes(path.read_bytes()[:-20])


def _newer(folder: Path) -> None:
    (folder / "morphology_focus").rename(folder / "morphology_volume")
    path = folder / "experiment.xenium"
    path.write_text(re.sub(r"xenium-2\.0\.0\.10", "xenium-9.1.0.0", path.read_text()))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_drop_column, "transcripts.parquet': no column for gene among"),
        (_cut_short, "the Parquet file is damaged or cut short"),
        (_newer, r"analysis software 9.1.0.0\): there is no image; copy one of these"),
    ],
)
def test_xenium_folders_that_are_wrong_or_newer_are_named(tmp_path, change, words):
    folder = _xenium(tmp_path / "data")
    change(folder)
    with pytest.raises(UserError, match=words):
        read_sample(Sample(sample="a", image=folder, reader="xenium", where="row 2"))
