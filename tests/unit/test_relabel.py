"""Labels are replaced by the entries of a table, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.quantify.relabel import relabel


@pytest.mark.parametrize("labels", [np.uint32, np.int32])
@pytest.mark.parametrize("table", [np.int32, np.uint32, np.uint64])
def test_every_label_becomes_its_entry(labels, table):
    random = np.random.default_rng(1)
    entries = random.integers(0, np.iinfo(table).max, 9, dtype=table)
    given = random.integers(0, 9, (2, 5, 14)).astype(labels)[..., ::2]
    made = relabel(given, entries)
    assert made.dtype == table
    assert np.array_equal(made, entries[given])


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_beyond_the_table(label):
    with pytest.raises(IndexError, match="not below 3"):
        relabel(np.array([0, label], dtype=np.int32), np.arange(3, dtype=np.int32))
