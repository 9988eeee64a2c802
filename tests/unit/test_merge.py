"""Joining what blocks found."""

from __future__ import annotations

import numpy as np

from isthmus.quantify.sums import empty_sums
from isthmus.tables.merge import merge_sums

NAMES = ("shape", "bounds", "flags", "intensity", "extremes")


def _record(ids, seed, n_channels=2):
    random = np.random.default_rng(seed)
    sums = empty_sums(len(ids), n_channels)
    for name in ("shape", "bounds", "intensity", "extremes"):
        array = getattr(sums, name)
        array[...] = random.integers(0, 2**40, array.shape)
    sums.flags[...] = random.random(sums.flags.shape) < 0.3
    return {"ids": np.array(ids, dtype=np.int64), **{name: getattr(sums, name) for name in NAMES}}


def test_the_order_of_blocks_does_not_matter():
    records = [_record([1, 5, 7], 0), _record([5], 1), _record([], 2), _record([2, 7, 900_000_000_000], 3)]
    one, other = merge_sums(records), merge_sums(records[::-1])
    assert one.ids.tolist() == [1, 2, 5, 7, 900_000_000_000]
    for name in ("ids", *NAMES):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_sums_add_bounds_widen_flags_join():
    a, b = _record([3], 4), _record([3], 5)
    merged = merge_sums([a, b])
    assert np.array_equal(merged.shape, a["shape"] + b["shape"])
    assert np.array_equal(merged.intensity, a["intensity"] + b["intensity"])
    assert np.array_equal(merged.bounds[..., :3], np.minimum(a["bounds"], b["bounds"])[..., :3])
    assert np.array_equal(merged.bounds[..., 3:], np.maximum(a["bounds"], b["bounds"])[..., 3:])
    assert np.array_equal(merged.extremes[..., 0], np.minimum(a["extremes"], b["extremes"])[..., 0])
    assert np.array_equal(merged.extremes[..., 1], np.maximum(a["extremes"], b["extremes"])[..., 1])
    assert np.array_equal(merged.flags, a["flags"] | b["flags"])


def test_a_part_without_pixels_changes_no_bound():
    seen, empty = _record([1], 6), _record([1], 7)
    nothing = empty_sums(1, 2)
    for name in NAMES:
        empty[name] = getattr(nothing, name)
    merged = merge_sums([empty, seen])
    for name in NAMES:
        assert np.array_equal(getattr(merged, name), seen[name]), name


def test_blocks_without_cells_give_an_empty_table():
    merged = merge_sums([_record([], 0), _record([], 1)])
    assert merged.ids.size == 0
    assert merged.intensity.shape == (0, 2, 2, 2)
    assert merged.flags.dtype == bool


def test_no_channels_is_allowed():
    assert merge_sums([_record([1, 2], 0, n_channels=0)]).intensity.shape == (2, 0, 2, 2)
