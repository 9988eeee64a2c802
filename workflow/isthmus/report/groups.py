"""What cells are coloured by: their types, or their clusters where there is no reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from isthmus.report.colours import UNASSIGNED, colours_of
from isthmus.report.gather import Cells


@dataclass(frozen=True)
class Groups:
    """One name for each cell that passed quality control, and a colour for each name.

    cells
        Columns sample, instance_id, group (position in `names`).
    """

    title: str
    names: tuple[str, ...]
    colours: dict[str, str]
    cells: pd.DataFrame

    @property
    def palette(self) -> Sequence[str]:
        """Colours in the order of the names."""
        return [self.colours[name] for name in self.names]

    @property
    def of_cell(self) -> pd.Series[str]:
        """The name of each cell."""
        return self.cells["group"].map(dict(enumerate(self.names)))

    def of_sample(self, sample: str) -> pd.Series[int]:
        """Position in `names`, by instance_id."""
        here = self.cells[self.cells["sample"] == sample]
        return here.set_index("instance_id")["group"]

    def sizes(self, sample: str = "") -> pd.Series[int]:
        """Cells of each name, in the order of the names; of one sample or of all."""
        group = self.of_sample(sample) if sample else self.cells["group"]
        return group.value_counts().reindex(range(len(self.names)), fill_value=0)

    def legend(self, sample: str = "") -> list[tuple[str, str, int]]:
        """(name, colour, cells) of the names that occur, most first, 'unassigned' last."""
        sizes = self.sizes(sample)
        rows = [(name, self.colours[name], int(sizes[i])) for i, name in enumerate(self.names) if sizes[i]]
        return sorted(rows, key=lambda row: (row[0] == UNASSIGNED, -row[2]))


def make_groups(cells: Cells, column: str, title: str) -> Groups | None:
    """Groups by a column of obs; None where it is missing."""
    if column not in cells.obs or len(cells.obs) == 0:
        return None
    category = cells.obs[column].astype("category")
    names = tuple(str(name) for name in category.cat.categories)
    table = pd.DataFrame(
        {
            "sample": cells.obs["sample"].astype(str).to_numpy(),
            "instance_id": cells.obs["instance_id"].to_numpy(),
            "group": category.cat.codes.to_numpy(dtype="int64"),
        }
    )
    return Groups(title, names, colours_of(names), table)
