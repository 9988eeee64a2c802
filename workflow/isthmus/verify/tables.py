"""Whether a sample's tables agree with its label images and with each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from isthmus.errors import UserError, n_of
from isthmus.plan.model import SamplePlan
from isthmus.plan.paths import SamplePaths
from isthmus.quantify.sums import SHAPE_SUMS
from isthmus.tables.shape import centroid_um
from isthmus.verify.cell_table import CellTable
from isthmus.verify.label_sums import LabelSums

Int64 = npt.NDArray[np.int64]

_ROWS = 1 << 16
_CLOSE_UM = 1e-6
_DO = "it was changed after it was written, or this is a fault of Isthmus: delete it and run again with `isthmus run`"


class TableCheck:
    """Holds one sample's table against its labels, outlines and transcripts."""

    def __init__(self, plan: SamplePlan, of: SamplePaths, sample: str, table: CellTable, where: str) -> None:
        """`where` is the table's path as users see it."""
        self._plan, self._of, self._sample, self._table, self._where = plan, of, sample, table, where

    def of_rows(self) -> Iterator[UserError]:
        """Whether rows are named by their ids, which increase."""
        ids = self._table.ids
        if np.any(ids[1:] <= ids[:-1]) or np.any(ids < 1):
            yield self._fault("instance_id does not increase from row to row")
        names = [str(name) for name in self._table.obs.index]
        wrong = next(
            (
                n
                for n, i in zip(names, ids.tolist(), strict=True)
                if not n.startswith(self._sample) or n != f"{self._sample}-{i}"
            ),
            None,
        )
        if wrong is not None:
            yield self._fault(f"row '{wrong}' does not have the name of its instance_id")

    def against_labels(self, sums: dict[str, LabelSums]) -> Iterator[UserError]:
        """Whether rows, sizes and places are those of the labels' instances."""
        is_volume = self._plan.grid.shape[0] > 1
        size = "volume_um3" if is_volume else "area_um2"
        pixel = self._plan.window_affine.pixel_area_um2 * (self._plan.z_step_um if is_volume else 1.0)
        for name, column in (("cells", size), ("nuclei", f"nucleus_{size}")):
            if name not in sums:
                continue
            of_labels = sums[name]
            faults = list(self._same_ids(of_labels.ids, name))
            yield from faults
            if faults:
                continue
            found = self._column(column)
            wrong = ~np.isclose(found, of_labels.pixels * pixel, rtol=1e-9, atol=0)
            yield from self._rows(wrong, f"{column} is not that of the pixels in labels/{name}")
            if name == "cells":
                yield from self._places(of_labels, is_volume)

    def against_outlines(self, path: Path, where: str) -> Iterator[UserError]:
        """Whether cells.parquet holds the cells of the table, in its order."""
        ids, row = self._table.ids, 0
        names = self._table.obs.index
        try:
            for batch in pq.ParquetFile(path).iter_batches(_ROWS, columns=["cell", "instance_id"]):
                found = batch.column("instance_id").to_numpy()
                stretch = slice(row, row + found.size)
                same = np.array_equal(found, ids[stretch])
                if not same or batch.column("cell").to_pylist() != list(names[stretch]):
                    yield UserError(
                        where=where, found=f"from row {row} on, it has other cells than the table", do=_DO
                    )
                    return
                row += found.size
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            yield _unreadable(where, error)
            return
        if row != ids.size:
            yield UserError(where=where, found=f"it has {n_of(row, 'cell')}, the table {ids.size:,}", do=_DO)

    def against_transcripts(self, path: Path, where: str, min_qv: float) -> Iterator[UserError]:
        """Whether counting the transcripts by their cell gives the table's counts."""
        table = self._table
        if table.counts_of_cells is None or table.counts_of_genes is None:
            yield self._fault("there is no matrix layers/counts, though there are transcripts")
            return
        yield from self._rows(
            table.counts_of_cells != self._column("n_counts"), "n_counts is not the sum of layers/counts"
        )
        tally = _Tally(table)
        try:
            for batch in pq.ParquetFile(path).iter_batches(_ROWS):
                tally.add(batch, min_qv)
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            yield _unreadable(where, error)
            return
        if tally.n_strange:
            yield UserError(
                where=where,
                found=f"{n_of(tally.n_strange, 'transcript')} in cells that the table lacks",
                do=_DO,
            )
        for found, counted, what in (
            (tally.of_cells, table.counts_of_cells, "cells"),
            (tally.of_genes, table.counts_of_genes, "genes"),
        ):
            wrong = np.flatnonzero(found != counted)
            if wrong.size:
                first = int(wrong[0])
                name = table.obs.index[first] if what == "cells" else table.genes[first]
                yield UserError(
                    where=where,
                    found=f"{wrong.size:,} of {counted.size:,} {what} have other counts than the table, first {name}:"
                    f" {found[first]} transcripts, {counted[first]} in the table",
                    do=_DO,
                )

    def _same_ids(self, ids: Int64, what: str) -> Iterator[UserError]:
        rows = self._table.ids
        for missing, found in (
            (np.setdiff1d(ids, rows), f"of labels/{what} without a row"),
            (np.setdiff1d(rows, ids), f"without a pixel in labels/{what}"),
        ):
            if missing.size:
                yield self._fault(f"{n_of(missing.size, 'instance')} {found}, first {missing[0]}")

    def _places(self, sums: LabelSums, is_volume: bool) -> Iterator[UserError]:
        shape = np.zeros((sums.ids.size, len(SHAPE_SUMS)), dtype=np.int64)
        for name, values in zip(("n", "z", "y", "x"), (sums.pixels, *sums.places.T), strict=True):
            shape[:, SHAPE_SUMS.index(name)] = values
        wanted = self._centroids(shape, is_volume)
        found = self._table.spatial
        if found.shape != wanted.shape:
            yield self._fault(f"obsm['spatial'] has {found.shape[1:]} columns instead of {wanted.shape[1]}")
            return
        far = np.any(~np.isclose(found, wanted, rtol=1e-12, atol=_CLOSE_UM), axis=1)
        yield from self._rows(far, "obsm['spatial'] is not the centre of the pixels in labels/cells")

    def _centroids(self, shape: Int64, is_volume: bool) -> npt.NDArray[np.float64]:
        """Where the cells must be; of many images, each in that which its row names."""
        plan = self._plan
        if not plan.images or "image" not in self._table.obs:
            return centroid_um(shape, plan.window_affine, plan.z_step_um, is_volume=is_volume)
        place = {image.name: number for number, image in enumerate(plan.images)}
        numbers = np.array([place.get(str(name), -1) for name in self._table.obs["image"]], dtype=np.int64)
        wanted = np.full((len(shape), 3 if is_volume else 2), np.nan)
        known, first = np.unique(numbers, return_index=True)
        if np.any(np.diff(numbers) < 0):  # ids are ranks: cells stand image by image
            return wanted
        for number, part in zip(known.tolist(), np.split(np.arange(numbers.size), first[1:]), strict=False):
            if number >= 0:
                wanted[part] = centroid_um(
                    shape[part], plan.affine_of(number), plan.z_step_um, is_volume=is_volume
                )
        return wanted

    def _column(self, name: str) -> npt.NDArray[np.float64]:
        """A column of obs; nothing but NaN where it is missing."""
        if name not in self._table.obs:
            return np.full(len(self._table.obs), np.nan)
        return self._table.obs[name].to_numpy(dtype=np.float64)

    def _rows(self, wrong: npt.NDArray[np.bool_], found: str) -> Iterator[UserError]:
        if wrong.any():
            first = self._table.obs.index[int(np.argmax(wrong))]
            yield self._fault(f"in {n_of(int(wrong.sum()), 'row')}, first {first}, {found}")

    def _fault(self, found: str) -> UserError:
        return UserError(where=self._where, found=found, do=_DO)


