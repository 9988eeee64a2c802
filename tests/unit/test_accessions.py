"""Accessions are checked for form, without network."""

import pytest

from isthmus.config.accessions import ARCHIVES, archive_of, fault_of, link, split_accessions
from isthmus.config.samples import read_samples
from isthmus.errors import UserErrors
from isthmus.report.sections_sample import _linked

ALL = [(column, archive) for column, archives in ARCHIVES.items() for archive in archives]


@pytest.mark.parametrize(("column", "archive"), ALL, ids=lambda value: getattr(value, "name", value))
def test_each_archive_knows_its_example_and_no_other_claims_it(column, archive):
    assert archive_of(column, archive.example) is archive
    assert [other.name for _, other in ALL if other.fits(archive.example)] == [archive.name]
    assert fault_of(column, archive.example) is None
    assert link(column, archive.example) == archive.url + archive.example


@pytest.mark.parametrize(
    ("column", "accession", "archive"),
    [
        ("image_accession", "S-BSST265", "BioImage Archive"),
        ("image_accession", "idr0062-blin-nuclearsegmentation", "IDR"),
        ("omics_accession", "ERP123456", "ENA"),
        ("omics_accession", "SRR1234567", "ENA"),
        ("omics_accession", "PRJNA12345", "ENA"),
        ("omics_accession", "EGAS00001000001", "EGA"),
        ("omics_accession", "GSM1234567", "GEO"),
        ("biosample", "SAMN12345678", "BioSamples"),
        ("biosample", "SAMD00000001", "BioSamples"),
    ],
)
def test_forms(column, accession, archive):
    assert archive_of(column, accession).name == archive


@pytest.mark.parametrize(
    ("column", "accession", "do"),
    [
        ("image_accession", "s-biad634", "did you mean 'S-BIAD634'?"),
        ("image_accession", "IDR0062", "did you mean 'idr0062'?"),
        ("image_accession", "GSE243280", "it is one of GEO: put it into the column omics_accession"),
        ("omics_accession", "SAMEA2397676", "it is one of BioSamples: put it into the column biosample"),
        ("omics_accession", "EGAD0001", "EGAD00001000001 (EGA)"),
        ("biosample", "patient 7", "write it as SAMEA2397676 (BioSamples)"),
        ("image_accession", "S-BIAD", "S-BIAD634 (BioImage Archive)"),
        ("image_accession", "S-BIAD634x", "S-BIAD634 (BioImage Archive)"),
    ],
)
def test_what_a_wrong_one_is_told(column, accession, do):
    found, told = fault_of(column, accession)
    assert accession in found
    assert do in told
    assert link(column, accession) is None


def test_several_in_a_cell():
    assert split_accessions("S-BIAD634, idr0062;EMPIAR-10592") == ("S-BIAD634", "idr0062", "EMPIAR-10592")
    assert split_accessions(" ") == ()


def test_faults_name_row_and_value(tmp_path):
    (tmp_path / "a.tif").touch()
    sheet = tmp_path / "samples.tsv"
    rows = [
        "sample\timage\timage_accession\tbiosample",
        "a\ta.tif\tS-BIAD634 idr62\tSAMEA1",
        "b\ta.tif\tNA\tS1",
    ]
    sheet.write_text("\n".join(rows) + "\n")
    with pytest.raises(UserErrors) as caught:
        read_samples(sheet)
    lines = [str(error) for error in caught.value.errors]
    assert len(lines) == 2
    assert "(sample a)" in lines[0]
    assert "'idr62'" in lines[0]
    assert "(sample b)" in lines[1]
    assert "'S1'" in lines[1]


def test_good_ones_are_kept_as_written(tmp_path):
    (tmp_path / "a.tif").touch()
    sheet = tmp_path / "samples.tsv"
    sheet.write_text("sample\timage\tomics_accession\na\ta.tif\tE-MTAB-12345, PRJEB12345\n")
    assert read_samples(sheet)[0].omics_accession == "E-MTAB-12345, PRJEB12345"


def test_the_report_links_them_and_escapes_what_is_not_one():
    text = _linked("image_accession", "S-BIAD634, <b>")
    assert '<a href="https://identifiers.org/biostudies:S-BIAD634">S-BIAD634</a>' in text
    assert "&lt;b&gt;" in text
    assert _linked("batch", "<b>") == "<b>"
    assert not hasattr(_linked("batch", "<b>"), "__html__")
