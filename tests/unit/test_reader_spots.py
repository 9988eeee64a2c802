"""Spots: stains, places and counts of Space Ranger folders and arrays, and what is said of broken ones."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import tifffile
from PIL import Image
from skimage.color import rgb2hed

from isthmus.blocks.grid import Region
from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.fetch import fetch
from isthmus.image.affine import Affine
from isthmus.image.open import open_image
from isthmus.image.source import SampleParts, SpotTable
from isthmus.image.stains import CHANNELS, STEPS, with_stains
from isthmus.plan.model import SamplePlan
from isthmus.readers.registry import read_sample
from isthmus.readers.section_image import stained
from isthmus.steps.spot_window import inside_window
from isthmus.tables.spots import count_inside, describe_genes

SHARED = Path(__file__).parents[2].resolve().parent / "shared/data"
VISIUM = SHARED / "visium_spatialexperiment/10xVisium"
MOB = SHARED / "st_mob"
PLACES = np.random.default_rng(1).uniform(0, 200, (2, 224))
has_visium = pytest.mark.skipif(not VISIUM.is_dir(), reason="the shared real data are not there")
has_mob = pytest.mark.skipif(not MOB.is_dir(), reason="the shared real data are not there")
Window = tuple[slice, slice, slice]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetch("spots_made", into=tmp_path_factory.mktemp("spots"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of the generated folder, to harm."""
    shutil.copytree(made / "outs", tmp_path / "outs")
    return tmp_path / "outs"


def read(counts: Path, image: Path | None = None) -> SampleParts:
    return read_sample(Sample(sample="a", counts=counts, image=image, where="row 2"))


def table(parts: SampleParts) -> SpotTable:
    assert parts.spots is not None
    return parts.spots.table()


def whole(shape: tuple[int, ...]) -> Window:
    return (slice(0, 1), slice(0, shape[-2]), slice(0, shape[-1]))


def test_stains_are_those_of_scikit_image(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(1, 256, (40, 50, 3)).astype(np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    part = stained(open_image(tmp_path / "a.png"), Affine.from_size(1.0), "row 2")
    expected = rgb2hed(colours) * -np.log(1e-6)
    for channel, name in enumerate(("hematoxylin", "eosin")):
        found = part.open().read(CHANNELS.index(name), whole(colours.shape[:2]))[0] / STEPS
        np.testing.assert_allclose(found, expected[..., channel], atol=2e-3)
    np.testing.assert_array_equal(part.open().read(4, whole((40, 50)))[0], colours[..., 1])


def test_a_window_of_stains_is_the_crop_of_the_whole(made: Path) -> None:
    part = with_stains(open_image(made / "image.tif").part(Affine.from_size(1.0)))
    window: Window = (slice(0, 1), slice(301, 377), slice(250, 613))
    for channel in range(len(CHANNELS)):
        expected = part.open().read(channel, whole((1536, 1536)))[window]
        assert np.array_equal(part.open().read(channel, window), expected)


def test_only_colours_of_8_bits_have_stains(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((9, 9), np.uint16))
    with pytest.raises(UserError, match="has 1 channels of uint16; give a colour image of 8 bits"):
        stained(open_image(tmp_path / "a.tif"), Affine.from_size(1.0), "row 2")


def test_a_picture_cut_short(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60, 3)).astype(np.uint8)).save(
        tmp_path / "a.png"
    )
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:900])
    with pytest.raises(UserError, match="the picture is damaged or cut short"):
        open_image(tmp_path / "a.png")


