"""Arrays as bytes: what goes in comes out, small numbers take little room, other bytes are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isthmus.blocks.arrays import arrays_from_bytes, arrays_to_bytes

DTYPES = st.sampled_from(["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", ">i4", ">f8"])


@settings(max_examples=150)
@given(
    arrays=st.dictionaries(
        st.text(max_size=5),
        hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, min_side=0, max_side=5)),
        max_size=4,
    )
)
def test_any_arrays_come_back_as_they_were(arrays):
    found = arrays_from_bytes(arrays_to_bytes(arrays))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].flags.writeable
        assert np.array_equal(found[name], array, equal_nan=array.dtype.kind == "f")


@pytest.mark.parametrize(
    ("values", "n_bytes"),
    [([10**12, 10**12 + 255], 1), ([-5, 60_000], 2), ([0, 2**32], 8), ([-(2**63), 2**63 - 1], 8)],
)
def test_whole_numbers_take_the_room_of_their_differences(values, n_bytes):
    array = np.array(values * 1000, dtype=np.int64)
    data = arrays_to_bytes({"a": array})
    assert len(data) - 2000 * n_bytes in range(8, 80)
    assert np.array_equal(arrays_from_bytes(data)["a"], array)


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([{}], dtype=object), np.zeros(1, "M8[s]")])
def test_what_is_no_number_is_refused(array):
    with pytest.raises(TypeError, match="no numbers"):
        arrays_to_bytes({"a": array})


@pytest.mark.parametrize("dtype", ["O", "U4", "M8[s]", "V8"])
def test_bytes_that_ask_for_something_else_are_refused(dtype):
    header = json.dumps([["a", dtype, dtype, 0, [1]]]).encode()
    with pytest.raises(ValueError, match="no numbers"):
        arrays_from_bytes(b"ISA1" + len(header).to_bytes(4, "little") + header + bytes(64))


def test_bytes_cut_anywhere_are_refused():
    data = arrays_to_bytes({"a": np.arange(300), "b": np.array([True])})
    for length in range(len(data)):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever the fault, it is told as a ValueError
            arrays_from_bytes(data[:length])
    with pytest.raises(ValueError, match="end at byte"):
        arrays_from_bytes(data + b"0")
