"""Generated reads of dissociated cells with known counts: genome, genes, FASTQ files of two lanes, and the truth.

Sixty cells of three types over 40 genes (two exons each, on both strands of two chromosomes) as version 3 of 10x
Genomics reads them: 16 bases of barcode and 12 of the molecule's tag, then 91 bases of a transcript. Each molecule is
read one to four times at places of its own; some reads have a wrong base in the barcode, some a barcode that is not
listed, some are of no transcript; forty more barcodes are droplets that hold a few molecules of whatever floats about.
What counts is known exactly: `truth.csv` has the molecules of every barcode and gene.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.fetch.made.drawing import uniform
from isthmus.fetch.made.text import write_table

SEED = 20261125
N_GENES, N_CELLS, N_EMPTY = 40, 60, 40
TYPES = ("left", "middle", "right")
GENE_LENGTH, FIRST_EXON, INTRON, BETWEEN = 800, 350, 260, 180
BARCODE, TAG, READ = 16, 12, 91
LANES = ("reads_S1_L001", "reads_S1_L002")
_BASES = np.frombuffer(b"ACGT", dtype=np.uint8)
_COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")
Ints = npt.NDArray[np.int64]


def make(folder: Path) -> None:
    """Write genome.fa, genes.gtf, barcodes.txt, fastq/, samples.tsv, truth.csv and cells.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    genes = [_sequence(1, gene, GENE_LENGTH) for gene in range(N_GENES)]
    _write_genome(folder, genes)
    barcodes = [_sequence(2, droplet, BARCODE) for droplet in range(N_CELLS + N_EMPTY)]
    (folder / "barcodes.txt").write_text("".join(f"{barcode}\n" for barcode in barcodes), newline="\n")
    counts = draw()
    records = list(_reads(counts, barcodes, genes))
    for lane, name in enumerate(LANES):
        mine = records[lane :: len(LANES)]
        for read in (1, 2):
            _write_fastq(
                folder / "fastq" / f"{name}_R{read}_001.fastq.gz", [record[read - 1] for record in mine]
            )
    rows = (
        (barcodes[droplet], gene_id(gene), counts[droplet, gene])
        for droplet, gene in zip(*np.nonzero(counts), strict=True)
    )
    write_table(folder / "truth.csv", ("barcode", "gene", "molecules"), rows)
    cells = ((barcodes[cell], TYPES[cell % len(TYPES)]) for cell in range(N_CELLS))
    write_table(folder / "cells.csv", ("barcode", "cell_type"), cells)


def gene_id(gene: int) -> str:
    """A gene as kb-python calls it: with its version; the last gene has no name of its own."""
    return f"ISTG{gene:05d}.1"


def draw() -> Ints:
    """Molecules of every droplet (cells first) and gene; each type has genes of its own."""
    droplets = np.arange(N_CELLS + N_EMPTY)
    kinds = droplets % len(TYPES)
    level = 0.3 + uniform(SEED, np.arange(N_GENES))
    shares = np.tile(level, (len(droplets), 1))
    own = np.arange(N_GENES)[np.newaxis] % len(TYPES) == kinds[:, np.newaxis]
    shares[own & (droplets < N_CELLS)[:, np.newaxis]] *= 6.0
    bounds = np.cumsum(shares, axis=1) / shares.sum(axis=1, keepdims=True)
    counts = np.zeros((len(droplets), N_GENES), dtype=np.int64)
    for droplet in droplets:
        depth = int(120 + 120 * uniform(SEED + 1, droplet)) if droplet < N_CELLS else 1 + droplet % 5
        genes = np.searchsorted(bounds[droplet], uniform(SEED + 2, droplet, np.arange(depth)))
        counts[droplet] += np.bincount(np.minimum(genes, N_GENES - 1), minlength=N_GENES)
    counts[:, N_GENES - 2] = 0  # a gene that nobody has
    return counts


