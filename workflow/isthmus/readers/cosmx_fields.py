"""Where the fields of view of a CosMx export lie, and which way their images run.

Exports differ in what a position means and in which way y runs; this is told from the tables and, where there are
label images, from the cells that lie under the transcripts, not from version numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.description import ImageDescription
from isthmus.image.source import Field
from isthmus.readers.csv_table import read_header

PIXEL_SIZE_UM = 0.120280945
"""Side of a pixel of the instrument; column pixel_size_um of the sample sheet says otherwise (0.18 in early data)."""
CELLS_A_FIELD = 1_000_000
MM_TO_UM = 1000.0

Float64 = npt.NDArray[np.float64]

# Columns of the file of positions in lower case, what the export is called by them, and whether they are lengths.
VERSIONS = (
    (("fov", "x_global_px", "y_global_px"), "positions in pixels", False),
    (("fov", "x_mm", "y_mm"), "positions in mm", True),
    (("fov", "x_global_mm", "y_global_mm"), "global positions in mm", True),
)
_LEAST_AGREEMENT = 0.5
_LOOKED_AT = 5000
_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class Positions:
    """x and y of each field in pixels of the vendor's frame, whose y grows upwards."""

    places: Mapping[int, tuple[float, float]]
    version: str


@dataclass(frozen=True)
class Fields:
    """The fields in the mosaic.

    places
        Row and column of the first pixel of each field.
    field_px, shape
        Rows and columns of a field and of the mosaic.
    left_px, top_px
        Column 0 and row 0 of the mosaic in the vendor's pixels.
    local_is_down, local_is_left
        Whether y_local_px runs down the mosaic, and whether x_local_px runs against its columns.
    turned
        Whether rows, and whether columns, of the images run against the mosaic's.
    evidence
        How that is known, for the report.
    """

    places: Mapping[int, tuple[int, int]]
    field_px: tuple[int, int]
    shape: tuple[int, int]
    left_px: float
    top_px: float
    local_is_down: bool
    local_is_left: bool
    turned: tuple[bool, bool]
    evidence: str

    @property
    def covered(self) -> float:
        """Share of the mosaic that fields cover, at most."""
        rows, columns = self.field_px
        return min(1.0, len(self.places) * rows * columns / (self.shape[0] * self.shape[1]))

    def affine(self, size_um: float) -> Affine:
        """Pixels of the mosaic to micrometres: the vendor's frame with y negated."""
        return Affine.from_size(size_um, self.left_px * size_um, -self.top_px * size_um)

    def boxes(self, affine: Affine) -> Iterator[Field]:
        """The fields in micrometres."""
        rows, columns = self.field_px
        for fov, (row, column) in sorted(self.places.items()):
            x, y = affine.to_um(np.array([column, column + columns]), np.array([row, row + rows]))
            yield Field(str(fov), float(x.min()), float(y.min()), float(x.max()), float(y.max()))

    def in_mosaic(
        self, fov: npt.NDArray[np.int64], x_local: Float64, y_local: Float64, where: str
    ) -> tuple[Float64, Float64]:
        """Row and column in the mosaic of local pixels."""
        known = np.array(sorted(self.places), dtype=np.int64)
        at = np.minimum(np.searchsorted(known, fov), known.size - 1)
        strange = known[at] != fov
        if strange.any():
            found = f"there are transcripts of field {int(fov[strange][0])}, which has no image"
            raise UserError(where=where, found=found, do="export the images of all fields")
        corners = np.array([self.places[int(number)] for number in known], dtype=np.float64)[at]
        y = y_local if self.local_is_down else self.field_px[0] - y_local
        x = self.field_px[1] - x_local if self.local_is_left else x_local
        return corners[:, 0] + y, corners[:, 1] + x


