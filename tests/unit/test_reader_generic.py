"""The generic reader: tables of transcripts, places of images, label images."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile

from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.source import POINT_COLUMNS
from isthmus.readers.columns import ACCEPTED
from isthmus.readers.registry import read_sample

WHERE = "samples.tsv, row 2 (sample b1)"
HEADER = ",transcript_id,cell_id,overlaps_nucleus,feature_name,x_location,y_location,z_location,qv\n"
ROWS = [
    "17,1001,-1,0,EPCAM,1062.5,212.25,10.5,40.0\n",
    "18,1002,44769,1,CD3E,1063.5,213.25,11.5,12.5\n",
    "21,1003,UNASSIGNED,0,NegControlProbe_00042,1064.5,214.25,12.5,40.0\n",
]


@pytest.fixture
def image(tmp_path) -> Path:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.arange(32 * 48, dtype="uint16").reshape(32, 48))
    return path


def sample(image: Path | None, **columns) -> Sample:
    columns = {"pixel_size_um": 0.5, **columns}
    return Sample(sample="b1", image=image, where=WHERE, **columns)


def points(image: Path, path: Path, n: int = 1000) -> list[dict]:
    part = read_sample(sample(image, transcripts=path)).points
    batches = list(pickle.loads(pickle.dumps(part.batches))(n))
    assert all(batch.num_rows <= n for batch in batches)
    for batch in batches:
        assert batch.schema.names == list(part.columns)
        for field in batch.schema:
            single = field.name in ("x_um", "y_um", "z_um") and field.type == pa.float32()
            assert single or field.type == POINT_COLUMNS[field.name]
    return [row for batch in batches for row in batch.to_pylist()]


def csv(folder: Path, text: str, name: str = "transcripts.csv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def fault(image: Path | None, **columns) -> str:
    def read_all() -> None:
        part = read_sample(sample(image, **columns)).points
        for _ in part.batches(1000) if part else ():
            pass

    with pytest.raises(UserError) as caught:
        read_all()
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(WHERE)
    return line


# Tables of transcripts


def test_csv_with_an_unnamed_first_column(tmp_path, image):
    rows = points(image, csv(tmp_path, HEADER + "".join(ROWS)))
    assert list(rows[0]) == list(POINT_COLUMNS)
    assert [row["gene"] for row in rows] == ["EPCAM", "CD3E", "NegControlProbe_00042"]
    assert [row["x_um"] for row in rows] == [1062.5, 1063.5, 1064.5]
    assert [row["z_um"] for row in rows] == [10.5, 11.5, 12.5]
    assert [row["qv"] for row in rows] == [40.0, 12.5, 40.0]
    assert [row["vendor_cell_id"] for row in rows] == [None, "44769", None]
    assert [row["overlaps_nucleus"] for row in rows] == [False, True, False]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.tsv.gz", "t.txt"])
def test_formats_of_text(tmp_path, image, name):
    text = HEADER + "".join(ROWS)
    text = text.replace(",", "\t") if ".csv" not in name else text
    assert [row["y_um"] for row in points(image, csv(tmp_path, text, name))] == [212.25, 213.25, 214.25]


def test_quotes_windows_line_ends_and_byte_order_mark(tmp_path, image):
    text = '\ufeff"x","y","gene"\r\n1.0,2.0,"A, with comma"\r\n'
    assert points(image, csv(tmp_path, text)) == [{"x_um": 1.0, "y_um": 2.0, "gene": "A, with comma"}]


def test_batches_keep_order_and_number(tmp_path, image):
    text = "x,y,gene\n" + "".join(f"{i},{i},g{i % 7}\n" for i in range(1000))
    rows = points(image, csv(tmp_path, text), n=37)
    assert [row["x_um"] for row in rows] == list(range(1000))
    assert [row["gene"] for row in rows] == [f"g{i % 7}" for i in range(1000)]


@pytest.mark.parametrize("ours", ACCEPTED)
def test_every_documented_spelling(tmp_path, image, ours):
    values = {"x_um": "1.5", "y_um": "2.5", "z_um": "3.5", "gene": "A", "qv": "20.5"}
    values |= {"vendor_cell_id": "c7", "overlaps_nucleus": "1"}
    for spelling in ACCEPTED[ours]:
        names = {"x_um": "x", "y_um": "y", "gene": "gene", ours: spelling.upper()}
        text = ",".join(names.values()) + "\n" + ",".join(values[name] for name in names) + "\n"
        (row,) = points(image, csv(tmp_path, text))
        assert str(row[ours]) in (values[ours], "True")


def test_documentation_lists_the_spellings_in_their_order():
    lines = (Path(__file__).parents[2] / "docs" / "readers.md").read_text().splitlines()
    for spellings in ACCEPTED.values():
        listed = ", ".join(f"`{spelling}`" for spelling in spellings)
        assert any(f"| {listed} |" in line for line in lines), listed


def test_micrometres_are_preferred_to_pixels_of_a_field(tmp_path, image):
    text = "x,y,global_x,global_y,gene\n7,8,1.5,2.5,A\n"
    assert points(image, csv(tmp_path, text)) == [{"x_um": 1.5, "y_um": 2.5, "gene": "A"}]


@pytest.mark.parametrize("none", ["", "-1", "0", "UNASSIGNED"])
def test_values_that_mean_no_cell(tmp_path, image, none):
    text = f"x,y,gene,cell_id\n1,2,A,{none}\n1,2,A,aaaaaaab-1\n"
    assert [row["vendor_cell_id"] for row in points(image, csv(tmp_path, text))] == [None, "aaaaaaab-1"]


@pytest.mark.parametrize("cells", [pa.array([-1, 5, 0], pa.int32()), pa.array([b"UNASSIGNED", b"5", None])])
def test_parquet_with_byte_strings_and_numbers(tmp_path, image, cells):
    path = tmp_path / "t.parquet"
    table = {
        "feature_name": pa.array([b"A", b"B", b"A"]),
        "cell_id": cells,
        "x_location": pa.array([1.5, 2.5, 3.5], pa.float32()),
        "y_location": pa.array([1.0, 2.0, 3.0], pa.float64()),
        "overlaps_nucleus": pa.array([0, 1, 0], pa.uint8()),
    }
    pq.write_table(pa.table(table), path, row_group_size=2)
    rows = points(image, path, n=2)
    assert [row["gene"] for row in rows] == ["A", "B", "A"]
    assert [row["vendor_cell_id"] for row in rows] == [None, "5", None]
    assert [row["overlaps_nucleus"] for row in rows] == [False, True, False]
    part = read_sample(sample(image, transcripts=path)).points
    assert [next(part.batches(9)).schema.field(name).type for name in ("x_um", "y_um")] == [
        pa.float32(),
        pa.float64(),
    ]


def test_a_long_parquet_table_is_never_in_memory(tmp_path, image):
    path = tmp_path / "t.parquet"
    x = np.random.default_rng(0).random(1_000_000)
    table = pa.table({"x": x, "y": x[::-1], "gene": pa.array(["A", "B"] * 500_000)})
    pq.write_table(table, path, row_group_size=25_000)
    del table
    assert path.stat().st_size > 12 << 20
    part = read_sample(sample(image, transcripts=path)).points
    before, most = pa.total_allocated_bytes(), 0
    for _ in part.batches(10_000):
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 6 << 20


def test_parquet_with_dictionaries(tmp_path, image):
    path = tmp_path / "t.parquet"
    table = {"gene": pa.array(["A", "B", "A"]).dictionary_encode(), "x": [1, 2, 3], "y": [1, 2, 3]}
    pq.write_table(pa.table(table), path)
    assert [row["gene"] for row in points(image, path)] == ["A", "B", "A"]


def test_missing_quality_counts_as_low(tmp_path, image):
    (row,) = points(image, csv(tmp_path, "x,y,gene,qv\n1,2,A,\n"))
    assert not row["qv"] >= 20


def test_missing_column_lists_what_is_there_and_what_is_accepted(tmp_path, image):
    line = fault(image, transcripts=csv(tmp_path, ",x_lokation,y_location,gene\n1,2,3,A\n"))
    assert "no column for x_um among (no name), x_lokation, y_location, gene" in line
    assert "name one of them x_location or x_um or global_x or x (did you mean 'x_lokation'?)" in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,y,gene\n", "the table has no rows"),
        ("", "the file is empty"),
        ("x,y,gene\n1,2,A\n3,nan,A\n", "row 2: y_um is missing or not a finite number"),
        ("x,y,gene\n1,2,A\n3,4,A\ninf,4,A\n", "row 3: x_um is missing or not a finite number"),
        ("x,y,gene\n,2,A\n", "row 1: x_um is missing or not a finite number"),
        ("x,y,gene\n1,2,A\n1,2,\n", "row 2: gene is missing"),
        ("x,y,gene\n1,two,A\n", "the table cannot be read"),
        ("x,y,gene\n1,2\n", "the table cannot be read"),
        ("x,x,y,gene\n1,1,2,A\n", "column 'x' is there twice"),
    ],
)
def test_faults_of_text(tmp_path, image, text, said):
    assert said in fault(image, transcripts=csv(tmp_path, text))


def test_row_of_a_fault_is_counted_over_batches(tmp_path, image):
    text = "x,y,gene\n" + "1,2,A\n" * 2500 + "nan,2,A\n"
    assert "row 2501: x_um" in fault(image, transcripts=csv(tmp_path, text))


def test_faults_of_files(tmp_path, image):
    assert "there is no such file" in fault(image, transcripts=tmp_path / "none.csv")
    assert "no table of text" in fault(image, transcripts=image)
    broken = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": [1.0], "y": [1.0], "gene": ["A"]}), broken)
    broken.write_bytes(broken.read_bytes()[:-20])
    assert "damaged or cut short" in fault(image, transcripts=broken)
    text = csv(tmp_path, HEADER + ROWS[0] * 5000, "t.csv.gz")
    text.write_bytes(text.read_bytes()[:-100])
    assert "the table cannot be read" in fault(image, transcripts=text)


def test_parquet_of_no_rows(tmp_path, image):
    path = tmp_path / "t.parquet"
    table = pa.table({"x": [1.0], "y": [1.0], "gene": ["A"]})
    pq.write_table(table.slice(0, 0), path)
    assert "the table has no rows" in fault(image, transcripts=path)


def test_parquet_with_text_for_numbers(tmp_path, image):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": ["a", "b"], "y": [1.0, 2.0], "gene": ["A", "B"]}), path)
    assert "x_um between rows 1 and 2 is not double" in fault(image, transcripts=path)


# Places


def test_sheet_places_the_image(image):
    part = read_sample(sample(image, origin_x_um=1062.0, origin_y_um=212.0)).image
    assert part.header.affine.numbers() == (0.5, 0.0, 1062.0, 0.0, 0.5, 212.0)
    assert part.header.shape == (1, 1, 32, 48)
    x_um, y_um = part.header.affine.to_um(np.array([0.5]), np.array([0.5]))
    assert (x_um[0], y_um[0]) == (1062.25, 212.25)


def test_sheet_goes_before_the_file(tmp_path):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.zeros((8, 8), "uint16"), metadata={"PhysicalSizeX": 0.2, "PhysicalSizeY": 0.3})
    of_file = read_sample(sample(path, pixel_size_um=None)).image.header.affine
    assert of_file.pixel_size_um == (0.3, 0.2)
    assert read_sample(sample(path, pixel_size_um=0.5)).image.header.affine.pixel_size_um == (0.5, 0.5)
    six = (0.0, 0.5, 10.0, 0.5, 0.0, 20.0)
    assert read_sample(sample(path, pixel_size_um=None, affine=six)).image.header.affine.numbers() == six


def test_no_pixel_size_anywhere(image):
    line = fault(image, pixel_size_um=None)
    assert "does not say how large its pixels are; fill column pixel_size_um" in line


def test_no_image():
    assert "column 'image' is empty" in fault(None)


# Labels


def test_label_image(tmp_path, image):
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, np.arange(32 * 48, dtype="uint32").reshape(32, 48), compression="zlib")
    labels = read_sample(sample(image, labels=path)).labels
    assert labels.header.dtype == "uint32"
    window = (slice(0, 1), slice(2, 4), slice(0, 3))
    assert labels.open().read(0, window).tolist() == [[[96, 97, 98], [144, 145, 146]]]


def test_label_image_of_another_size(tmp_path, image):
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, np.zeros((32, 40), "uint32"))
    assert "has 1 x 32 x 40 pixels (z, y, x), the image 1 x 32 x 48" in fault(image, labels=path)
    tifffile.imwrite(path, np.zeros((2, 32, 48), "uint32"), photometric="minisblack")
    assert "has 2 channels" in fault(image, labels=path)


# Choice of the reader


@pytest.mark.parametrize("name", [None, "generic", "ome_tiff", "ome_zarr"])
def test_names_of_this_reader(image, name):
    parts = read_sample(sample(image, reader=name))
    assert parts.reader == "generic (TIFF)"
    assert parts.points is None
    assert parts.tested_on_real_files


def test_unknown_reader(image):
    assert "reader 'xenum' is not known in this version; did you mean 'xenium'?" in fault(
        image, reader="xenum"
    )


# Volumes


def test_a_volume_without_a_z_step_is_refused(tmp_path):
    path = tmp_path / "volume.ome.tif"
    tifffile.imwrite(path, np.zeros((3, 32, 48), "uint16"), metadata={"axes": "ZYX"})
    assert "3 planes and does not say how far apart they are; fill column z_step_um" in fault(path)
    assert read_sample(sample(path, z_step_um=2.0)).image.header.z_step_um == 2.0


def test_a_plane_needs_no_z_step(image):
    assert read_sample(sample(image)).image.header.z_step_um == 1.0
