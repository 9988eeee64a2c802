"""Named arrays as bytes, for records that go through files and between processes.

The bytes are `ISA1`, the length of a header, the header (JSON: name, dtype, stored dtype, what to add, shape of each
array) and the arrays' values one after the other. Whole numbers are stored relative to the smallest of them, in the
smallest type that holds the differences. Nothing in it can be executed: only numbers and booleans are read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

_MAGIC = b"ISA1"
_KINDS = "biuf"
_START = len(_MAGIC) + 4


def arrays_to_bytes(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Pack named arrays of numbers or booleans; equal arrays give equal bytes."""
    fields, pieces = [], []
    for name, given in arrays.items():
        array = np.ascontiguousarray(given)
        if array.dtype.kind not in _KINDS:
            raise TypeError(f"array '{name}' of {array.dtype} holds no numbers")
        stored, add = _narrowed(array)
        fields.append([name, array.dtype.str, stored.dtype.str, add, list(given.shape)])
        pieces.append(stored.tobytes())
    header = json.dumps(fields, separators=(",", ":")).encode()
    return b"".join([_MAGIC, len(header).to_bytes(4, "little"), header, *pieces])


def arrays_from_bytes(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """Unpack named arrays; ValueError where the bytes are something else."""
    if data[: len(_MAGIC)] != _MAGIC:
        raise ValueError("these bytes hold no arrays")
    place = _START + int.from_bytes(data[len(_MAGIC) : _START], "little")
    arrays = {}
    for name, dtype, stored, add, shape in json.loads(data[_START:place]):
        kinds = (np.dtype(dtype), np.dtype(stored))
        if any(kind.kind not in _KINDS for kind in kinds):
            raise ValueError(f"array '{name}' of {dtype} holds no numbers")
        values = np.frombuffer(data, kinds[1], prod(shape), place).astype(kinds[0])
        if add:
            values += kinds[0].type(add)
        arrays[name] = values.reshape(shape)
        place += values.size * kinds[1].itemsize
    if place != len(data):
        raise ValueError(f"the arrays end at byte {place} of {len(data)}")
    return arrays


def _narrowed(array: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], int]:
    """The array in the smallest type that holds its differences from the smallest value, and that value."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize == 1 or not array.size:
        return array, 0
    low, high = int(array.min()), int(array.max())
    kind = np.min_scalar_type(high - low)
    if high - low >= 2**63 or kind.itemsize >= array.dtype.itemsize:
        return array, 0
    return (array - array.dtype.type(low)).astype(kind), low