def table_named(folder: Path, name: str, where: str) -> Path:
    """The table *_<name> of a folder, plain or gzip."""
    found = sorted([*folder.glob(f"*{name}"), *folder.glob(f"*{name}.gz")])
    if not found:
        raise UserError(
            where=where, found=f"there is no *_{name} (or .gz)", do="export it as a flat file of AtoMx"
        )
    if len(found) > 1:
        raise UserError(
            where=where,
            found=f"there are several tables *_{name}: {', '.join(path.name for path in found)}",
            do="keep the files of one slide in a folder",
        )
    return found[0]


def open_table(path: Path, columns: Mapping[str, pa.DataType], where: str) -> Iterator[pa.RecordBatch]:
    """Batches of some columns of a table; fails by the name of a column that is missing."""
    names, delimiter = read_header(path, where)
    for column in columns:
        if column not in names:
            raise UserError(
                where=where,
                found=f"{path.name} has no column {column}, only {', '.join(names)}",
                do="export it again, or report the new layout",
            )
    try:
        with (
            pa.input_stream(str(path), compression="gzip" if path.suffix == ".gz" else None) as stream,
            pyarrow.csv.open_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
                parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=list(columns), column_types=dict(columns)
                ),
            ) as reader,
        ):
            yield from reader
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            where=where, found=f"{path.name} cannot be read ({error})", do="export it again"
        ) from error


def read_positions(path: Path, size_um: float, where: str) -> Positions:
    """Positions of the fields, whichever version of the export wrote them."""
    names, _ = read_header(path, where)
    by_lower = {name.lower(): name for name in names}
    found = next((told for told in VERSIONS if all(name in by_lower for name in told[0])), None)
    if found is None:
        raise UserError(
            where=where,
            found=f"{path.name} has columns {', '.join(names)}: a layout that this version does not know",
            do="it should have " + " or ".join(", ".join(known) for known, *_ in VERSIONS),
        )
    known, version, is_length = found
    fov, x, y = (by_lower[name] for name in known)
    scale = MM_TO_UM / size_um if is_length else 1.0
    places: dict[int, tuple[float, float]] = {}
    for batch in open_table(path, {fov: pa.int64(), x: pa.float64(), y: pa.float64()}, where):
        for number, at_x, at_y in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if number is None or at_x is None or at_y is None:
                lack = f"{path.name} lacks a number in the line of field {number}"
                raise UserError(where=where, found=lack, do="correct it")
            places[number] = (at_x * scale, at_y * scale)
    return Positions(places, version)


def find_fields(
    positions: Positions,
    field_px: Sequence[int],
    fovs: Sequence[int],
    transcripts: Path,
    labels: Mapping[int, ImageDescription],
    where: str,
) -> Fields:
    """Lay out the fields that have images.

    The first transcripts tell how local and global pixels go together, and so whether a position is a field's upper or
    lower edge; the labels under them tell which way the images run.
    """
    height, width = field_px
    sample = _first_transcripts(transcripts, where)
    down, left, offset = _directions(sample, positions, (height, width), where)
    turned, evidence = _turned(sample, labels, (height, width), (down, left), where)
    corners = {
        fov: (positions.places[fov][0] + offset[0], positions.places[fov][1] + offset[1]) for fov in fovs
    }
    left_px, top_px = min(x for x, _ in corners.values()), max(y for _, y in corners.values())
    places = {fov: (round(top_px - y), round(x - left_px)) for fov, (x, y) in corners.items()}
    shape = (
        max(row for row, _ in places.values()) + height,
        max(column for _, column in places.values()) + width,
    )
    return Fields(places, (height, width), shape, left_px, top_px, down, left, turned, evidence)


def _first_transcripts(path: Path, where: str) -> dict[str, npt.NDArray[np.float64]]:
    """Columns of the first transcripts; x_global_px and y_global_px where the export has them."""
    names, _ = read_header(path, where)
    wanted = ["fov", "cell_ID", "x_local_px", "y_local_px"]
    wanted += [name for name in ("x_global_px", "y_global_px") if name in names]
    batch = next(open_table(path, dict.fromkeys(wanted, pa.float64()), where), None)
    if batch is None or not batch.num_rows:
        raise UserError(where=where, found=f"{path.name} has no rows", do="export the transcripts again")
    return {name: batch.column(name).to_numpy(zero_copy_only=False) for name in wanted}


