"""Plates of ImageXpress: the real ones, and generated folders that lack something."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.source import NamedImage, SampleParts
from isthmus.readers.imagexpress_htd import read_htd
from isthmus.readers.registry import detect_reader, read_sample

DATA = Path(__file__).parents[3] / "shared" / "data"
CELLS = DATA / "hcs_imagexpress_cells" / "9987_Plate_3434"
BEADS = DATA / "hcs_imagexpress_beads" / "Projection-Mix"
STEM = "9987_{}_s{}_w{}.TIF"

needs_cells = pytest.mark.skipif(not CELLS.exists(), reason="the plate of cells is not in shared/data")
needs_beads = pytest.mark.skipif(not BEADS.exists(), reason="the plate of beads is not in shared/data")


def _read(path: Path, z: str | int = "auto") -> SampleParts:
    return read_sample(Sample(sample="p", image=path, reader="imagexpress", z=z, where="samples.tsv, row 2"))


def _pixels(image: NamedImage, channel: int) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    _, z, y, x = image.part.header.shape
    return image.part.open().read(channel, (slice(0, z), slice(0, y), slice(0, x)))[0]


@needs_cells
def test_an_exported_plate() -> None:
    parts = _read(CELLS)
    assert detect_reader(Sample(sample="p", image=CELLS)) == "imagexpress"
    assert parts.layout == "plate"
    assert parts.image.header.shape == (3, 1, 256, 256)
    assert parts.image.header.channels == ("DAPI", "FITC", "Texas Red")
    assert [image.path for image in parts.images] == ["B/02/1", "B/02/2", "B/03/1", "B/03/2"]
    assert [image.columns["well"] for image in parts.images] == ["B02", "B02", "B03", "B03"]
    told = " ".join(parts.notes)
    assert "w4 (Cy5), of which there are no pictures" in told
    assert "speaks of 3 planes, there are 2" in told
    for image in parts.images:
        for channel, wave in enumerate((1, 2, 3)):
            well, site = image.name.split("-")
            file = CELLS / "TimePoint_1" / "ZStep_0" / STEM.format(well, site, wave)
            assert np.array_equal(_pixels(image, channel), tifffile.imread(file))


@needs_cells
def test_fields_lie_on_the_stage_as_their_overlap_shows() -> None:
    """The last columns of site 1 of B03 show what the first of site 2 show, where the stage puts them."""
    one, two = (image for image in _read(CELLS).images if image.columns["well"] == "B03")
    a, b = one.part.header.affine, two.part.header.affine
    shift = (b.c - a.c) / a.a
    assert (b.f - a.f) == 0
    overlap = round(256 - shift)
    assert overlap == 26
    best = max(
        range(15, 35),
        key=lambda n: np.corrcoef(_pixels(one, 0)[:, -n:].ravel(), _pixels(two, 0)[:, :n].ravel())[0, 1],
    )
    assert abs(best - overlap) <= 3, "the stage is right to a few pixels, and x grows to the right"


@needs_cells
@pytest.mark.parametrize(("z", "joined"), [("max", np.max), ("mean", np.mean)])
def test_planes_are_joined_on_demand(z: str, joined) -> None:
    image = _read(CELLS, z).images[0]
    planes = [
        tifffile.imread(CELLS / "TimePoint_1" / f"ZStep_{k}" / STEM.format("B02", 1, 1)) for k in (1, 2)
    ]
    assert np.array_equal(_pixels(image, 0), np.floor(joined(planes, axis=0)).astype(np.uint16))


@needs_cells
def test_one_plane_on_demand() -> None:
    image = _read(CELLS, 1).images[0]
    wanted = tifffile.imread(CELLS / "TimePoint_1" / "ZStep_2" / STEM.format("B02", 1, 1))
    assert np.array_equal(_pixels(image, 0), wanted)


@needs_beads
def test_a_folder_of_the_database() -> None:
    parts = _read(BEADS)
    assert parts.image.header.shape == (4, 1, 512, 512)
    assert [image.path for image in parts.images] == ["E/07/1", "E/07/2"]
    assert "48 thumbnails are left out" in parts.notes
    one, two = parts.images
    assert one.part.header.affine.pixel_size_um == (1.3668, 1.3668)
    assert (two.part.header.affine.c - one.part.header.affine.c) / 1.3668 == pytest.approx(512.1, abs=0.1)
    folders = [path.parent.name for path in one.part.files]
    assert folders == ["1334", "1334", "1334", "ZStep_1"], "projections first; w4 was taken once"
    planes = _read(BEADS, "max").images[0]
    assert [path.parent.name for path in planes.part.files].count("1334") == 1, "w3 has no planes"


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Wells A01 and B12, two sites, two wavelengths, without any metadata."""
    folder = tmp_path / "plate"
    folder.mkdir()
    for well in ("A01", "B12"):
        for site in (1, 2):
            for wave in (1, 2):
                pixels = np.full((8, 12), 100 * wave + site, np.uint16)
                tifffile.imwrite(folder / f"p_{well}_s{site}_w{wave}.tif", pixels)
    rows = ["TRUE, " + ", ".join(["FALSE"] * 11), ", ".join(["FALSE"] * 11) + ", TRUE"]
    lines = [f'"WellsSelection{n}", {row}' for n, row in enumerate(rows, start=1)]
    (folder / "p.HTD").write_bytes(
        "\n".join(['"Description", "a\x81b"', *lines, '"EndFile"']).encode("latin-1")
    )
    return folder


