"""The sample sheet: what is read, and that every fault names file, row, column, value and cure."""

from pathlib import Path

import pytest

from isthmus.config.samples import Sample, read_samples
from isthmus.config.sheet_words import READERS
from isthmus.errors import UserError, UserErrors
from isthmus.readers import registry

HEADER = "sample\timage\ttranscripts\treader\tpixel_size_um\torigin_x_um\taffine\tbatch\tage"


@pytest.fixture
def sheet(tmp_path: Path):
    """Writes a sheet beside two input files."""
    (tmp_path / "a.tif").touch()
    (tmp_path / "t.csv").touch()

    def write(*lines: str, header: str = HEADER, newline: str = "\n", encoding: str = "utf-8") -> Path:
        path = tmp_path / "samples.tsv"
        path.write_bytes((newline.join([header, *lines]) + newline).encode(encoding))
        return path

    return write


def faults(path: Path) -> list[str]:
    with pytest.raises(UserError) as caught:
        read_samples(path, name="samples.tsv")
    return str(caught.value).splitlines()


def test_reads_every_kind_of_value(sheet, tmp_path):
    path = sheet("b1\ta.tif\tt.csv\tgeneric\t0.2125\t-3\t\tone\t61")
    (sample,) = read_samples(path, name="samples.tsv")
    assert sample == Sample(
        sample="b1",
        image=tmp_path / "a.tif",
        transcripts=tmp_path / "t.csv",
        reader="generic",
        pixel_size_um=0.2125,
        origin_x_um=-3.0,
        batch="one",
        extra={"age": "61"},
        where="samples.tsv, row 2 (sample b1)",
    )
    assert Sample.model_validate(sample.model_dump(mode="json")) == sample


@pytest.mark.parametrize("affine", ["0.5 0 10 0 0.5 20", "0.5,0,10,0,0.5,20", "[0.5, 0, 10, 0, 0.5, 20]"])
def test_affine_with_spaces_or_commas(sheet, affine):
    (sample,) = read_samples(sheet(f"b1\ta.tif\t\t\t\t\t{affine}\t\t"))
    assert sample.affine == (0.5, 0.0, 10.0, 0.0, 0.5, 20.0)


def test_windows_line_ends_marks_comments_and_empty_lines(sheet, tmp_path):
    path = sheet("# mine", "b1\ta.tif\t\t\t\t\t\t\t", "", "  ", newline="\r\n", encoding="utf-8-sig")
    (sample,) = read_samples(path, name="samples.tsv")
    assert (sample.sample, sample.image) == ("b1", tmp_path / "a.tif")
    assert sample.where == "samples.tsv, row 3 (sample b1)"


def test_quoted_cells_and_words_for_nothing(sheet):
    (sample,) = read_samples(sheet('b1\t"a.tif"\tNA\t\tNA\t\t\t"say ""x"""\tNA'))
    assert sample.image.name == "a.tif"
    assert sample.transcripts is None
    assert sample.pixel_size_um is None
    assert sample.batch == 'say "x"'
    assert sample.extra == {"age": "NA"}


def test_paths_are_relative_to_the_sheet(sheet, tmp_path, monkeypatch):
    path = sheet("b1\t./a.tif\t\t\t\t\t\t\t")
    monkeypatch.chdir(tmp_path.parent)
    (sample,) = read_samples(path.relative_to(tmp_path.parent))
    assert sample.image == tmp_path / "a.tif"


def test_the_readers_that_a_row_may_name_are_those_that_exist():
    assert set(READERS) == set(registry.READERS)


