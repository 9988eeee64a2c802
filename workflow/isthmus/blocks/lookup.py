"""Tables from a block's local labels to final ids, on disk: one array for all blocks, each reads its part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]


def write_lookup(folder: Path, ids: Int64, offsets: Int64) -> None:
    """Write the table: local label k of block b has the final id ids[offsets[b] + k - 1]."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in (("ids", ids), ("offsets", offsets)):
        temporary = folder / f"{name}.partial.npy"
        np.save(temporary, array)
        temporary.replace(folder / f"{name}.npy")


class LookupFile:
    """A lookup table on disk, mapped into memory."""

    def __init__(self, folder: Path) -> None:
        self._offsets = np.load(folder / "offsets.npy", mmap_mode="r")
        # An empty array cannot be mapped; loading it costs nothing.
        path = folder / "ids.npy"
        self._ids = np.load(path, mmap_mode="r") if self._offsets[-1] else np.load(path)

    def ids(self, block: int) -> Int64:
        """Final id of each local label of a block, from label 1; 0 where it was dropped."""
        return np.array(self._ids[self._offsets[block] : self._offsets[block + 1]])
