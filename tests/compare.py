"""Whether two finished runs hold the same: every pixel, id and value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse
import zarr

FREE = ("touches_seam",)
"""The one column of obs that depends on where the cuts are; `uns` does too."""


def labels(results: Path, name: str = "cells", sample: str = "a", level: int = 0) -> np.ndarray[Any, Any]:
    """A label image."""
    array = zarr.open_array(results / sample / "image.ome.zarr" / "labels" / name / str(level), mode="r")
    return np.asarray(array[:])


def cells(results: Path, sample: str = "a") -> anndata.AnnData:
    """The table of a sample."""
    return anndata.read_h5ad(results / sample / "cells.h5ad")


def transcripts(results: Path, sample: str = "a") -> pa.Table:
    """The transcripts of a sample."""
    return pq.read_table(results / sample / "transcripts.parquet")


def assert_same_sample(one: Path, other: Path, sample: str = "a", *, seams: bool = False) -> None:
    """Fail unless the label pixels, ids, values and transcripts of a sample are the same; seams: also touches_seam."""
    for name in ("nuclei", "cells"):
        first, second = labels(one, name, sample), labels(other, name, sample)
        assert first.dtype == second.dtype
        assert np.array_equal(first, second), f"{(first != second).sum()} pixels of {name} differ"
    assert_same_table(cells(one, sample), cells(other, sample), seams=seams)
    if (one / sample / "cells.parquet").exists():
        assert (one / sample / "cells.parquet").read_bytes() == (
            other / sample / "cells.parquet"
        ).read_bytes()
    if (one / sample / "transcripts.parquet").exists():
        assert transcripts(one, sample).equals(transcripts(other, sample))


def assert_same_table(one: anndata.AnnData, other: anndata.AnnData, *, seams: bool = False) -> None:
    """Fail unless two tables hold the same to the bit, `touches_seam` and `uns` apart."""
    free = [] if seams else list(FREE)
    pd.testing.assert_frame_equal(one.obs.drop(columns=free), other.obs.drop(columns=free), check_exact=True)
    pd.testing.assert_frame_equal(one.var, other.var, check_exact=True)
    _assert_same_matrix(one.X, other.X, "X")
    for kind in ("layers", "obsm", "obsp", "varm"):
        first, second = getattr(one, kind), getattr(other, kind)
        assert set(first) == set(second), kind
        for key in first:
            _assert_same_matrix(first[key], second[key], f"{kind}[{key}]")


def _assert_same_matrix(one: Any, other: Any, name: str) -> None:
    assert type(one) is type(other), name
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
        return
    if scipy.sparse.issparse(one):
        for part in ("indptr", "indices", "data"):
            assert np.array_equal(getattr(one, part), getattr(other, part)), f"{name}: {part} differ"
        one, other = one.toarray(), other.toarray()
    assert one.dtype == other.dtype, name
    assert np.array_equal(one, other, equal_nan=True), name