def test_all_faults_at_once(sheet):
    path = sheet(
        "b1\tmissing.tif\t\txenum\t0\t\t\t\t",
        "b1\ta.tif\t\t\tsmall\t\t\t\t",
        "cohort\ta.tif\t\t\t\t\t1 2 3 4 5\t\t",
        "b2\t\t\t\t\t\t\t\t",
    )
    with pytest.raises(UserErrors) as caught:
        read_samples(path, name="samples.tsv")
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.errors) == 8
    assert [line.split(":")[0] for line in lines] == [
        *["samples.tsv, row 2 (sample b1)"] * 3,
        *["samples.tsv, row 3 (sample b1)"] * 2,
        *["samples.tsv, row 4 (sample cohort)"] * 2,
        "samples.tsv, row 5 (sample b2)",
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("b1\tno/a.tif\t\t\t\t\t\t\t", ["image 'no/a.tif' does not exist", "no folder beyond"]),
        ("b1\ta.tif\tt.tsv\t\t\t\t\t\t", ["transcripts 't.tsv' does not exist", "correct the path"]),
        ("b1\ta.tif\t\txenum\t\t\t\t\t", ["unknown reader 'xenum'", "did you mean 'xenium'?"]),
        ("b1\ta.tif\t\t\t-1\t\t\t\t", ["pixel_size_um '-1'", "a number above 0"]),
        ("b1\ta.tif\t\t\t0,21\t\t\t\t", ["pixel_size_um '0,21'", "a point for decimals"]),
        ("b1\ta.tif\t\t\tinf\t\t\t\t", ["pixel_size_um 'inf'"]),
        ("b1\ta.tif\t\t\t\tleft\t\t\t", ["origin_x_um 'left'", "a number in micrometres"]),
        ("b1\ta.tif\t\t\t\t\t1 0 0 0 1\t\t", ["affine '1 0 0 0 1'", "six numbers"]),
        ("b1\ta.tif\t\t\t\t\t1 0 0 0 1 x\t\t", ["six numbers"]),
        ("b1\ta.tif\t\t\t\t\t1 2 0 2 4 0\t\t", ["maps the image onto a line"]),
        ("b1\ta.tif\t\t\t0.2\t\t1 0 0 0 1 0\t\t", ["affine together with pixel_size_um"]),
        ("a/b\ta.tif\t\t\t\t\t\t\t", ["sample 'a/b' cannot name a folder"]),
        ("-b\ta.tif\t\t\t\t\t\t\t", ["sample '-b' cannot name a folder"]),
        ("Work\ta.tif\t\t\t\t\t\t\t", ["name of a results folder"]),
        ("\ta.tif\t\t\t\t\t\t\t", ["no name in the column 'sample'"]),
        ("b1\t\t\t\t\t\t\t\t", ["neither image nor transcripts nor counts"]),
        ("b1\ta.tif\t\t", ["4 cells under 9 columns", "one tab each"]),
        ("b1\ta.tif\t\t\t\t\t\t\t\tmore", ["10 cells under 9 columns"]),
    ],
)
def test_each_fault_of_a_row_in_one_line(sheet, row, said):
    (line,) = faults(sheet(row))
    assert line.startswith("samples.tsv, row 2 (")
    assert all(part in line for part in said), line


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("sample\timage\tpixelsize_um", ["unknown column 'pixelsize_um'", "did you mean 'pixel_size_um'?"]),
        ("Sample\timage\tage", ["unknown column 'Sample'", "did you mean 'sample'?"]),
        ("name\timage\tage", ["no column 'sample'", "name, image, age"]),
        ("sample\timage\timage", ["the column 'image' twice"]),
        ("sample\t\timage", ["a column without a name"]),
        ("sample,image,age", ["commas between columns", "tabs"]),
        ("sample;image;age", ["semicolons between columns", "tabs"]),
        ("sample  image  age", ["spaces between columns", "tabs"]),
    ],
)
def test_each_fault_of_the_header_in_one_line(sheet, header, said):
    (line,) = faults(sheet("b1\ta.tif\t", header=header))
    assert line.startswith("samples.tsv, ")
    assert all(part in line for part in said), line


def test_a_column_of_ones_own_is_no_slip(sheet):
    (sample,) = read_samples(sheet("b1\ta.tif\tx\ty", header="sample\timage\tpatient\timages"))
    assert sample.extra == {"patient": "x", "images": "y"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the sheet is empty"),
        (b"# only a comment\n", "the sheet is empty"),
        (b"sample\timage\n", "a header without rows"),
        ("sample\timage\n".encode("utf-16"), "not a text file in UTF-8"),
    ],
)
def test_a_file_that_is_no_sheet(tmp_path, content, said):
    path = tmp_path / "samples.tsv"
    path.write_bytes(content)
    (line,) = faults(path)
    assert said in line


def test_a_sheet_that_is_not_there(tmp_path):
    (line,) = faults(tmp_path / "samples.tsv")
    assert "no such file" in line


@pytest.mark.parametrize(
    "name",
    ["region", "area_um2", "instance_id", "cell_type", "leiden", "n_cells", "distance_to_vessel_um"],
)
def test_a_column_of_the_tables_cannot_be_the_users(tmp_path, name):
    path = tmp_path / "samples.tsv"
    path.write_text(f"sample\t{name}\na\ttumour\n")
    with pytest.raises(UserError, match=f"column '{name}' is the name of a column of the tables"):
        read_samples(path)


@pytest.mark.parametrize("name", ["NA", "report.html", "plan.json", "a" * 101])
def test_names_that_no_sample_can_have(tmp_path, name):
    path = tmp_path / "samples.tsv"
    path.write_text(f"sample\n{name}\n")
    with pytest.raises(UserError, match="row 1|row 2"):
        read_samples(path)
