"""What `isthmus check` says of samples with counts, and what the plan knows of spots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pytest
import tifffile
from PIL import Image
from planned import SLIDE, plan_of
from study import Study

from isthmus.cli.main import main
from isthmus.config.samples import Sample
from isthmus.fetch import fetch
from isthmus.plan.files import files_of
from isthmus.plan.rules import PER_SAMPLE
from isthmus.readers import spaceranger
from isthmus.readers.registry import read_sample

BASINS = {"segmentation": {"basins": {"channel": "hematoxylin"}}}


@pytest.fixture(scope="module")
def visium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetch("spots_made", into=tmp_path_factory.mktemp("visium"))


@pytest.fixture(scope="module")
def hd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetch("visium_hd_made", into=tmp_path_factory.mktemp("hd"))


@pytest.fixture
def checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[str]]:
    """`isthmus check` of rows; the lines of what is wrong."""

    def check(*rows: dict[str, str], use_case: str = "spots", **options: Any) -> list[str]:
        named = [{"sample": f"s{k}", **row} for k, row in enumerate(rows)]
        study = Study(tmp_path / "study", named, {"use_case": use_case, **BASINS, **options})
        monkeypatch.chdir(study.folder)
        code = main(["check", str(study.config)])
        lines = capsys.readouterr().err.splitlines()
        assert code == (1 if lines else 0), lines
        return [line for line in lines if line.startswith("error: ")]

    return check


def picture() -> bytes:
    """A PNG of 20 x 20 pixels."""
    file = BytesIO()
    Image.fromarray(np.full((20, 20, 3), 99, np.uint8)).save(file, "png")
    return file.getvalue()


def of(data: Path, **more: str) -> dict[str, str]:
    return {"image": str(data / "image.tif"), "counts": str(data / "outs"), **more}


def test_sections_of_either_kind_are_fine(checked, visium, hd) -> None:
    assert checked(of(visium)) == []
    assert checked(of(hd)) == []


def test_spots_and_cells_have_no_common_table(checked, visium, hd) -> None:
    (line,) = checked(of(visium), of(hd))
    assert (
        "sample s1: molecules are counted in its cells, while those of sample s0 are counted in spots" in line
    )


def test_counts_alone_tell_no_place(checked, visium, tmp_path) -> None:
    path = tmp_path / "counts.h5ad"
    anndata.AnnData(np.ones((3, 2), np.float32)).write_h5ad(path)
    for row in ({"counts": str(path)}, {"counts": str(path), "image": str(visium / "image.tif")}):
        (line,) = checked(row)
        assert (
            "nothing tells where its counts were taken; name a folder of Space Ranger in column counts"
            in line
        )
    (line,) = checked({"counts": str(path), "image": str(visium / "image.tif"), "reader": "generic"})
    assert "reader generic does not know where counts were taken" in line


def test_spots_belong_to_their_use_case(checked, visium) -> None:
    (line,) = checked(of(visium), use_case="imaging_transcriptomics")
    assert "use case imaging_transcriptomics reads no counts" in line
    (visium / "outs/spatial/tissue_hires_image.png").write_bytes(picture())
    (line,) = checked(
        {"image": str(visium / "outs"), "reader": "spaceranger"}, use_case="imaging_transcriptomics"
    )
    assert "its counts are of spots, which use case imaging_transcriptomics does not know" in line


def test_counts_that_nothing_reads_are_no_secret(checked, visium, tmp_path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((64, 64), np.uint16))
    row = {"image": str(tmp_path / "a.tif"), "pixel_size_um": "0.5", "counts": str(visium / "outs/spatial")}
    (line,) = checked({**row, "reader": "generic"}, use_case="imaging_transcriptomics", segmentation={})
    assert "column counts: use case imaging_transcriptomics reads no counts; leave the column empty" in line


@pytest.mark.parametrize("column", ["pixel_size_um", "origin_x_um", "origin_y_um"])
def test_a_row_may_not_contradict_the_folder(checked, visium, column) -> None:
    (line,) = checked(of(visium, **{column: "3"}))
    assert f"the row gives {column}, which the folder tells; leave it empty" in line


def test_a_damaged_matrix_is_told_by_the_check(checked, visium, tmp_path) -> None:
    outs = tmp_path / "outs"
    for file in (visium / "outs").rglob("*"):
        if file.is_file():
            (outs / file.relative_to(visium / "outs")).parent.mkdir(parents=True, exist_ok=True)
            (outs / file.relative_to(visium / "outs")).write_bytes(file.read_bytes())
    matrix = outs / "raw_feature_bc_matrix/matrix.mtx"
    matrix.write_text(matrix.read_text()[:4000])
    (line,) = checked({"image": str(visium / "image.tif"), "counts": str(outs)})
    assert "matrix.mtx cannot be read" in line


def test_an_image_of_another_section_is_told_by_the_check(checked, visium, tmp_path) -> None:
    Image.fromarray(np.full((40, 40, 3), 99, np.uint8)).save(tmp_path / "a.png")
    (line,) = checked({"image": str(tmp_path / "a.png"), "counts": str(visium / "outs")})
    assert "no spot lies in the image; give the image that the spots were placed on" in line


def test_a_folder_of_bins_is_not_the_whole(checked, hd) -> None:
    bins = hd / "outs/binned_outputs/square_002um"
    (line,) = checked({"image": str(hd / "image.tif"), "counts": str(bins)})
    assert (
        "it is one of the folders of bins of Visium HD; name the folder outs, which holds binned_outputs"
        in line
    )


def test_a_window_without_spots_is_told_by_the_check(checked, visium) -> None:
    (line,) = checked(of(visium), image={"region_um": [0.0, 0.0, 20.0, 20.0]})
    assert "no spot lies in the window of the image; correct image.region_um" in line


def test_counts_are_read_when_they_are_asked_for_and_once(visium, monkeypatch) -> None:
    """The image is asked for by many steps, which have no use for the counts."""
    calls = []
    whole = spaceranger.read_ten_x
    monkeypatch.setattr(
        spaceranger, "read_ten_x", lambda path, where: calls.append(path) or whole(path, where=where)
    )
    parts = read_sample(Sample(sample="a", where="row 2", image=visium / "image.tif", counts=visium / "outs"))
    assert calls == []
    assert parts.spots is not None
    assert parts.spots.table().counts.shape == (224, 36)
    assert len(calls) == 1


def test_files_of_spots_are_foreseen() -> None:
    sample = replace(SLIDE, inputs={"image": "digest"})
    plain = plan_of(sample).samples["a"]
    spots = plan_of(replace(sample, inputs={"image": "digest", "counts": "digest"})).samples["a"]
    assert spots.has_spots
    assert not plain.has_spots
    more = {
        rule: files_of(rule, spots) - files_of(rule, plain) for rule in PER_SAMPLE if rule in spots.digests
    }
    assert {rule: n for rule, n in more.items() if n} == {"build_table": 1, "assess_quality": 2}


def test_the_memory_that_places_of_bins_take_is_foreseen() -> None:
    """A slide of 6.5 mm has 11.2 million bins."""
    small, large = (plan_of(replace(SLIDE, points_mb=mb)).rules for mb in (0.0, 270.0))
    more = {rule: large[rule].memory_mb - small[rule].memory_mb for rule in small}
    assert {rule: n for rule, n in more.items() if n} == {"import_transcripts": 270, "build_table": 270}
