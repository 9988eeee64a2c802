"""Transcripts binned by place: written once in bounded runs, read block by block.

A run is an Arrow file of at most RUN_ROWS rows, sorted by tile (a fixed lattice of TILE_PX pixels that has nothing to
do with blocks), with the first row of every tile in its metadata. A block maps the runs into memory and touches only
the rows of its tiles.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from isthmus.blocks.grid import Region

TILE_PX = 256
RUN_ROWS = 4_000_000

SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("z", pa.int32()),
        ("y", pa.int32()),
        ("x", pa.int32()),
        ("gene", pa.int32()),
        ("qv", pa.float32()),
    ]
)
"""row: place in the input; z, y, x: pixel in the image; gene: code; qv: +inf where the input has none."""


@dataclass(frozen=True)
class BlockPoints:
    """The points of one block, columns of equal length (see SCHEMA); pixels are those of the image."""

    row: npt.NDArray[np.int64]
    z: npt.NDArray[np.int32]
    y: npt.NDArray[np.int32]
    x: npt.NDArray[np.int32]
    gene: npt.NDArray[np.int32]
    qv: npt.NDArray[np.float32]


def write_run(path: Path, columns: dict[str, npt.NDArray[Any]], tiles_across: int) -> None:
    """Write one run.

    Parameters
    ----------
    columns
        The columns of SCHEMA, all of one length; every pixel lies in the image.
    tiles_across
        Tiles along x.
    """
    tile = (columns["y"] // TILE_PX).astype(np.int64) * tiles_across + columns["x"] // TILE_PX
    order = np.argsort(tile, kind="stable")
    names, first = np.unique(tile[order], return_index=True)
    index = {
        "tiles": names.tolist(),
        "first": [*first.tolist(), int(order.size)],
        "tiles_across": tiles_across,
    }
    schema = SCHEMA.with_metadata({"isthmus": json.dumps(index)})
    table = pa.table([pa.array(columns[name][order]) for name in SCHEMA.names], schema=schema)
    temporary = path.with_suffix(".partial")
    with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(table, max_chunksize=RUN_ROWS)
    temporary.replace(path)


def read_block(folder: Path, write: Region) -> BlockPoints:
    """The points whose pixel lies in a block's write region."""
    parts = [part for path in sorted(folder.glob("run-*.arrow")) for part in _read_run(path, write)]
    joined = {
        name: np.concatenate([part[name] for part in parts])
        if parts
        else np.empty(0, SCHEMA.field(name).type.to_pandas_dtype())
        for name in SCHEMA.names
    }
    return BlockPoints(**joined)


def _read_run(path: Path, write: Region) -> Iterator[dict[str, npt.NDArray[Any]]]:
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        index = json.loads(reader.schema.metadata[b"isthmus"])
        table = reader.read_all()
        place = {tile: k for k, tile in enumerate(index["tiles"])}
        for tile_y in range(write.start[1] // TILE_PX, -(-write.stop[1] // TILE_PX)):
            for tile_x in range(write.start[2] // TILE_PX, -(-write.stop[2] // TILE_PX)):
                k = place.get(tile_y * index["tiles_across"] + tile_x)
                if k is None:
                    continue
                first, last = index["first"][k], index["first"][k + 1]
                rows = table.slice(first, last - first)
                columns = {name: rows.column(name).to_numpy() for name in SCHEMA.names}
                inside = np.ones(last - first, dtype=bool)
                for axis, name in enumerate("zyx"):
                    inside &= (columns[name] >= write.start[axis]) & (columns[name] < write.stop[axis])
                yield {name: column[inside] for name, column in columns.items()}
