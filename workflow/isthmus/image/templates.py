"""Metadata of many arrays that differ in nothing but their place: made once a shape, then copied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from isthmus.blocks.grid import Triple


class Templates:
    """The `zarr.json` of empty arrays by their shape; to let Zarr make each one takes a hundred times as long.

    Parameters
    ----------
    make
        Makes an empty array of a shape (z, y, x) at a path.
    """

    def __init__(self, make: Callable[[Path, Triple], object]) -> None:
        self._make = make
        self._made: dict[Triple, str] = {}

    def text(self, shape: Triple) -> str:
        """The metadata of an array of this shape."""
        if shape not in self._made:
            with TemporaryDirectory() as folder:
                array = Path(folder) / "array"
                self._make(array, shape)
                self._made[shape] = (array / "zarr.json").read_text(encoding="utf-8")
        return self._made[shape]

    def write(self, array: Path, shape: Triple) -> None:
        """An empty array of this shape; its folder must not exist."""
        array.mkdir(parents=True)
        (array / "zarr.json").write_text(self.text(shape), encoding="utf-8")
