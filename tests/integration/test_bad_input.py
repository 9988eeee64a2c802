"""What a user gets wrong is told in one line each, before anything is written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tifffile
from study import Study
from tissue_sample import SHAPE, image_of, transcripts_of, write_image, write_sample, write_transcripts

from isthmus.cli.main import main


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    folder = tmp_path / "study"
    made = Study(folder, [write_sample(folder)])
    monkeypatch.chdir(folder)
    return made


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Runs a study that must be refused; returns the lines that say why."""

    def run(study: Study, *sets: str) -> list[str]:
        before = sorted(study.folder.rglob("*"))
        words = ["run", str(study.config), "--cores", "2"]
        code = main([*words, *(word for text in sets for word in ("--set", text))])
        said = capsys.readouterr()
        assert code == 1, said.err
        assert sorted(study.folder.rglob("*")) == before, "something was written"
        lines = said.err.splitlines()
        assert all(line.startswith("error: ") for line in lines), said.err
        assert "Traceback" not in said.err
        assert said.out == ""
        return lines

    return run


def only(lines: list[str], *words: str) -> None:
    """Exactly one line, which holds all the words."""
    assert len(lines) == 1, lines
    assert [word for word in words if word not in lines[0]] == [], lines[0]


def test_missing_image(study, refused) -> None:
    study.rows[0]["image"] = "gone.tif"
    study.write()
    only(refused(study), "samples.tsv, row 2 (sample a)", "gone.tif", "does not exist")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("well\tx\nA1\t2\n", "this is no GeoJSON"),
        ('{"type": "FeatureCollection", "features": []}', "there is nothing in it"),
        (
            '{"type": "Polygon", "coordinates": [[[9e6, 9e6], [9e6, 9.1e6], [9.1e6, 9e6], [9e6, 9e6]]]}',
            "lie beside the",
        ),
    ],
)
def test_structures_that_are_none_or_lie_elsewhere(study, refused, content: str, told: str) -> None:
    (study.folder / "drawn.geojson").write_text(content)
    study.rows[0]["structures"] = "drawn.geojson"
    study.write()
    only(refused(study), "row 2 (sample a), structures", "drawn.geojson", told)


def test_a_column_that_the_reader_would_pass_over(study, refused) -> None:
    study.rows[0]["acquisition"] = "2"
    study.write()
    only(
        refused(study),
        "row 2 (sample a), column acquisition",
        "does not heed it",
        "this reader heeds transcripts",
    )


def test_folder_instead_of_image(study, refused) -> None:
    (study.folder / "empty").mkdir()
    study.rows[0]["image"] = "empty"
    study.write()
    only(refused(study), "row 2 (sample a)", "empty")


@pytest.mark.parametrize("share", [0.0, 0.00002, 0.001, 0.5, 0.98])
def test_truncated_image(study, refused, share: float) -> None:
    path = study.folder / "a.ome.tif"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    only(refused(study), "row 2 (sample a)", "a.ome.tif")


def test_truncated_untiled_image(study, refused) -> None:
    path = study.folder / "plain.tif"
    tifffile.imwrite(path, image_of()[0])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    study.rows[0]["image"] = path.name
    study.write()
    only(refused(study), "row 2 (sample a)", "plain.tif")


def test_text_named_tif(study, refused) -> None:
    (study.folder / "a.ome.tif").write_text("this is no image\n" * 100)
    only(refused(study), "row 2 (sample a)", "a.ome.tif")


def test_float_image(study, refused) -> None:
    write_image(study.folder / "a.ome.tif", image_of().astype(np.float32))
    only(refused(study), "row 2 (sample a)", "float32")


@pytest.mark.parametrize("column", ["feature_name", "x_location", "y_location"])
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_transcripts_without_a_column(study, refused, column: str, suffix: str) -> None:
    table = transcripts_of().drop_columns([column])
    study.rows[0]["transcripts"] = write_transcripts(study.folder / f"less.{suffix}", table).name
    study.write()
    only(refused(study), "row 2 (sample a)", f"less.{suffix}", column)


def test_empty_transcripts(study, refused) -> None:
    write_transcripts(study.folder / "a.parquet", transcripts_of().slice(0, 0))
    only(refused(study), "row 2 (sample a)", "a.parquet", "no rows")


def test_transcripts_of_no_bytes(study, refused) -> None:
    (study.folder / "a.parquet").write_bytes(b"")
    only(refused(study), "row 2 (sample a)", "a.parquet", "empty")


