"""Counts in text: CSV or TSV with genes in rows or in columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from isthmus.counts.matrix import COPY, CountMatrix, checked
from isthmus.counts.ten_x import UNREADABLE
from isthmus.errors import UserError

CELL_COLUMNS = ("cell", "cell_id", "barcode")
ROWS_AT_ONCE = 2_000


def separator_of(path: Path) -> str:
    """What parts columns, by the file's name."""
    return "\t" if {".tsv", ".txt"} & set(path.suffixes) else ","


def read_text_counts(path: Path) -> CountMatrix:
    """CSV or TSV; cells in rows where the first column is called cell, cell_id or barcode, else genes in rows."""
    try:
        names: list[str] = []
        blocks: list[sparse.csr_matrix] = []
        with pd.read_csv(
            path, sep=separator_of(path), index_col=0, low_memory=False, chunksize=ROWS_AT_ONCE
        ) as parts:
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
    except UNREADABLE as error:
        raise UserError(where=str(path), found=f"it cannot be read ({error})", do=COPY) from error
    if not names:
        raise UserError(where=str(path), found="a header without rows", do="give a table of counts")
    matrix = sparse.vstack(blocks, format="csr")
    if corner.lower() in CELL_COLUMNS:
        return checked(matrix, names, columns, where=str(path), files=(path,))
    return checked(matrix.T, columns, names, where=str(path), files=(path,))


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
