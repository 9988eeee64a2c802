"""Accessions of public archives: which archive an identifier belongs to, told from its form alone, without network.

Forms are those that the archives register at identifiers.org (DOI 10.1038/sdata.2018.29) or document themselves. A form
that fits does not mean that the entry exists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class Archive:
    """An archive: its name, the form of its accessions, an example, and where an accession is looked up."""

    name: str
    form: str
    example: str
    url: str

    def fits(self, accession: str) -> bool:
        """Whether an accession has the form of this archive's."""
        return re.fullmatch(self.form, accession) is not None


IMAGE_ARCHIVES = (
    Archive("BioImage Archive", r"S-(BIAD|BSST)\d+", "S-BIAD634", "https://identifiers.org/biostudies:"),
    Archive(
        "IDR", r"idr\d{4}(-[A-Za-z0-9]+)*", "idr0062", "https://idr.openmicroscopy.org/search/?query=Name:"
    ),
    Archive("EMPIAR", r"EMPIAR-\d{5,}", "EMPIAR-10592", "https://identifiers.org/empiar:"),
)
OMICS_ARCHIVES = (
    Archive(
        "ENA",
        r"PRJ(EB|NA|DB)\d+|[ESD]R[APRSXZ]\d{6,}",
        "PRJEB12345",
        "https://identifiers.org/ena.embl:",
    ),
    Archive("ArrayExpress", r"E-[A-Z]{4}-\d+", "E-MTAB-12345", "https://identifiers.org/arrayexpress:"),
    Archive("EGA", r"EGA[CDFNPRSXZ]\d{11}", "EGAD00001000001", "https://ega-archive.org/search/"),
    Archive("GEO", r"G(SE|SM|PL|DS)\d+", "GSE243280", "https://identifiers.org/geo:"),
    Archive("PRIDE", r"R?P[XR]D\d{6,}", "PXD000440", "https://identifiers.org/px:"),
    Archive("MetaboLights", r"MTBLS\d+", "MTBLS1", "https://identifiers.org/metabolights:"),
)
SAMPLE_ARCHIVES = (
    Archive("BioSamples", r"SAM(EA|EG|N|D)\d+", "SAMEA2397676", "https://identifiers.org/biosample:"),
)

ARCHIVES: Mapping[str, tuple[Archive, ...]] = {
    "image_accession": IMAGE_ARCHIVES,
    "omics_accession": OMICS_ARCHIVES,
    "biosample": SAMPLE_ARCHIVES,
}
"""Archives that a column of the sample sheet may name."""


def split_accessions(cell: str) -> tuple[str, ...]:
    """The accessions of a cell, which commas or white space part."""
    return tuple(word for word in re.split(r"[\s,;]+", cell) if word)


def archive_of(column: str, accession: str) -> Archive | None:
    """The archive whose form an accession has, or None."""
    return next((archive for archive in ARCHIVES[column] if archive.fits(accession)), None)


def link(column: str, accession: str) -> str | None:
    """Where an accession is looked up, or None for an unknown form."""
    archive = archive_of(column, accession)
    return f"{archive.url}{accession}" if archive else None


def fault_of(column: str, accession: str) -> tuple[str, str] | None:
    """What is wrong with an accession and what to do, or None."""
    if archive_of(column, accession):
        return None
    found = f"{column} '{accession}' has not the form of an accession of {_names(ARCHIVES[column])}"
    elsewhere = next((other for other in ARCHIVES if other != column and archive_of(other, accession)), None)
    if elsewhere:
        archive = archive_of(elsewhere, accession)
        assert archive is not None
        return found, f"it is one of {archive.name}: put it into the column {elsewhere}"
    upright = accession.upper() if archive_of(column, accession.upper()) else accession.lower()
    if archive_of(column, upright):
        return found, f"did you mean '{upright}'?"
    examples = {archive.example: archive for archive in ARCHIVES[column]}
    close = get_close_matches(accession.upper(), [name.upper() for name in examples], n=1, cutoff=0.5)
    alike = [archive for name, archive in examples.items() if name.upper() in close] or ARCHIVES[column]
    return found, "write it as " + " or ".join(f"{archive.example} ({archive.name})" for archive in alike)


def _names(archives: tuple[Archive, ...]) -> str:
    names = [archive.name for archive in archives]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
