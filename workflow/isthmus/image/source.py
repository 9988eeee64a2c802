"""The canonical parts that every reader makes of a vendor's files.

All coordinate conventions end in the readers; what comes after sees only these parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from isthmus.image.affine import Affine

Window = tuple[slice, slice, slice]
"""Half-open region (z, y, x) in pixels."""


class PixelSource(Protocol):
    """Pixels of one image, read window by window."""

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        """Pixels (z, y, x) of one channel in the dtype of the file; never more than the chunks it touches."""
        ...


@dataclass(frozen=True)
class ImageHeader:
    """What is known of an image without reading its pixels.

    shape is (c, z, y, x), z = 1 for a plane; z_step_um is 1.0 where there is one plane only. steps_per_unit is how many
    steps of its whole numbers make one unit of the files' pixels: 1 unless these are floating point.
    """

    shape: tuple[int, int, int, int]
    dtype: str
    channels: tuple[str, ...]
    affine: Affine
    z_step_um: float = 1.0
    steps_per_unit: float = 1.0


@dataclass(frozen=True)
class ImagePart:
    """An image: its header, how to open its pixels (in any process), and the files that it is made of.

    inside names the image in a file that holds several; made says how its pixels come from those of the files, where
    they are not the same ('max of 7 planes'). tested_on_real_files is False for a format that no real file has tested.
    held_mb is what each process that reads it holds of it, beyond windows, where its format has none.
    """

    header: ImageHeader
    open: Callable[[], PixelSource]
    files: tuple[Path, ...]
    inside: str = ""
    made: str = ""
    tested_on_real_files: bool = True
    held_mb: float = 0.0


Layout = Literal["image", "series", "planes", "plate"]
"""How a sample's images lie in its store: one image, images one beside the other, or wells with fields.

`planes` are the planes of one stack, each an image of its own: stored as a series, in one place, from the lowest z on.
"""


@dataclass(frozen=True)
class NamedImage:
    """One of the images of a sample: a field of a well, a region, a plane, a time point.

    path
        Where it will lie in the sample's store, unique in the sample: `B/2/0` for field 0 of well B2 of a plate, else
        one name of letters, digits, `_`, `-` and `.`.
    name
        What people call it, unique in the sample; goes to column `image` of the table.
    part
        Its pixels. All images of a sample have the channels and the pixel size of the first, and are planes.
    columns
        What else of it goes to columns of the table, such as `well` and `field`; the same columns for all images.
    labels
        Its label image, where there is one; those of the planes of a stack are in the label image of the stack.
    """

    path: str
    name: str
    part: ImagePart
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: ImagePart | None = None


POINT_COLUMNS = {
    "x_um": pa.float64(),
    "y_um": pa.float64(),
    "z_um": pa.float64(),
    "gene": pa.dictionary(pa.int32(), pa.string()),
    "qv": pa.float32(),
    "vendor_cell_id": pa.dictionary(pa.int32(), pa.string()),
    "overlaps_nucleus": pa.bool_(),
}
"""Columns of a batch of points. x_um, y_um and gene are always there, the others where the vendor gives them.

