"""Compile all kernels into their caches, so that the first run does not wait for the compiler."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.sparse import csr_matrix

import isthmus.quantify.warm
import isthmus.segment.warm
import isthmus.tables.warm  # noqa: F401 - importing these modules calls every kernel once
from isthmus.analyse.cluster import cluster_cells
from isthmus.quantify.warm_options import warm_options


def main() -> None:
    """Call what no import has called; cluster a few made-up cells: libraries compile what they need, and keep it."""
    warm_options()
    random = np.random.default_rng(0)
    counts = csr_matrix(random.poisson(3.0, (200, 40)).astype(np.int32))
    names = pd.Index([f"cell-{i}" for i in range(200)])
    table = AnnData(X=counts, obs=pd.DataFrame({"sample": "a"}, index=names))
    table.layers["counts"] = counts.copy()
    cluster_cells(table)


if __name__ == "__main__":
    main()