def test_truncated_transcripts(study, refused) -> None:
    path = study.folder / "a.parquet"
    path.write_bytes(path.read_bytes()[:1000])
    only(refused(study), "row 2 (sample a)", "a.parquet")


def test_coordinates_that_are_no_numbers(study, refused) -> None:
    table = transcripts_of()
    words = pa.array(["here"] * table.num_rows)
    path = write_transcripts(study.folder / "a.csv", table.set_column(4, "x_location", words))
    study.rows[0]["transcripts"] = path.name
    study.write()
    only(refused(study), "row 2 (sample a)", "a.csv", "x_location")


@pytest.mark.parametrize(
    ("column", "value"), [("origin_x_um", "5000"), ("pixel_size_um", "0.0011"), ("origin_y_um", "-900")]
)
def test_image_and_transcripts_that_do_not_overlap(study, refused, column: str, value: str) -> None:
    study.rows[0][column] = value
    study.write()
    only(refused(study), "row 2 (sample a)", "transcripts lies in the image", "origin_x_um")


def test_pixels_below_a_nanometre(study, refused) -> None:
    study.rows[0]["pixel_size_um"] = "0.00001"
    study.write()
    only(refused(study), "row 2 (sample a)", "1e-05 um", "in micrometres")


def test_affine_that_turns_everything_away(study, refused) -> None:
    row = {key: value for key, value in study.rows[0].items() if not key.startswith(("origin", "pixel"))}
    study.rows[0] = {**row, "affine": "0.2125 0 -1000 0 0.2125 -200"}
    study.write()
    only(refused(study), "row 2 (sample a)", "transcripts lies in the image", "affine")


@pytest.mark.parametrize("affine", ["1 0 0 0 1", "a b c d e f", "0 0 0 0 0 0", "nan 0 0 0 1 0"])
def test_affine_that_is_none(study, refused, affine: str) -> None:
    row = {key: value for key, value in study.rows[0].items() if not key.startswith(("origin", "pixel"))}
    study.rows[0] = {**row, "affine": affine}
    study.write()
    only(refused(study), "row 2", "affine")


def test_no_pixel_size(study, refused) -> None:
    del study.rows[0]["pixel_size_um"]
    study.write()
    only(refused(study), "row 2 (sample a)", "pixel_size_um")


def test_unknown_key(study, refused) -> None:
    study.options = {"segmentation": {"basins": {"nucleus_diamter_um": 8}}}
    study.write()
    only(refused(study), "config.yaml", "segmentation.basins.nucleus_diamter_um", "did you mean")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cells.expand_um=wide", ("cells.expand_um", "wide")),
        ("cells.expand_um=-1", ("cells.expand_um", "-1")),
        ("execution.block_px=300", ("execution.block_px", "300")),
        ("execution.packs=0", ("execution.packs", "0")),
        ("execution.pack=1", ("execution.pack", "packs")),
        ("segmentation.method=basin", ("segmentation.method", "basin")),
        ("image.region_um=[0, 0, 1]", ("image.region_um",)),
        ("image.region_um=[0, 0, 10, 10]", ("image.region_um", "does not touch")),
        ("segmentation.basins.channel=GFP", ("GFP", "DAPI", "membrane", "sample a")),
        (
            "cells.guide.channel=membrame",
            ("cells.guide.channel", "membrame", "DAPI", "'membrane'", "sample a"),
        ),
        ("quantification.channels=[DAPI, CD45]", ("CD45", "DAPI", "membrane", "sample a")),
        ("analysis.annotation.reference=none.csv", ("analysis.annotation.reference", "none.csv")),
        ("segmentation.method=labels", ("sample a", "labels")),
        ("samples=none.tsv", ("none.tsv", "no such file")),
    ],
)
def test_wrong_options(study, refused, text: str, words: tuple[str, ...]) -> None:
    only(refused(study, text), *words)


def test_all_faults_of_a_configuration_at_once(study, refused) -> None:
    study.options = {"cells": {"expand_um": "wide"}, "analysis": {"seed": -1}, "colour": "blue"}
    study.write()
    lines = refused(study)
    assert len(lines) == 3
    for key in ("cells.expand_um", "analysis.seed", "colour"):
        assert sum(key in line for line in lines) == 1