def darkness(
    parts: SampleParts, columns: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Mean density of 11 x 11 pixels at places."""
    density = parts.image.open().read(CHANNELS.index("density"), whole(parts.image.header.shape))[0]
    padded = np.pad(density, 5, mode="edge").astype(float)
    y, x = (np.clip(v.astype(int), 0, n - 1) for v, n in zip((rows, columns), density.shape, strict=True))
    return np.array([padded[a : a + 11, b : b + 11].mean() for a, b in zip(y, x, strict=True)])


def test_spots_lie_where_their_nuclei_are(made: Path) -> None:
    """A swap of rows and columns, another scale or half a spot's shift would change these numbers."""
    spots = table(read(made / "outs", made / "image.tif"))
    nuclei = pd.read_csv(made / "truth/nuclei.csv").to_numpy()
    truth = pd.read_csv(made / "truth/spots.csv").set_index("barcode").loc[spots.names]
    places = np.column_stack([spots.x_um, spots.y_um])
    assert np.array_equal(count_inside(places, nuclei, 32.5), truth["nuclei"])
    for wrong in (places[:, ::-1], places * 1.01, places + 0.5, places - 0.5):
        assert not np.array_equal(count_inside(wrong, nuclei, 32.5), truth["nuclei"])
    assert np.array_equal(spots.in_tissue, truth["region"] != "glass")


def test_the_old_and_the_new_table_of_positions_say_the_same(folder: Path) -> None:
    first = pd.read_csv(folder / "spatial/tissue_positions.csv")
    first.to_csv(folder / "spatial/tissue_positions_list.csv", header=False, index=False)
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(folder / "spatial/tissue_lowres_image.png")
    one = table(read(folder))
    (folder / "spatial/tissue_positions.csv").unlink()
    other = table(read(folder))
    np.testing.assert_array_equal(one.x_um, other.x_um)
    np.testing.assert_array_equal(one.names, other.names)


@has_visium
def test_a_real_folder_of_visium() -> None:
    parts = read(VISIUM / "section1/outs")
    spots = table(parts)
    assert (spots.counts.shape, int(spots.counts.sum()), int(spots.in_tissue.sum())) == ((50, 50), 682, 22)
    # rows of the array are 100 um x sin 60 degrees apart, columns 50 um
    rows, columns = spots.columns["array_row"], spots.columns["array_col"]
    design = np.column_stack([rows, columns, np.ones(50)])
    slopes = [np.linalg.lstsq(design, values, rcond=None)[0] for values in (spots.y_um, spots.x_um)]
    assert slopes[0][0] == pytest.approx(86.6, rel=0.01)
    assert slopes[1][1] == pytest.approx(50.0, rel=0.01)
    column, row = parts.image.header.affine.to_px(spots.x_um, spots.y_um)
    assert (column.max(), row.max()) == (pytest.approx(504.3, abs=0.1), pytest.approx(509.9, abs=0.1))
    dark = darkness(parts, column, row)
    assert dark[spots.in_tissue].min() > dark[~spots.in_tissue].max()
    assert any("show no single nuclei" in note for note in parts.notes)


def test_antibodies_are_no_genes(folder: Path) -> None:
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(folder / "spatial/tissue_lowres_image.png")
    plain = table(read(folder))
    file = next(folder.glob("*feature_bc_matrix/features.tsv*"))
    packed = file.suffix == ".gz"
    text = (gzip.decompress(file.read_bytes()) if packed else file.read_bytes()).decode()
    changed = text.replace("Gene Expression", "Antibody Capture", 2).encode()
    file.write_bytes(gzip.compress(changed) if packed else changed)
    parts = read(folder)
    assert table(parts).genes.tolist() == plain.genes.tolist()[2:]
    assert (table(parts).counts != plain.counts[:, 2:]).nnz == 0
    assert any("2 features that are no genes (Antibody Capture)" in note for note in parts.notes)
    changed = text.replace("Gene Expression", "Antibody Capture").encode()
    file.write_bytes(gzip.compress(changed) if packed else changed)
    with pytest.raises(UserError, match="no feature of type 'Gene Expression'"):
        read(folder)


def _plan(window: Region) -> SamplePlan:
    """What a plan says of a window of an image of 100 x 100 pixels of 2 um."""
    said = SimpleNamespace(
        window=window,
        shape=(6, 1, 100, 100),
        grid=SimpleNamespace(shape=window.shape),
        window_affine=Affine.from_size(2.0, 2.0 * window.start[2], 2.0 * window.start[1]),
        sheet={"where": "row 2"},
    )
    return cast(SamplePlan, said)


def test_spots_outside_the_window_are_left_out(made: Path) -> None:
    spots = replace(table(read(made / "outs", made / "image.tif")), x_um=PLACES[0], y_um=PLACES[1])
    whole = inside_window(spots, _plan(Region((0, 0, 0), (1, 100, 100))))
    assert whole is spots
    part = inside_window(spots, _plan(Region((0, 10, 30), (1, 20, 60))))
    keep = (PLACES[0] >= 60) & (PLACES[0] < 120) & (PLACES[1] >= 20) & (PLACES[1] < 40)
    assert 0 < keep.sum() < len(keep)
    assert part.names.tolist() == spots.names[keep].tolist()
    assert (part.counts != spots.counts[keep]).nnz == 0
    assert part.columns["array_row"].tolist() == spots.columns["array_row"][keep].tolist()
    with pytest.raises(UserError, match=r"no spot lies in the window.*image\.region_um"):
        inside_window(replace(spots, x_um=PLACES[0] + 500), _plan(Region((0, 10, 30), (1, 20, 60))))


@has_visium
def test_a_barcode_without_a_place_is_told() -> None:
    parts = read(VISIUM / "section2/outs")
    assert len(table(parts).names) == 49
    assert any("1 of 50 barcodes with counts have no position" in note for note in parts.notes)


@has_mob
@pytest.mark.parametrize(("name", "least"), [("MOB1", 0.80), ("MOB2", 0.80)])
def test_a_real_array_lies_on_its_picture(name: str, least: float) -> None:
    sample = Sample(
        sample="a",
        counts=MOB / f"{name}.tsv.gz",
        image=MOB / f"{name}.jpg",
        reader="st_array",
        pixel_size_um=6.0,
        where="row 2",
    )
    parts = read_sample(sample)
    spots = table(parts)
    assert len(spots.names) == {"MOB1": 1923, "MOB2": 1925}[name]
    counts = np.log1p(np.asarray(spots.counts.sum(axis=1)).ravel())
    column, row = parts.image.header.affine.to_px(spots.x_um, spots.y_um)

    def agreement(columns: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]) -> float:
        return float(np.corrcoef(counts, darkness(parts, columns, rows))[0, 1])

    right = agreement(column, row)
    assert right > least
    assert agreement(row, column) < right - 0.03
    assert agreement(column, 1905 - row) < right - 0.1
    with pytest.raises(UserError, match="fill column pixel_size_um"):
        read_sample(sample.model_copy(update={"pixel_size_um": None}))


