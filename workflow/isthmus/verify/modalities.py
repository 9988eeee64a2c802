"""Whether a sample's modalities (`cells.h5mu`) are those of its table, a stretch of rows or entries at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from anndata.io import read_elem

from isthmus.errors import UserError, n_of
from isthmus.tables.modalities import frames_of, read_stretch, stretches
from isthmus.verify.noted import RUN_AGAIN

_ENTRIES = 1 << 22


def faults_of_modalities(table: Path, modalities: Path, main: str, where: str) -> Iterator[UserError]:
    """A fault for every modality that is missing or differs from what the table holds.

    Parameters
    ----------
    main
        Name of the modality that is X of the table.
    where
        The file of the modalities as users see it.
    """
    try:
        with h5py.File(table) as source, h5py.File(modalities) as target:
            for found in _differences(source, target, main):
                yield UserError(where=where, found=found, do=f"delete it, then {RUN_AGAIN}")
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        found = f"it cannot be read as MuData beside the table ({' '.join(str(error).split())})"
        yield UserError(where=where, found=found, do=f"delete it, then {RUN_AGAIN}")


def _differences(source: h5py.File, target: h5py.File, main: str) -> Iterator[str]:
    frames = frames_of(source)
    names, found = {main, *frames}, set(target["mod"])
    if names != found:
        yield f"it has the modalities {_listed(found)}, the table {_listed(names)}"
    rows = _names(source, "obs")
    for place, what in [
        ("", "it"),
        *((f"mod/{name}/", f"modality {name}") for name in sorted(names & found)),
    ]:
        other = _names(target, f"{place}obs")
        if other != rows:
            yield (
                f"{what} has {n_of(len(other), 'cell')}, the table {len(rows):,}"
                if len(other) != len(rows)
                else f"{what} has other cells than the table"
            )
            return
    if main in found:
        of = target["mod"][main]
        if _names(of, "var") != _names(source, "var"):
            yield f"modality {main} has other features than the table"
        elif not _same(source["X"], of["X"]):
            yield f"modality {main} has other values than X of the table"
    for name, columns in frames.items():
        if name in found:
            yield from _frame_differences(source["obsm"][name], target["mod"][name], name, columns, len(rows))


def _frame_differences(
    frame: h5py.Group, of: h5py.Group, name: str, columns: list[str], n_rows: int
) -> Iterator[str]:
    shape = (n_rows, len(columns))
    if _names(of, "var") != columns or of["X"].shape != shape:
        yield f"modality {name} has other features than obsm['{name}'] of the table"
        return
    for rows in stretches(*shape):
        if not np.array_equal(read_stretch(frame, columns, rows), of["X"][rows], equal_nan=True):
            yield f"modality {name} has other values than obsm['{name}'] of the table"
            return


def _names(group: Any, part: str) -> list[str]:
    return [str(name) for name in read_elem(group[part][group[part].attrs["_index"]])]


def _same(one: Any, other: Any) -> bool:
    """Whether two stored matrices, dense or sparse, are equal."""
    if isinstance(one, h5py.Dataset) != isinstance(other, h5py.Dataset):
        return False
    if isinstance(one, h5py.Dataset):
        if one.shape != other.shape:
            return False
        step = max(1, _ENTRIES // max(1, one.size // max(1, one.shape[0])))
        parts = (slice(start, start + step) for start in range(0, one.shape[0], step))
        return all(np.array_equal(one[part], other[part], equal_nan=one.dtype.kind == "f") for part in parts)
    return all(_same(one[part], other[part]) for part in ("indptr", "indices", "data"))


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