def test_all_faults_of_all_samples_at_once(study, refused) -> None:
    study.rows = [study.rows[0], {**study.rows[0], "sample": "b", "image": "gone.tif"}]
    study.rows.append({**study.rows[0], "sample": "c", "origin_x_um": "9000"})
    study.rows.append({**study.rows[0], "sample": "d", "transcripts": "gone.csv"})
    study.write()
    lines = refused(study)
    assert len([line for line in lines if "(sample b)" in line]) == 1
    assert len([line for line in lines if "(sample d)" in line]) == 1
    assert not any("(sample a)" in line for line in lines)


def test_flat_and_three_dimensional_samples_together(study, refused) -> None:
    name = "volume.ome.tif"
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 1.0}
    pixels = np.stack([image_of()[0]] * 3)
    tifffile.imwrite(study.folder / name, pixels, ome=True, metadata={"axes": "ZYX", **sizes})
    study.rows.append({**study.rows[0], "sample": "b", "image": name})
    study.write()
    only(refused(study), "samples.tsv", "sample b", "3 planes", "sample a has one")


def test_sample_named_twice(study, refused) -> None:
    study.rows *= 2
    study.write()
    only(refused(study), "samples.tsv, row 3", "a")


def test_sample_name_that_is_no_folder(study, refused) -> None:
    study.rows[0]["sample"] = "../a"
    study.write()
    only(refused(study), "samples.tsv, row 2", "../a")


def test_sample_named_as_a_folder_of_the_run(study, refused) -> None:
    study.rows[0]["sample"] = "work"
    study.write()
    only(refused(study), "samples.tsv, row 2", "work")


def test_sheet_of_commas(study, refused) -> None:
    sheet = study.folder / "samples.tsv"
    sheet.write_text(sheet.read_text().replace("\t", ","))
    only(refused(study), "samples.tsv", "commas")


def test_missing_configuration(study, refused) -> None:
    study.config.unlink()
    only(refused(study), "config.yaml", "no such file")


def test_configuration_that_is_no_yaml(study, refused) -> None:
    study.config.write_text("samples: [a\n  b: }")
    only(refused(study), "config.yaml")


def test_labels_of_another_shape(study, refused) -> None:
    tifffile.imwrite(study.folder / "labels.tif", np.zeros((SHAPE[0], SHAPE[1] + 1), np.uint16))
    study.rows[0]["labels"] = "labels.tif"
    study.write()
    only(refused(study, "segmentation.method=labels"), "row 2 (sample a)", "labels.tif", "1 x 700 x 901")


def test_labels_that_are_no_whole_numbers(study, refused) -> None:
    tifffile.imwrite(study.folder / "labels.tif", np.zeros(SHAPE, np.float32))
    study.rows[0]["labels"] = "labels.tif"
    study.write()
    only(refused(study, "segmentation.method=labels"), "column labels", "float32", "labels as uint32")


def test_results_below_a_file(study, refused) -> None:
    (study.folder / "file").write_text("")
    only(refused(study, f"results={study.folder}/file/out"), "results", "file/out", "cannot be written")


def test_results_are_a_file(study, refused) -> None:
    (study.folder / "file").write_text("")
    only(refused(study, f"results={study.folder}/file"), "results", "cannot be written")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system that is mounted read-only."""
    folder = tmp_path / "read_only"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_results_on_a_read_only_file_system(study, refused, read_only: Path) -> None:
    only(refused(study, f"results={read_only}/out"), "results", "Read-only file system")
    assert list(read_only.iterdir()) == []


@pytest.mark.slow
def test_a_broken_tile_is_told_and_other_samples_finish(fresh: Callable[..., Study]) -> None:
    """The headers are whole, so only reading finds it."""
    study = fresh("a", "b")
    with tifffile.TiffFile(study.folder / "b.ome.tif") as tif:
        page = tif.pages[0]
        offset, size = page.dataoffsets[20], page.databytecounts[20]
    with (study.folder / "b.ome.tif").open("r+b") as file:
        file.seek(offset + 2)
        file.write(b"\xff" * (size - 2))
    ended = study.run()
    assert ended.code == 1, ended.text
    only(ended.faults, "sample b", "b.ome.tif")
    assert "Traceback" not in ended.text
    assert (study.results / "a" / "cells.h5ad").is_file()
    assert not (study.results / "b").exists()
    assert not (study.results / "cohort").exists()
    assert not (study.results / "report.html").exists()
    errors = [json.loads(path.read_text()) for path in (study.results / "work" / "errors").glob("*.json")]
    assert [error["job"] for error in errors] == ["import_image, sample b"]
