"""What can be told of a reference of cells before its counts are read: whether it is one, and the types of its cells.

Apart from `reference_cells`, because every command looks at a reference and only `annotate` reads it.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from isthmus.errors import UserError

ONTOLOGY_COLUMN = "cell_type_ontology_term_id"


def holds_cells(reference: Path, types: Path | None) -> bool:
    """Whether a reference is one of cells: it names their types elsewhere, or is of a kind that profiles never are."""
    name = reference.name.lower().removesuffix(".gz")
    return types is not None or name.endswith((".h5ad", ".h5", ".hdf5", ".loom", ".mtx"))


def read_types_table(path: Path, column: str) -> pd.DataFrame:
    """Types of cells (CSV or TSV), by cell; the only column besides ids is the one that is wanted."""
    separator = "\t" if {".tsv", ".txt"} & set(path.suffixes) else ","
    try:
        frame = pd.read_csv(path, sep=separator, index_col=0, dtype=str)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        raise UserError(where=str(path), found=f"not a table ({error})", do="give CSV or TSV text") from error
    others = [name for name in frame.columns if name != ONTOLOGY_COLUMN]
    return frame.rename(columns={others[0]: column}) if column not in frame and len(others) == 1 else frame