def _reads(counts: Ints, barcodes: list[str], genes: list[str]) -> Iterator[tuple[str, str]]:
    """Barcode with tag, and transcript, of every read."""
    molecule = 0
    for droplet, barcode in enumerate(barcodes):
        for gene in np.flatnonzero(counts[droplet]).tolist():
            for _ in range(int(counts[droplet, gene])):
                molecule += 1
                tag = _sequence(3, molecule, TAG)
                for copy in range(1 + int(uniform(SEED + 3, molecule) ** 2 * 4)):
                    start = int(uniform(SEED + 4, molecule, copy) * (GENE_LENGTH - READ))
                    seen = barcode if copy == 0 else _misread(barcode, molecule, copy)
                    yield seen + tag, genes[gene][start : start + READ]
        yield _sequence(5, droplet, BARCODE) + _sequence(6, droplet, TAG), genes[droplet % N_GENES][:READ]
        yield barcode + _sequence(7, droplet, TAG), _sequence(8, droplet, READ)


def _misread(barcode: str, molecule: int, copy: int) -> str:
    """One in ten has a wrong base, which the list of barcodes tells."""
    draw = float(uniform(SEED + 5, molecule, copy))
    if draw >= 0.1:
        return barcode
    at = int(draw * 10 * BARCODE)
    return barcode[:at] + "ACGT"[("ACGT".index(barcode[at]) + 1) % 4] + barcode[at + 1 :]


def _sequence(kind: int, number: int, length: int) -> str:
    at = (uniform(SEED + 100 + kind, number, np.arange(length)) * 4).astype(np.int64)
    return _BASES[at].tobytes().decode()


def _write_genome(folder: Path, genes: list[str]) -> None:
    """Genes lie on two chromosomes, every other one on the reverse strand."""
    chromosomes: dict[str, list[str]] = {"chrA": [], "chrB": []}
    lengths = dict.fromkeys(chromosomes, 0)
    lines: list[str] = []
    for gene, transcript in enumerate(genes):
        name, is_reverse = ("chrA", "chrB")[gene % 2], gene % 4 > 1
        parts = [transcript[:FIRST_EXON], _sequence(9, gene, INTRON), transcript[FIRST_EXON:]]
        body = "".join(parts)
        first = [(0, FIRST_EXON), (FIRST_EXON + INTRON, len(body))]
        exons = [(len(body) - end, len(body) - start) for start, end in first] if is_reverse else first
        if is_reverse:
            body = body.encode().translate(_COMPLEMENT).decode()[::-1]
        chromosomes[name] += [_sequence(10, gene, BETWEEN), body]
        start = lengths[name] + BETWEEN
        lengths[name] += BETWEEN + len(body)
        lines += _gtf(gene, name, "-" if is_reverse else "+", start, len(body), exons)
    text = "".join(f">{name}\n{''.join(parts)}\n" for name, parts in chromosomes.items())
    (folder / "genome.fa").write_text(text, newline="\n")
    (folder / "genes.gtf").write_text("".join(f"{line}\n" for line in lines), newline="\n")


def _gtf(
    gene: int, chromosome: str, strand: str, start: int, length: int, exons: list[tuple[int, int]]
) -> Iterator[str]:
    """Gene, transcript and exons, from 1, ends included."""
    told = f'gene_id "ISTG{gene:05d}"; gene_version "1";'
    if gene < N_GENES - 1:
        told += f' gene_name "GENE{gene}";'
    of = f'{told} transcript_id "ISTT{gene:05d}"; transcript_version "1";'
    rows = [("gene", 0, length, told), ("transcript", 0, length, of)]
    rows += [("exon", first, last, of) for first, last in exons]
    for kind, first, last, words in rows:
        yield f"{chromosome}\tmade\t{kind}\t{start + first + 1}\t{start + last}\t.\t{strand}\t.\t{words}"


def _write_fastq(path: Path, sequences: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"@read{n}\n{bases}\n+\n{'I' * len(bases)}\n" for n, bases in enumerate(sequences))
    path.write_bytes(gzip.compress(text.encode(), 6, mtime=0))