def _directions(
    sample: Mapping[str, Float64], positions: Positions, field_px: tuple[int, int], where: str
) -> tuple[bool, bool, tuple[float, float]]:
    """Whether local y runs down and local x to the left, and the upper left corner from a field's position."""
    height, width = field_px
    if "y_global_px" not in sample or "x_global_px" not in sample:
        return False, False, (0.0, float(height))
    fov = int(sample["fov"][0])
    of = sample["fov"] == fov
    x, y, x_global, y_global = (
        sample[name][of] for name in ("x_local_px", "y_local_px", "x_global_px", "y_global_px")
    )
    down, left = _runs_against(y, y_global), _runs_against(x, x_global)
    corner_x = float(np.median(x_global + x - width if left else x_global - x))
    corner_y = float(np.median(y_global + y if down else y_global - y + height))
    if fov not in positions.places:
        found = f"field {fov} has transcripts and no line in the file of positions"
        raise UserError(where=where, found=found, do="export both from the same study")
    at_x, at_y = positions.places[fov]
    steps = round((corner_y - at_y) / height)
    off = max(abs(corner_x - at_x) / width, abs(corner_y - at_y - steps * height) / height)
    if off > 0.05 or steps not in (0, 1):
        raise UserError(
            where=where,
            found=f"the transcripts put field {fov} at x {corner_x:.0f}, y {corner_y:.0f} px, its position is "
            f"x {at_x:.0f}, y {at_y:.0f} px: a layout that this version does not know",
            do="fill column pixel_size_um if pixels have another size, or report the new layout",
        )
    return down, left, (0.0, float(steps * height))


def _runs_against(local: Float64, whole: Float64) -> bool:
    return bool(np.sum((local - local.mean()) * (whole - whole.mean())) < 0)


def _turned(
    sample: Mapping[str, Float64],
    labels: Mapping[int, ImageDescription],
    field_px: tuple[int, int],
    directions: tuple[bool, bool],
    where: str,
) -> tuple[tuple[bool, bool], str]:
    """Whether rows and columns of images run against the mosaic's: as most of the vendor's cells lie under theirs."""
    fov = next((int(number) for number in np.unique(sample["fov"]) if int(number) in labels), None)
    of = (sample["fov"] == fov) & (sample["cell_ID"] > 0)
    if fov is None or not of.any():
        return (False, False), "images are taken to run down y_global_px: there are no labels to tell"
    height, width = field_px
    x, y, cell = (sample[name][of][:_LOOKED_AT] for name in ("x_local_px", "y_local_px", "cell_ID"))
    image = labels[fov].open().read(0, (slice(0, 1), slice(0, height), slice(0, width)))[0]
    down, left = directions
    share = {}
    for rows_turned in (False, True):
        for columns_turned in (False, True):
            row = y if down != rows_turned else height - y
            column = width - x if left != columns_turned else x
            at = np.clip(row.astype(int), 0, height - 1), np.clip(column.astype(int), 0, width - 1)
            share[(rows_turned, columns_turned)] = float((image[at] == cell).mean())
    best = max(share, key=lambda way: share[way])
    if share[best] < _LEAST_AGREEMENT:
        raise UserError(
            where=where,
            found=f"only {share[best]:.0%} of the transcripts of field {fov} lie in the cell that the table names, "
            "whichever way the label image is turned: a layout that this version does not know",
            do="export labels and transcripts from the same segmentation, or report the new layout",
        )
    words = {
        (False, False): "as usual",
        (True, False): "upside down",
        (False, True): "mirrored",
        (True, True): "turned",
    }
    return (
        best,
        f"images run {words[best]}: {share[best]:.1%} of the transcripts looked at lie in the vendor's cell",
    )