Coordinates are float32 where the file has them in single precision.
"""


@dataclass(frozen=True)
class PointsPart:
    """Transcripts in the order of the file, in the sample's micrometres.

    `batches(n)` yields tables of at most n rows whose columns are `columns`, a subset of POINT_COLUMNS in that
    order. `vendor_cell_id` is null for a transcript that the vendor gave to no cell. `expected_rows` is about how many
    there are, where the reader knows better than the files' rows do; `beside_mb` is the memory that reading takes
    beside a batch, where that grows with the files.
    """

    columns: tuple[str, ...]
    batches: Callable[[int], Iterator[pa.RecordBatch]]
    files: tuple[Path, ...]
    expected_rows: int | None = None
    beside_mb: float = 0.0


@dataclass(frozen=True)
class PolygonBatch:
    """Polygons of instances, each of rings, each of vertices; inside is what an odd number of rings surrounds.

    ids, planes
        Instance id (1 to 2^63 - 1) and plane along z of each polygon, int64.
    first_ring
        Polygon k has the rings first_ring[k] to first_ring[k + 1], int64.
    first_vertex
        Ring k has the vertices first_vertex[k] to first_vertex[k + 1], int64; the last is joined to the first.
    xy_um
        Vertices x (x, y), float64, in the sample's micrometres.
    """

    ids: npt.NDArray[np.int64]
    planes: npt.NDArray[np.int64]
    first_ring: npt.NDArray[np.int64]
    first_vertex: npt.NDArray[np.int64]
    xy_um: npt.NDArray[np.float64]


@dataclass(frozen=True)
class PolygonsPart:
    """The vendor's cells as polygons, in the order of the files.

    In an image of one plane a cell covers what any of its polygons covers; only_plane leaves those of other planes out.
    names gives the vendor's names of the cells by instance id, where the id is not the name. tested_on_real_files is as
    in `ImagePart`.
    """

    batches: Callable[[], Iterator[PolygonBatch]]
    files: tuple[Path, ...]
    only_plane: int | None = None
    names: Callable[[], dict[int, str]] | None = None
    tested_on_real_files: bool = True


@dataclass(frozen=True)
class Field:
    """A field of view and the box that it covers, in micrometres."""

    name: str
    x0_um: float
    y0_um: float
    x1_um: float
    y1_um: float


@dataclass(frozen=True)
class SpotTable:
    """Spots of an array with what was counted in them.

    counts (spots, genes) CSR int32; names are barcodes, gene_ids identifiers; x_um, y_um are the centres in the
    sample's micrometres. in_tissue is what the vendor says; columns are further ones of the table, such as array_row.
    """

    counts: Any
    names: npt.NDArray[np.object_]
    genes: npt.NDArray[np.object_]
    gene_ids: npt.NDArray[np.object_]
    x_um: npt.NDArray[np.float64]
    y_um: npt.NDArray[np.float64]
    in_tissue: npt.NDArray[np.bool_]
    columns: Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class SpotsPart:
    """Spots of an array: how to read them, their diameter in micrometres, and the files."""

    table: Callable[[], SpotTable]
    diameter_um: float
    files: tuple[Path, ...]


@dataclass(frozen=True)
class SampleParts:
    """Everything a reader found for one sample.

    labels is a label image of the image's shape, or of the stack's whose planes are images, or stands for the label
    images of all images; polygons are the vendor's cells where these have outlines instead.
    labels_show says what either shows. planes_are says what several planes of the image are: a volume, or sections of
    one layer of cells, which are projected unless the user asks for more. fields are the fields of view that the image
    was taken in, where the files tell.
    reader names it with its version ('xenium 2.0'); tested_on_real_files is False where no real file has tested the
    layout, or the format of one of the parts; notes are lines for the report. A sample of many images lists them in
    `images`, and `layout` says how they are stored; `image` is then the largest of them, with the files of all.
    plane_step_um is the distance of the planes where each is an image (layout `planes`): plane k holds the points of
    z from k to below k + 1 such steps.
    """

    reader: str
    image: ImagePart
    tested_on_real_files: bool
    points: PointsPart | None = None
    labels: ImagePart | None = None
    polygons: PolygonsPart | None = None
    labels_show: Literal["nuclei", "cells"] = "nuclei"
    planes_are: Literal["volume", "sections"] = "volume"
    n_vendor_cells: int | None = None
    fields: tuple[Field, ...] = ()
    notes: tuple[str, ...] = field(default=())
    images: tuple[NamedImage, ...] = ()
    layout: Layout = "image"
    plane_step_um: float | None = None
    spots: SpotsPart | None = None


def all_tested(*parts: ImagePart | PolygonsPart | None) -> bool:
    """Whether real files have tested the formats of all parts that are there."""
    return all(part.tested_on_real_files for part in parts if part is not None)