def _fault(path: Path, **row: object) -> str:
    with pytest.raises(UserError) as caught:
        read_sample(Sample(sample="p", image=path, reader="imagexpress", where="row 2", **row))
    return str(caught.value)


def test_a_plate_without_metadata_needs_a_pixel_size(plate: Path) -> None:
    assert "does not say how large its pixels are; fill column pixel_size_um" in _fault(plate)
    parts = read_sample(Sample(sample="p", image=plate, pixel_size_um=0.5))
    assert [image.name for image in parts.images] == ["A01-1", "A01-2", "B12-1", "B12-2"]
    assert parts.images[0].part.header.affine.numbers() == (0.5, 0, 0, 0, 0.5, 0)
    assert parts.image.header.channels == ("w1", "w2")
    assert any("each has its own origin" in note for note in parts.notes)


def test_a_missing_well_is_named(plate: Path) -> None:
    for file in plate.glob("*_B12_*"):
        file.unlink()
    assert "well B12 was selected in 'p.HTD', but has no pictures" in _fault(plate, pixel_size_um=1.0)


def test_a_missing_wavelength_is_named(plate: Path) -> None:
    (plate / "p_B12_s2_w2.tif").unlink()
    told = _fault(plate, pixel_size_um=1.0)
    assert "field B12-2: it lacks wavelength w2, which field A01-1 has" in told


def test_a_missing_plane_is_named(plate: Path) -> None:
    for file in list(plate.glob("*.tif")):
        for step in (1, 2):
            (plate / f"ZStep_{step}").mkdir(exist_ok=True)
            shutil.copy(file, plate / f"ZStep_{step}" / file.name)
    assert _fault(plate, pixel_size_um=1.0, z="all").startswith("image.z, row 2")
    assert "plane 9 was asked for, but there are 2, from 0" in _fault(plate, pixel_size_um=1.0, z=9)
    (plate / "ZStep_2" / "p_A01_s2_w1.tif").unlink()
    told = _fault(plate, pixel_size_um=1.0)
    assert "field A01-2: w1 has the steps of z 0, 1, in field A01-1 0, 1, 2" in told


@pytest.mark.parametrize("kept", [4, 200])
def test_a_file_cut_short_names_its_field(plate: Path, kept: int) -> None:
    broken = plate / "p_B12_s1_w2.tif"
    broken.write_bytes(broken.read_bytes()[:kept])
    told = _fault(plate, pixel_size_um=1.0)
    assert "field B12-1" in told
    assert "p_B12_s1_w2.tif" in told
    assert "cut short" in told


def test_two_acquisitions_are_not_mixed(plate: Path) -> None:
    shutil.copytree(plate, plate / "TimePoint_2")
    assert "it holds 2 acquisitions or time points (., TimePoint_2)" in _fault(plate, pixel_size_um=1.0)


def test_a_picture_twice_is_told(plate: Path) -> None:
    shutil.copy(plate / "p_A01_s1_w1.tif", plate / "q_A01_s1_w1.tif")
    assert "are one picture twice" in _fault(plate, pixel_size_um=1.0)


def test_an_empty_folder_is_no_plate(tmp_path: Path) -> None:
    assert "name the folder of a plate of ImageXpress" in _fault(tmp_path)


@needs_cells
def test_the_htd_file_of_a_real_plate() -> None:
    htd = read_htd(CELLS / "9987.HTD")
    assert htd.wells == ("B02", "B03")
    assert htd.waves == {1: "DAPI", 2: "FITC", 3: "Texas Red", 4: "Cy5"}
    assert htd.n_steps == 3
