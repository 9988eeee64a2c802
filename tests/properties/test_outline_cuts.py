"""Wherever a label image is cut, the outlines are those of the whole image, and those of the pixels."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st
from outline_check import area, assert_is_outline_of, decode
from outline_store import write_cells

SHAPES = st.one_of(
    st.tuples(st.just(1), st.integers(1, 17), st.integers(1, 17)),
    st.tuples(st.integers(2, 4), st.integers(1, 9), st.integers(1, 9)),
)
BLOCKS = st.tuples(st.integers(1, 4), st.integers(1, 18), st.integers(1, 18))


@given(SHAPES, BLOCKS, st.sampled_from([0.3, 0.6, 0.9, 1.0]), st.integers(1, 9), st.integers(0, 999))
def test_labels_may_be_cut_anywhere(shape, block_px, share, n, seed):
    random = np.random.default_rng(seed)
    labels = np.where(random.random(shape) < share, random.integers(1, n + 1, shape), 0)
    with TemporaryDirectory() as folder:
        whole = write_cells(Path(folder, "whole"), labels)
        cut = write_cells(Path(folder, "cut"), labels, block_px)
        assert cut.read_bytes() == whole.read_bytes()
        table = pq.read_table(whole)
    for id, wkb in zip(table["instance_id"].to_pylist(), table["geometry"].to_pylist(), strict=True):
        mask = (labels == id).any(axis=0)
        polygons = decode(wkb)
        assert_is_outline_of(polygons, mask)
        assert area(polygons) == np.count_nonzero(mask)
