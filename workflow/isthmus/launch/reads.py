"""What reads are looked up in: an index that is there, or a genome to build one from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from isthmus.config.reads import ReadsOptions
from isthmus.errors import UserError
from isthmus.plan.digests import RESULT_VERSIONS
from isthmus.plan.identity import digest_of, files_digest
from isthmus.reads.kb import find_kb

_WHERE = "quantification.reads"
_OF_INDEX = 5.0
"""Size of genome and genes for each MB of their index."""
_OF_GZIPPED = 4.0
_BARCODE = re.compile(r"[ACGTN]+(?:\s[ACGTN]+)*")
_OLDEST, _NEWEST = 10, 99
"""Versions of kallisto's index: its first eight bytes."""


@dataclass(frozen=True)
class Reference:
    """Digest of what reads are looked up in, of the genome where the index is to be built, and size of the genome."""

    digest: str
    genome: str | None
    size_mb: float


def reference_of(options: ReadsOptions) -> Reference:
    """Check what the configuration says of it, and that kb-python is there."""
    built = _both(options, "genome", "genes")
    ready = _both(options, "index", "transcripts_to_genes")
    if built is None and ready is None:
        raise UserError(
            where=_WHERE,
            found="there are reads to count, but nothing to look them up in",
            do="give genome (FASTA) and genes (GTF), or index and transcripts_to_genes of `kb ref`",
        )
    if built is not None and ready is not None:
        raise UserError(where=_WHERE, found="both genome and index are given", do="give one of them")
    find_kb()
    if options.barcodes is not None:
        _check_barcodes(options.barcodes)
    listed = [files_digest([options.barcodes])] if options.barcodes else []
    if ready is not None:
        _check_index(ready[0])
        size_mb = _OF_INDEX * ready[0].stat().st_size / 1e6
        return Reference(digest_of([files_digest(ready), *listed]), None, size_mb)
    assert built is not None  # or the first check had raised
    genome = files_digest(built)
    digest = digest_of(["build_index", RESULT_VERSIONS["build_index"], genome, *listed])
    return Reference(digest, genome, sum(_expanded_mb(file) for file in built))


def _both(options: ReadsOptions, first: str, second: str) -> tuple[Path, Path] | None:
    """Two options that go together; None where neither is given."""
    given = {name: getattr(options, name) for name in (first, second)}
    lacking = [name for name, path in given.items() if path is None]
    if len(lacking) == 1:
        there = second if lacking == [first] else first
        raise UserError(where=f"{_WHERE}.{lacking[0]}", found=f"only {there} is given", do="give both")
    return None if lacking else (given[first], given[second])


def _expanded_mb(file: Path) -> float:
    return file.stat().st_size / 1e6 * (_OF_GZIPPED if file.suffix == ".gz" else 1.0)


def _check_barcodes(path: Path) -> None:
    with path.open("rb") as file:
        first = file.readline(200).decode(errors="replace").strip()
    if not _BARCODE.fullmatch(first):
        raise UserError(
            where=f"{_WHERE}.barcodes '{path}'",
            found=f"its first line is '{first[:40]}', no barcode"
            if first.isprintable()
            else "it is no plain text",
            do="give plain text, a barcode a line",
        )


def _check_index(index: Path) -> None:
    with index.open("rb") as file:
        version = int.from_bytes(file.read(8), "little")
    if not _OLDEST <= version <= _NEWEST:
        raise UserError(
            where=f"{_WHERE}.index '{index}'",
            found="it is no index of kallisto",
            do="give the file that `kb ref -i` wrote, or genome and genes",
        )
