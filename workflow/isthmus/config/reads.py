"""Options of the stage that counts molecules in FASTQ files of dissociated cells."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import field_validator

from isthmus.config.options import FilePath, Section, option
from isthmus.errors import did_you_mean

BARCODED: dict[str, int] = {
    "10XV2": 26,
    "10XV3": 28,
    "10XV4": 28,
    "CELSEQ": 12,
    "CELSEQ2": 12,
    "DROPSEQ": 20,
    "SCRUBSEQ": 16,
}
"""Technologies of two files by kb-python's names; bases that barcode and molecule's tag take in the first of them."""

_PLACE = r"[01],\d+,\d+"
_POSITIONS = re.compile(rf"({_PLACE}(?:,{_PLACE})*):({_PLACE}):([01],\d+,\d+)")


class ReadsOptions(Section):
    """How FASTQ files become counts, for samples that fill column `reads`; kb-python does it (`make kb`)."""

    technology: str = option(
        "10XV3",
        f"How reads were made: {', '.join(BARCODED)}, or places of barcode, tag and transcript as kallisto wants"
        " them, such as 0,0,16:0,16,28:1,0,0.",
    )
    genome: FilePath | None = option(None, "Genome (FASTA), which an index is built from; with genes.")
    genes: FilePath | None = option(None, "Its genes (GTF).")
    index: FilePath | None = option(None, "Index of kallisto, where there is one already; instead of genome.")
    transcripts_to_genes: FilePath | None = option(
        None, "Its table of transcripts and genes, as `kb ref` writes it; with index."
    )
    barcodes: FilePath | None = option(
        None,
        "Barcodes that there are, one a line; null for kb-python's own list, or, where a technology has none, for those"
        " that stand out.",
    )
    strand: Literal["forward", "reverse", "unstranded"] | None = option(
        None, "Strand of the transcript reads; null for the technology's usual one."
    )
    min_molecules: int = option(
        100, "Barcodes of fewer molecules are empty droplets and left out of the counts.", ge=1
    )

    @field_validator("technology")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in BARCODED and not _POSITIONS.fullmatch(value):
            raise ValueError(
                f"'{value}' is no technology that is known; {did_you_mean(value, tuple(BARCODED))}"
            )
        return value

    @property
    def least_bases(self) -> tuple[int, int]:
        """Bases that the first and the second file's reads must have for barcode and tag."""
        if self.technology in BARCODED:
            return BARCODED[self.technology], 0
        barcode, tag, _ = self.technology.split(":")
        places = [int(word) for word in f"{barcode},{tag}".split(",")]
        ends = [(file, end) for file, end in zip(places[::3], places[2::3], strict=True)]
        return tuple(max((end for at, end in ends if at == file), default=0) for file in (0, 1))  # type: ignore[return-value]