def test_names_that_occur_twice_become_ids() -> None:
    empty = np.zeros(0)
    spots = SpotTable(
        counts=None,
        names=np.array([], object),
        genes=np.array(["A", "B", "A"], object),
        gene_ids=np.array(["1", "2", "3"], object),
        x_um=empty,
        y_um=empty,
        in_tissue=empty.astype(bool),
        columns={},
    )
    assert describe_genes(spots).index.tolist() == ["1", "B", "3"]
    assert describe_genes(replace(spots, genes=np.array(["A", "B", "C"], object))).index.tolist() == [
        "A",
        "B",
        "C",
    ]


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        ("rm spatial/tissue_positions.csv", "there is no table of positions"),
        ("rm raw_feature_bc_matrix/matrix.mtx", "there is no matrix.mtx"),
        ("write spatial/scalefactors_json.json {}", "has no spot_diameter_fullres"),
        ("write spatial/scalefactors_json.json {", "cannot be read"),
        ("write spatial/tissue_positions.csv barcode,in_tissue\nA,1\n", "has no column array_row"),
        (
            "mkdir binned_outputs",
            "binned_outputs has no square_002um .it has nothing.; copy the bins of 2 um",
        ),
    ],
)
def test_folders_that_lack_something(harm: str, line: str, folder: Path, made: Path) -> None:
    how, name, *text = harm.split(" ", 2)
    if how == "rm":
        (folder / name).unlink()
    elif how == "mkdir":
        (folder / name).mkdir()
    else:
        (folder / name).write_text(text[0])
    with pytest.raises(UserError, match=line):
        read(folder, made / "image.tif")


