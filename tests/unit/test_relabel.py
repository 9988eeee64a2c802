"""Labels are replaced by the entries of a table, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.quantify.relabel import relabel, seen_labels


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


def test_entries_are_put_into_a_part_of_an_array():
    random = np.random.default_rng(2)
    labels, entries = random.integers(0, 9, (2, 5, 7)).astype(np.uint32), random.integers(0, 99, 9)
    whole = np.full((4, 6, 9), -1)
    relabel(labels, entries, whole[1:3, 1:, 2:])
    assert np.array_equal(whole[1:3, 1:, 2:], entries[labels])
    assert (whole == -1).sum() == whole.size - labels.size


def test_seen_labels_are_those_that_there_are():
    labels = np.array([[[0, 4, 4], [2, 0, 2]]], dtype=np.uint32)
    assert seen_labels(labels, 5).tolist() == [False, True, False, True, False]
    assert seen_labels(labels[..., :0], 2).tolist() == [False, False]


def test_seen_labels_are_below_their_number():
    with pytest.raises(IndexError, match="not below 4"):
        seen_labels(np.array([[[1, 4]]], dtype=np.uint32), 3)
