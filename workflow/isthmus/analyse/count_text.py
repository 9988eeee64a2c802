"""Counts in text: 10x matrix folders, and CSV or TSV with genes in rows or in columns."""

from __future__ import annotations

import gzip
from io import BufferedReader
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import io, sparse

from isthmus.errors import UserError

FEATURES = ("features.tsv.gz", "features.tsv", "genes.tsv", "genes.tsv.gz")
BARCODES = ("barcodes.tsv.gz", "barcodes.tsv")
MATRICES = ("matrix.mtx.gz", "matrix.mtx")
FEATURE_COLUMNS = ("gene_id", "name", "feature_type")
CELL_COLUMNS = ("cell", "cell_id", "barcode")
GENE_COLUMNS = ("gene", "gene_name", "symbol", "feature")
ROWS_AT_ONCE = 2_000


def read_matrix_folder(folder: Path) -> AnnData:
    """A folder with matrix.mtx, barcodes.tsv and features.tsv (or genes.tsv), each plain or gzipped."""
    matrix_path, features_path, barcodes_path = (
        _one_of(folder, names) for names in (MATRICES, FEATURES, BARCODES)
    )
    features = pd.read_csv(features_path, sep="\t", header=None, dtype=str, keep_default_na=False)
    features.columns = pd.Index(FEATURE_COLUMNS[: features.shape[1]])[: features.shape[1]]
    if features.shape[1] == 1:
        features["name"] = features["gene_id"]
    barcodes = pd.read_csv(barcodes_path, sep="\t", header=None, dtype=str, keep_default_na=False)[0]
    try:
        with _opened(matrix_path) as stream:
            matrix = sparse.csr_matrix(io.mmread(stream).T)
    except (ValueError, EOFError, gzip.BadGzipFile) as error:
        raise UserError(
            where=str(matrix_path), found=f"not a whole Matrix Market file ({error})", do="copy it again"
        ) from error
    if matrix.shape != (len(barcodes), len(features)):
        raise UserError(
            where=str(matrix_path),
            found=f"{matrix.shape[1]} genes x {matrix.shape[0]} cells, but {features_path.name} has {len(features)}"
            f" rows and {barcodes_path.name} {len(barcodes)}",
            do="give three files of one export",
        )
    var = features.set_index(pd.Index(features["name"], name=None))[
        [name for name in ("gene_id", "feature_type") if name in features]
    ]
    return AnnData(X=matrix, obs=pd.DataFrame(index=pd.Index(barcodes, name=None)), var=var)


def read_text_counts(path: Path) -> AnnData:
    """CSV or TSV; cells in rows where the first column is called cell, cell_id or barcode, else genes in rows."""
    separator = "\t" if {".tsv", ".txt"} & set(path.suffixes) else ","
    try:
        names: list[str] = []
        blocks: list[sparse.csr_matrix] = []
        with pd.read_csv(path, sep=separator, index_col=0, low_memory=False, chunksize=ROWS_AT_ONCE) as parts:
            for part in parts:
                if not len(part):
                    continue
                names += [str(name) for name in part.index]
                blocks.append(_numbers(part, path))
                columns, corner = [str(name) for name in part.columns], str(part.index.name or "")
    except pd.errors.EmptyDataError:
        raise UserError(where=str(path), found="the file is empty", do="give a table of counts") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise UserError(where=str(path), found=f"not a table ({error})", do="give CSV or TSV text") from error
    if not names:
        raise UserError(where=str(path), found="a header without rows", do="give a table of counts")
    matrix = sparse.vstack(blocks, format="csr")
    if corner.lower() in CELL_COLUMNS:
        return AnnData(X=matrix, obs=pd.DataFrame(index=names), var=pd.DataFrame(index=columns))
    return AnnData(X=matrix.T.tocsr(), obs=pd.DataFrame(index=columns), var=pd.DataFrame(index=names))


def _numbers(part: pd.DataFrame, path: Path) -> sparse.csr_matrix:
    texts = [name for name in part if part[name].dtype.kind not in "iuf"]
    if texts:
        bad = part[texts[0]][pd.to_numeric(part[texts[0]], errors="coerce").isna()]
        value = bad.iloc[0] if len(bad) else "?"
        raise UserError(
            where=f"{path}, column '{texts[0]}'",
            found=f"'{value}' where a count is expected",
            do="keep names of genes and cells only in the first row and column",
        )
    values = part.to_numpy()
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row, column = (int(at[0]) for at in np.nonzero(~np.isfinite(values)))
        raise UserError(
            where=f"{path}, row '{part.index[row]}', column '{part.columns[column]}'",
            found="an empty field",
            do="write 0 where nothing was counted",
        )
    return sparse.csr_matrix(values)


def _one_of(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    present = sorted(path.name for path in folder.iterdir())[:6]
    raise UserError(
        where=str(folder),
        found=f"no {' or '.join(names)}, only {', '.join(present) or 'nothing'}",
        do="give the folder that holds matrix, features and barcodes",
    )


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
