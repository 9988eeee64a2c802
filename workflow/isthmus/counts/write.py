"""Write counts as a matrix folder of 10x Genomics (Cell Ranger 3 and later)."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from scipy.sparse import csr_matrix

from isthmus.counts.matrix import GENE_EXPRESSION

MATRIX, BARCODES, FEATURES = "matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz"
_AT_ONCE = 1 << 16


def write_ten_x(
    folder: Path, counts: csr_matrix, *, barcodes: Sequence[str], ids: Sequence[str], names: Sequence[str]
) -> None:
    """Write matrix, barcodes and features, gzipped, the same bytes for the same counts.

    Parameters
    ----------
    counts
        Barcodes x genes, whole numbers, canonical.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / BARCODES, (f"{barcode}\n" for barcode in barcodes))
    features = zip(ids, names, strict=True)
    _write(folder / FEATURES, (f"{gene}\t{name}\t{GENE_EXPRESSION}\n" for gene, name in features))
    _write(folder / MATRIX, _entries(counts))


def _entries(counts: csr_matrix) -> Iterable[str]:
    n_barcodes, n_genes = counts.shape
    yield f"%%MatrixMarket matrix coordinate integer general\n{n_genes} {n_barcodes} {counts.nnz}\n"
    rows = np.repeat(np.arange(1, n_barcodes + 1), np.diff(counts.indptr))
    for start in range(0, counts.nnz, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        columns = (counts.indices[part] + 1, rows[part], counts.data[part])
        triples = zip(*(column.tolist() for column in columns), strict=True)
        yield "".join(f"{gene} {barcode} {value}\n" for gene, barcode, value in triples)


def _write(path: Path, lines: Iterable[str]) -> None:
    with path.open("wb") as raw, _zipped(raw) as stream:
        for line in lines:
            stream.write(line.encode())


def _zipped(raw: IO[bytes]) -> gzip.GzipFile:
    # no name and no time inside: equal content gives equal bytes
    return gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=4)
