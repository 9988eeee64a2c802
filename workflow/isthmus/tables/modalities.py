"""The modalities of a sample's cells as MuData (`cells.h5mu`), from its table.

Molecules, intensities, shape and texture of the same cells, each a table of its own with features of its own: what is
`X` in `cells.h5ad`, and its data frames in obsm. The file is laid out as mudata 0.3 writes it (format version 0.1.0,
DOI 10.1186/s13059-021-02577-8; a test reads it with that library). Matrices are copied as they are stored and frames a
stretch of rows at a time, so that memory follows obs and not the matrices.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem, write_elem

FRAMES = ("intensity", "shape", "texture")
"""Data frames in obsm of a table of cells that are modalities."""
MATRICES = ("X", "layers", "uns")
KEPT = ("instance_id", "qc_pass")
"""Columns of obs that each modality repeats, so that it can be used alone; obs of the whole has all."""

_BUFFER_BYTES = 1 << 24
_CHUNK_BYTES = 1 << 19
_USER_BLOCK = 512
_FORMAT, _LAYOUT = "0.1.0", {"compression": "gzip", "compression_opts": 1, "shuffle": True}


def join_modalities(table: Path, output: Path, *, main: str) -> dict[str, int]:
    """Write the modalities of a table of cells, whole or not at all.

    Parameters
    ----------
    table
        `cells.h5ad`.
    output
        `cells.h5mu`: obs and obsm['spatial'] of the table, and the modalities `main` and those of FRAMES that the
        table has. All have the table's rows in its order, with `instance_id`, `qc_pass` and obsm['spatial'].
    main
        Name of the modality that is `X` of the table; it keeps layers, var, and the rest of obsm. A column of a frame
        that `X` holds under the same name is not repeated.

    Returns
    -------
    Features of each modality.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f"partial.{os.getpid()}.{output.name}")
    try:
        with h5py.File(table) as source, h5py.File(temporary, "w", userblock_size=_USER_BLOCK) as target:
            features = _write(source, target, main)
        _sign(temporary)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    return {name: len(names) for name, names in features.items()}


def frames_of(table: h5py.File) -> dict[str, list[str]]:
    """Columns of the frames of an open table that are modalities, in their order, without those that X has."""
    own = set(read_elem(table["var"]).index)
    found = {}
    for name in FRAMES:
        if name in table["obsm"]:
            columns = [str(column) for column in table["obsm"][name].attrs["column-order"]]
            kept = [column for column in columns if column not in own]
            if kept:
                found[name] = kept
    return found


def stretches(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Rows in stretches whose float64 values fill a bounded buffer."""
    step = max(1, _BUFFER_BYTES // (8 * max(1, n_columns)))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def read_stretch(frame: h5py.Group, columns: Sequence[str], rows: slice) -> np.ndarray[Any, Any]:
    """Rows x columns, float64, of a data frame in a file."""
    return np.column_stack([np.asarray(frame[name][rows], np.float64) for name in columns])


def _write(source: h5py.File, target: h5py.File, main: str) -> dict[str, list[str]]:
    obs, var = read_elem(source["obs"]), read_elem(source["var"])
    frames = frames_of(source)
    features = {main: [str(name) for name in var.index], **frames}
    small = obs[[name for name in KEPT if name in obs]]
    for name, columns in features.items():
        group = target.create_group(f"mod/{name}")
        write_elem(group, "obs", small)
        _copy_places(source, group)
        if name == main:
            _copy_main(source, group, var)
        else:
            write_elem(group, "var", _index_only(columns))
            _copy_frame(source["obsm"][name], group, columns, len(obs))
        _complete(group, ("obsm", "varm", "obsp", "varp", "layers", "uns"))
        _label(group, "anndata")
    target["mod"].attrs["mod-order"] = list(features)
    _write_whole(source, target, obs, features)
    return features


def _copy_main(source: h5py.File, group: h5py.Group, var: pd.DataFrame) -> None:
    write_elem(group, "var", var)
    for part in MATRICES:
        if part in source:
            source.copy(source[part], group, name=part)
    for name in source["obsm"]:
        if name not in (*FRAMES, "spatial"):
            source.copy(source["obsm"][name], group["obsm"], name=name)


def _copy_places(source: h5py.File, group: h5py.Group) -> None:
    _complete(group, ("obsm",))
    if "spatial" in source["obsm"]:
        source.copy(source["obsm/spatial"], group["obsm"], name="spatial")


def _copy_frame(frame: h5py.Group, group: h5py.Group, columns: Sequence[str], n_rows: int) -> None:
    shape = (n_rows, len(columns))
    rows = max(1, min(n_rows, _CHUNK_BYTES // (8 * len(columns))))
    storage = {"chunks": (rows, len(columns)), **_LAYOUT} if n_rows else {}
    made = group.create_dataset("X", shape, np.float64, **storage)
    made.attrs["encoding-type"], made.attrs["encoding-version"] = "array", "0.2.0"
    for stretch in stretches(*shape):
        made[stretch] = read_stretch(frame, columns, stretch)


def _write_whole(
    source: h5py.File, target: h5py.File, obs: pd.DataFrame, features: Mapping[str, Sequence[str]]
) -> None:
    """What is true of all modalities together: which rows and features each has; here every row."""
    names = [name for of in features.values() for name in of]
    write_elem(target, "obs", obs)
    write_elem(target, "var", _index_only(names))
    write_elem(target, "obsm", {name: np.ones((len(obs), 1), dtype=bool) for name in features})
    if "spatial" in source["obsm"]:
        source.copy(source["obsm/spatial"], target["obsm"], name="spatial")
    rows = np.arange(1, len(obs) + 1, dtype=np.uint32)
    write_elem(target, "obsmap", dict.fromkeys(features, rows))
    has, places, at = {}, {}, 0
    for name, of in features.items():
        mine = np.zeros(len(names), dtype=bool)
        mine[at : at + len(of)] = True
        has[name] = mine[:, np.newaxis]
        places[name] = np.where(mine, np.arange(1 - at, len(names) + 1 - at), 0).astype(np.uint32)
        at += len(of)
    write_elem(target, "varm", has)
    write_elem(target, "varmap", places)
    _complete(target, ("obsp", "varp", "uns"))
    target.attrs["axis"] = 0
    _label(target, "MuData")


def _complete(group: h5py.Group, parts: Sequence[str]) -> None:
    """Parts that a reader expects, where they are missing."""
    for part in parts:
        if part not in group:
            write_elem(group, part, {})


def _index_only(names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(index=pd.Index(list(names), dtype=object))


def _label(group: h5py.Group, kind: str) -> None:
    group.attrs["encoding-type"], group.attrs["encoding-version"] = kind, _FORMAT
    group.attrs["encoder"] = "isthmus"


def _sign(path: Path) -> None:
    """The first bytes by which a MuData file is known."""
    with path.open("r+b") as file:
        file.write(f"MuData (format-version={_FORMAT};creator=isthmus)".encode().ljust(_USER_BLOCK, b"\0"))
