"""Tables from a block's local labels to final ids, on disk: one array for all blocks, each reads its part.

`ids.npy` and `offsets.npy` are the table, `roots.npy` says where each instance has its root, `alone.npy` which local
labels are their instance's only ones, `given.npy` which id an instance has in the label image that it comes from.
"""

from __future__ import annotations

import mmap
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]


def write_lookup(
    folder: Path,
    ids: npt.NDArray[np.integer[Any]],
    offsets: Int64,
    roots: Int64 | None = None,
    given: Int64 | None = None,
) -> None:
    """Write the table.

    Parameters
    ----------
    ids, offsets
        Local label k of block b has the final id ids[offsets[b] + k - 1].
    roots
        Row-major index in the image of the root of id k, at k - 1; of imported labels the sorted ids.
    given
        For imported labels of many images, the id in its image of id k, at k - 1.
    """
    folder.mkdir(parents=True, exist_ok=True)
    alone = _occur_once(ids)
    named = {"ids": ids, "offsets": offsets, "roots": roots, "alone": alone, "given": given}
    for name, array in named.items():
        if array is None:
            (folder / f"{name}.npy").unlink(missing_ok=True)
        else:
            temporary = folder / f"{name}.partial.npy"
            np.save(temporary, array)
            temporary.replace(folder / f"{name}.npy")


def read_roots(folder: Path) -> Int64:
    """The instances' roots (see `write_lookup`), mapped into memory."""
    return _mapped(folder / "roots.npy")


def read_given(folder: Path) -> Int64 | None:
    """The ids that imported instances have in their images (see `write_lookup`); None where ids are those."""
    path = folder / "given.npy"
    return _mapped(path) if path.exists() else None


class LookupFile:
    """A lookup table on disk, mapped into memory."""

    def __init__(self, folder: Path) -> None:
        self._offsets = _mapped(folder / "offsets.npy")
        self._ids = _mapped(folder / "ids.npy")
        self._alone = _mapped(folder / "alone.npy")

    def ids(self, block: int) -> Int64:
        """Final id of each local label of a block, from label 1; 0 where it was dropped."""
        return np.array(self._ids[self._offsets[block] : self._offsets[block + 1]], dtype=np.int64)

    def alone(self, block: int) -> npt.NDArray[np.bool_]:
        """Whether each local label of a block is the only one of its instance: no other block has pixels of it."""
        return np.array(self._alone[self._offsets[block] : self._offsets[block + 1]])


def _occur_once(ids: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
    if not ids.size:
        return np.ones(0, dtype=bool)
    if int(ids.max()) <= 8 * ids.size:
        once: npt.NDArray[np.bool_] = np.bincount(ids)[ids] == 1
        return once
    # Imported labels may have any ids.
    _, where, counts = np.unique(ids, return_inverse=True, return_counts=True)
    seldom: npt.NDArray[np.bool_] = counts[where] == 1
    return seldom


def _mapped(path: Path) -> npt.NDArray[Any]:
    """An array of one axis, mapped into memory."""
    stat = path.stat()
    dtype, size, begin = _layout(path, (stat.st_mtime_ns, stat.st_ino))
    if not size:  # nothing cannot be mapped
        return np.empty(0, dtype)
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(mapped, dtype, size, begin)


@lru_cache(maxsize=16)
def _layout(path: Path, stamp: tuple[int, int]) -> tuple[np.dtype[Any], int, int]:
    """Type and number of values, and where they begin; `stamp` changes when the file is written anew.

    Blocks open the table one after the other, and to read what an array is takes longer than to map it.
    """
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        return dtype, shape[0], file.tell()
