"""FASTQ files of a sample: which belong together, whether they can be read, and whether they are whole.

Names are those of bcl2fastq (`<name>_S1_L001_R1_001.fastq.gz`, index reads I1 and I2 are left out) or of the archives
(`<run>_1.fastq.gz`), each also plain.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from isthmus.errors import UserError

_NAMES = (
    re.compile(r"(?P<of>.+)_(?P<read>R[12]|I[12])(?P<part>_\d{3})?\.(?:fastq|fq)(?:\.gz)?"),
    re.compile(r"(?P<of>.+)_(?P<read>[12])(?P<part>)\.(?:fastq|fq)(?:\.gz)?"),
)
_SAMPLE = re.compile(r"(.+_S\d+)(?:_L\d+)?")
_ANY = re.compile(r".+\.(?:fastq|fq)(?:\.gz)?")
_COPY = "copy it again from its source"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class ReadPair:
    """Two files whose records belong together, in their order: barcodes first, transcripts second."""

    first: Path
    second: Path


def find_pairs(reads: Path, *, where: str) -> tuple[ReadPair, ...]:
    """The pairs of FASTQ files of a folder, or of a pattern of file names (`folder/pbmc_*`), by name.

    Raises
    ------
    UserError
        There is no FASTQ file, a name is of neither form, a file lacks its pair, or files are of several samples.
    """
    where = f"{where}, reads '{reads}'"
    files = sorted(path for path in _listed(reads) if _ANY.fullmatch(path.name) and path.is_file())
    if not files:
        raise UserError(
            where=where, found="no FASTQ file (.fastq.gz, .fq)", do="correct the folder or pattern"
        )
    groups: dict[str, dict[str, Path]] = {}
    for file in files:
        match = _NAMES[0].fullmatch(file.name) or _NAMES[1].fullmatch(file.name)
        if match is None:
            do = "name files <name>_S1_L001_R1_001.fastq.gz or <run>_1.fastq.gz, and their pairs R2 or _2"
            raise UserError(where=where, found=f"'{file.name}' does not tell which read it holds", do=do)
        group = groups.setdefault(match["of"] + (match["part"] or ""), {})
        read = match["read"]
        if read[0] == "I":
            continue
        if read[-1] in group:
            found = f"'{file.name}' and '{group[read[-1]].name}' hold the same read"
            raise UserError(where=where, found=found, do="keep one of them")
        group[read[-1]] = file
    _check_one_sample(groups, where)
    return tuple(_pair(group, where) for _, group in sorted(groups.items()) if group)


def is_pattern(reads: Path) -> bool:
    """Whether a path is a pattern of file names."""
    return any(letter in reads.name for letter in "*?[")


def _listed(reads: Path) -> list[Path]:
    if is_pattern(reads):
        return list(reads.parent.glob(reads.name))
    return list(reads.iterdir()) if reads.is_dir() else [reads]


def _check_one_sample(groups: dict[str, dict[str, Path]], where: str) -> None:
    names = sorted({match[1] for of in groups if (match := _SAMPLE.match(of))})
    if len(names) > 1:
        raise UserError(
            where=where,
            found=f"files of {len(names)} samples ({', '.join(names[:3])})",
            do=f"give each a row of its own with a pattern, such as {names[0]}_*",
        )


def _pair(group: dict[str, Path], where: str) -> ReadPair:
    for read, other in (("1", "2"), ("2", "1")):
        if read not in group:
            found = f"'{group[other].name}' has no pair: there is no file of read {read}"
            raise UserError(where=where, found=found, do="copy both files of each pair")
    return ReadPair(group["1"], group["2"])


def check_heads(pairs: Sequence[ReadPair], least: tuple[int, int], *, where: str) -> None:
    """Look at the first record of every file.

    Parameters
    ----------
    least
        Bases that the reads of the first and second files must have.
    """
    for pair in pairs:
        names = []
        for file, bases in zip((pair.first, pair.second), least, strict=True):
            name, n_bases = _first_record(file, where)
            if n_bases < bases:
                raise UserError(
                    where=f"{where}, reads '{file}'",
                    found=f"reads of {n_bases} bases, but barcode and tag take {bases}",
                    do="correct quantification.reads.technology, or the order of the files",
                )
            names.append(name)
        if names[0] != names[1]:
            raise UserError(
                where=f"{where}, reads '{pair.second}'",
                found=f"its first read is '{names[1]}', that of '{pair.first.name}' is '{names[0]}'",
                do="give both files of one export, in the order that the sequencer wrote",
            )


def _first_record(file: Path, where: str) -> tuple[str, int]:
    """Name (without what tells the reads of a pair apart) and number of bases."""
    where = f"{where}, reads '{file}'"
    try:
        with _opened(file) as stream:
            lines = [stream.readline(_CHUNK).rstrip(b"\r\n") for _ in range(4)]
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(where=where, found=f"it cannot be read ({error})", do=_COPY) from error
    if not lines[0]:
        raise UserError(where=where, found="it is empty", do=_COPY)
    if lines[0][:1] != b"@" or lines[2][:1] != b"+" or len(lines[1]) != len(lines[3]):
        raise UserError(
            where=where, found="it does not begin with a FASTQ record (@name, bases, +, qualities)", do=_COPY
        )
    name = (lines[0][1:].split() or [b""])[0].decode(errors="replace")
    return re.sub(r"/[12]$", "", name), len(lines[1])


def count_records(pairs: Sequence[ReadPair], *, where: str) -> int:
    """Read all files through: the number of pairs of reads.

    kallisto takes a file that ends early for a whole one, so this is where it is told.
    """
    total = 0
    for pair in pairs:
        first, second = (_records_of(file, where) for file in (pair.first, pair.second))
        if first != second:
            raise UserError(
                where=f"{where}, reads '{pair.second}'",
                found=f"{second} reads, but '{pair.first.name}' has {first}",
                do=_COPY,
            )
        total += first
    return total


def _records_of(file: Path, where: str) -> int:
    where = f"{where}, reads '{file}'"
    lines, last = 0, b"\n"
    try:
        with _opened(file) as stream:
            while chunk := stream.read(_CHUNK):
                lines += chunk.count(b"\n")
                last = chunk[-1:]
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(where=where, found=f"it is damaged or not whole ({error})", do=_COPY) from error
    lines += last != b"\n"
    if lines % 4:
        raise UserError(where=where, found=f"it ends within a record (line {lines})", do=_COPY)
    return lines // 4


def _opened(file: Path) -> BinaryIO:
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]