def test_a_folder_without_a_picture(folder: Path) -> None:
    with pytest.raises(
        UserError, match="there is no picture in spatial .*; name the full image in column image"
    ):
        read(folder)


@pytest.fixture
def array(tmp_path: Path) -> Sample:
    """Three spots of two genes on a picture of 40 x 30 pixels."""
    Image.fromarray(np.full((30, 40, 3), 200, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.tsv").write_text("\tg1\tg2\n1x1\t1\t2\n2x1\t3\t4\n3x1\t5\t6\n")
    (tmp_path / "alignment_table_a.tsv").write_text("x\ty\tpixel_x\tpixel_y\n1\t1\t10\t20\n2\t1\t30\t20\n")
    return Sample(
        sample="a",
        counts=tmp_path / "a.tsv",
        image=tmp_path / "a.png",
        reader="st_array",
        pixel_size_um=2.0,
        where="row 2",
    )


def test_an_array_obeys_origin_and_affine(array: Sample) -> None:
    parts = read_sample(array)
    assert parts.notes == (
        "pixels of 2 um show no single nuclei: what is found are dark patches",
        "1 spots with counts are not in the alignment table; they are left out",
    )
    assert len(read_sample(array.model_copy(update={"pixel_size_um": 0.5})).notes) == 1
    assert (table(parts).x_um.tolist(), table(parts).y_um.tolist()) == ([21.0, 61.0], [41.0, 41.0])
    moved = array.model_copy(update={"origin_x_um": 100.0, "origin_y_um": -5.0})
    assert (table(read_sample(moved)).x_um.tolist(), table(read_sample(moved)).y_um.tolist()) == (
        [121.0, 161.0],
        [36.0, 36.0],
    )
    turned = array.model_copy(update={"pixel_size_um": None, "affine": (0.0, 2.0, 0.0, 1.0, 0.0, 7.0)})
    spots = table(read_sample(turned))
    assert (spots.x_um.tolist(), spots.y_um.tolist()) == ([41.0, 41.0], [17.5, 37.5])
    assert read_sample(turned).image.header.affine.numbers() == (0.0, 2.0, 0.0, 1.0, 0.0, 7.0)


@pytest.mark.parametrize("value", ["3.5", "-1", "2147483648", "1e300", "", "many", "inf"])
def test_a_value_that_is_no_count_is_told_with_its_place(array: Sample, value: str) -> None:
    assert array.counts is not None
    array.counts.write_text(array.counts.read_text().replace("2x1\t3\t4", f"2x1\t3\t{value}"))
    with pytest.raises(UserError, match=r"a.tsv, spot 2x1, g2: '.*' is no whole number from 0 to 2147483647"):
        table(read_sample(array))


def test_the_largest_count_is_one(array: Sample) -> None:
    assert array.counts is not None
    array.counts.write_text(array.counts.read_text().replace("2x1\t3\t4", "2x1\t3\t2147483647"))
    assert table(read_sample(array)).counts.max() == 2147483647


def test_a_place_that_is_no_number_is_told(array: Sample) -> None:
    assert array.counts is not None
    path = array.counts.with_name("alignment_table_a.tsv")
    path.write_text(path.read_text().replace("30", "left"))
    with pytest.raises(UserError, match="alignment_table_a.tsv, row 2: pixel_x is 'left', no number"):
        read_sample(array)
