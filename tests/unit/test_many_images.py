"""Samples of many images: what readers list, what is refused, how many files there are, and that standards are kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from planned import PLATE, plan_of

from isthmus.blocks.grid import Region
from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.collection import write_collection
from isthmus.image.ome_zarr import create_level, write_image_metadata
from isthmus.image.source import ImageHeader
from isthmus.launch.many_images import check_images
from isthmus.plan.files import files_of
from isthmus.plan.model import ImagePlan
from isthmus.plan.windows import part_in_use
from isthmus.readers.registry import read_sample


def _write(
    path: Path, shape: tuple[int, int] = (30, 40), *, um: float = 0.5, names: tuple[str, ...] = ("a", "b")
) -> None:
    pixels = np.full((len(names), *shape), 7, np.uint16)
    about = {"axes": "CYX", "PhysicalSizeX": um, "PhysicalSizeY": um, "Channel": {"Name": list(names)}}
    tifffile.imwrite(path, pixels, metadata=about, photometric="minisblack")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "regions"
    made.mkdir()
    _write(made / "one.ome.tif")
    _write(made / "two 2.ome.tif", (50, 20))
    return made


def _read(path: Path, **row: object):
    return read_sample(Sample(sample="s", image=path, where="row 2", **row))


def test_a_folder_is_one_image_a_file(folder: Path) -> None:
    parts = _read(folder, reader="images")
    assert [(image.name, image.path) for image in parts.images] == [("one", "one"), ("two 2", "two_2")]
    assert parts.layout == "series"
    assert parts.image.header.shape == (2, 1, 50, 40), "as large as the largest along each axis"
    check_images(parts, Sample(sample="s", image=folder))


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"names": ("a", "c")}, "it has the channels a, c, image one a, b"),
        ({"um": 0.6}, "its pixels are of another size than those of image one"),
    ],
)
def test_images_of_another_kind_are_named(folder: Path, about: dict[str, object], told: str) -> None:
    _write(folder / "zoo.ome.tif", **about)  # type: ignore[arg-type]
    with pytest.raises(UserError) as caught:
        check_images(_read(folder, reader="images"), Sample(sample="s", image=folder, where="row 2"))
    assert str(caught.value).startswith("row 2, image zoo: ")
    assert told in str(caught.value)


def test_two_images_of_one_name_are_told(folder: Path) -> None:
    _write(folder / "two_2.ome.tif")
    with pytest.raises(UserError, match="2 images are called 'two_2'"):
        check_images(_read(folder, reader="images"), Sample(sample="s", image=folder))


def test_a_broken_image_is_named(folder: Path) -> None:
    (folder / "one.ome.tif").write_bytes(b"II*\x00")
    with pytest.raises(UserError, match=r"row 2, image one.*damaged or cut short"):
        _read(folder, reader="images")


def test_what_needs_one_image_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="all lie in one place"):
        _read(folder, reader="images", origin_x_um=5.0)


def test_transcripts_beside_images_are_refused(folder: Path) -> None:
    sample = Sample(sample="s", image=folder, where="row 2", reader="images", transcripts=folder / "t.csv")
    with pytest.raises(UserError, match="column transcripts: reader 'images' does not heed it"):
        check_images(read_sample(sample), sample)


def test_an_empty_folder_holds_no_images(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no TIFF files"):
        _read(tmp_path, reader="images")


def _store(path: Path, names: list[str]) -> None:
    for name in names:
        create_level(
            path / name / "0",
            shape=(1, 20, 30),
            dtype=np.dtype(np.uint16),
            chunk=(1, 20, 30),
            shard=(1, 20, 30),
            n_channels=2,
        )
        write_image_metadata(
            path / name,
            name=name,
            is_volume=False,
            factors=[(1, 1, 1)],
            affine=Affine.from_size(0.5),
            z_step_um=1.0,
            channels=("a", "b"),
        )


def test_a_plate_is_written_and_read_again(tmp_path: Path) -> None:
    names = ["A/1/0", "A/1/1", "A/12/0", "B/2/0"]
    _store(tmp_path / "p.ome.zarr", names)
    files = write_collection(tmp_path / "p.ome.zarr", names, "plate", name="p")
    assert len(files) == 3 + 2 + 1  # wells, rows, the plate
    plate = json.loads((tmp_path / "p.ome.zarr" / "zarr.json").read_text())["attributes"]["ome"]["plate"]
    assert [well["path"] for well in plate["wells"]] == ["A/1", "A/12", "B/2"]
    assert [(well["rowIndex"], well["columnIndex"]) for well in plate["wells"]] == [(0, 0), (0, 2), (1, 1)]
    assert plate["field_count"] == 2
    parts = _read(tmp_path / "p.ome.zarr")
    assert [image.path for image in parts.images] == names
    assert parts.images[2].columns == {"well": "A12", "row": "A", "column": "12", "field": "0"}
    check_images(parts, Sample(sample="s"))


def test_a_series_is_written_and_read_again(tmp_path: Path) -> None:
    names = ["left", "right"]
    _store(tmp_path / "s.ome.zarr", names)
    write_collection(tmp_path / "s.ome.zarr", names, "series", name="s")
    assert [image.path for image in _read(tmp_path / "s.ome.zarr").images] == names


def test_a_plate_of_version_0_4_is_read(tmp_path: Path) -> None:
    plate = tmp_path / "old.zarr"
    _store(plate, ["C/03/0"])
    for group, ome in (
        (plate, {"plate": {"wells": [{"path": "C/03"}], "version": "0.4"}}),
        (plate / "C/03", {"well": {"images": [{"path": "0"}]}}),
    ):
        (group / ".zattrs").write_text(json.dumps(ome))
    assert [image.name for image in _read(plate).images] == ["C03-0"]


def test_a_missing_well_folder_is_named(tmp_path: Path) -> None:
    names = ["A/1/0", "B/2/0"]
    _store(tmp_path / "p.ome.zarr", names)
    write_collection(tmp_path / "p.ome.zarr", [*names, "C/3/0"], "plate", name="p")
    (tmp_path / "p.ome.zarr" / "C" / "3" / "zarr.json").unlink()
    with pytest.raises(UserError, match="well C/3 is in its metadata, but there is no such folder"):
        _read(tmp_path / "p.ome.zarr")


def test_a_window_is_cut_out_of_each_image_that_it_touches() -> None:
    header = ImageHeader((2, 1, 60, 80), "uint16", ("a", "b"), Affine.from_size(0.5))
    shapes = {"one": (1, 60, 80), "two": (1, 60, 40), "three": (1, 20, 20)}
    origins = {"one": (0.0, 0.0), "two": (15.0, 5.0), "three": (90.0, 5.0)}
    images = tuple(
        ImagePlan(path=name, name=name, shape=shape, affine=Affine.from_size(0.5, *origins[name]).numbers())
        for name, shape in shapes.items()
    )
    found, window, cut = part_in_use(header, images, "series", (10.0, 4.0, 20.0, 10.0), where="row 2")
    assert [(image.path, image.start, image.shape) for image in cut] == [
        ("one", (0, 8, 20), (1, 12, 20)),
        ("two", (0, 0, 0), (1, 10, 10)),
    ]
    assert Affine(*cut[0].affine).to_um(np.float64(0), np.float64(0)) == (10.0, 4.0)
    assert cut[1].affine == images[1].affine
    assert (found.shape, window) == ((2, 1, 12, 20), Region((0, 0, 0), (1, 12, 20)))


def test_a_window_beside_all_images_is_told() -> None:
    with pytest.raises(
        UserError, match="does not touch any of 3456 images of samples.tsv, row 2, of which the first"
    ):
        plan_of(PLATE, image={"region_um": [-9, -9, -1, -1]})


def test_a_plate_in_a_window_keeps_its_wells() -> None:
    plan = plan_of(PLATE, image={"region_um": [0, 0, 65, 32.5]}).samples["a"]
    assert (plan.n_images, plan.n_blocks, plan.shape) == (3456, 3456, (4, 1, 100, 200))


def test_a_field_takes_few_files() -> None:
    """24 a field of one piece with its labels, whatever its channels; local labels, which go, are five more."""
    plan = plan_of(PLATE).samples["a"]
    fewer = plan_of(replace(PLATE, images=PLATE.images[:-9])).samples["a"]
    stays = [
        files_of(rule, plan) - files_of(rule, fewer)
        for rule in ("import_image", "quantify_pack", "build_pyramid")
    ]
    assert sum(stays) == 9 * 24 + 2  # and the well
    assert files_of("segment_pack", plan) - files_of("segment_pack", fewer) == 9 * 5


def test_blocks_are_told_with_their_image() -> None:
    plan = plan_of(PLATE).samples["a"]
    assert plan.place_of(0) == "image A1-0, y 0 to 2160, x 0 to 2160"
    assert plan.place_of(plan.n_blocks - 1).startswith("image P24-8, y 0")