class _Tally:
    """Transcripts of sufficient quality by cell and by gene of a table."""

    def __init__(self, table: CellTable) -> None:
        self._ids = table.ids
        self._gene = {name: place for place, name in enumerate(table.genes)}
        self.of_cells = np.zeros(self._ids.size, dtype=np.int64)
        self.of_genes = np.zeros(len(table.genes), dtype=np.int64)
        self.n_strange = 0

    def add(self, batch: pa.RecordBatch, min_qv: float) -> None:
        ids = batch.column("instance_id").to_numpy()
        good = ids != 0
        at = np.searchsorted(self._ids, ids)
        known = np.zeros(ids.size, dtype=bool)
        inside = at < self._ids.size
        known[inside] = self._ids[at[inside]] == ids[inside]
        self.n_strange += int((good & ~known).sum())
        if "qv" in batch.schema.names:
            good &= batch.column("qv").to_numpy(zero_copy_only=False) >= min_qv
        encoded = batch.column("gene")
        encoded = encoded if pa.types.is_dictionary(encoded.type) else encoded.dictionary_encode()
        place = np.array([self._gene.get(name, -1) for name in encoded.dictionary.to_pylist()], np.int64)
        gene = place[encoded.indices.to_numpy(zero_copy_only=False)]
        kept = good & known & (gene >= 0)
        np.add.at(self.of_cells, at[kept], 1)
        np.add.at(self.of_genes, gene[kept], 1)


def _unreadable(where: str, error: Exception) -> UserError:
    return UserError(where=where, found=f"it cannot be read ({error})", do=_DO)
