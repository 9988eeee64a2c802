"""The images of a sample that has many, as its tables know them. Ids are ranks: those of an image follow each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from isthmus.image.affine import Affine

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CellImages:
    """Images in the order of the sample.

    first_ids
        (images + 1,): cells with ids from first_ids[k] to below first_ids[k + 1] lie in image k.
    names, affines, columns
        Of each image: its name, pixels to micrometres, and further columns of the table.
    """

    first_ids: Int64
    names: tuple[str, ...]
    affines: tuple[Affine, ...]
    columns: tuple[Mapping[str, str], ...]

    def of(self, ids: Int64) -> Int64:
        """The image of each cell."""
        return np.searchsorted(self.first_ids, ids, side="right") - 1

    def stretches(self, ids: Int64) -> Iterator[tuple[int, slice]]:
        """The images of ascending ids: (image, which of the ids lie in it), for images that have any."""
        bounds = np.searchsorted(ids, self.first_ids)
        for image in np.flatnonzero(np.diff(bounds)).tolist():
            yield image, slice(int(bounds[image]), int(bounds[image + 1]))

    def add_columns(self, obs: pd.DataFrame, ids: Int64) -> None:
        """Add `image` and the further columns, as categories in the order of the images."""
        image = self.of(ids)
        obs["image"] = pd.Categorical.from_codes(image, categories=pd.Index(list(self.names), dtype=object))
        for name in self.columns[0] if self.columns else ():
            values = [columns[name] for columns in self.columns]
            known = list(dict.fromkeys(values))
            place = {value: code for code, value in enumerate(known)}
            codes = np.array([place[value] for value in values], dtype=np.int64)
            obs[name] = pd.Categorical.from_codes(codes[image], categories=pd.Index(known, dtype=object))
