"""Groups above the images of a sample that has many: a plate with wells, or images one beside the other.

Plates: https://ngff.openmicroscopy.org/0.5/#hcs-layout (`plate`, `well`; the images of a well are its fields).
Others: https://ngff.openmicroscopy.org/0.5/#bf2raw (`bioformats2raw.layout`, with `series` listing the images).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from isthmus.image.ome_zarr import OME_VERSION, write_group
from isthmus.image.source import Layout

_BIOFORMATS2RAW = 3
"""The version of the transitional layout of images one beside the other."""


def write_collection(folder: Path, paths: Sequence[str], layout: Layout, *, name: str) -> list[Path]:
    """Write the metadata of all groups above images; that of `folder` comes last and makes it complete.

    Parameters
    ----------
    paths
        Of the images below the folder; of a plate `row/column/field`.
    name
        What the plate is called.

    Returns
    -------
    The files.
    """
    groups = _write_wells(folder, paths) if layout == "plate" else [_write_series(folder, paths)]
    if layout == "plate":
        attributes: dict[str, object] = {"version": OME_VERSION, "plate": _plate(paths, name)}
    else:
        attributes = {"version": OME_VERSION, "bioformats2raw.layout": _BIOFORMATS2RAW}
    write_group(folder, {"ome": attributes})
    return [group / "zarr.json" for group in (*groups, folder)]


def _write_series(folder: Path, paths: Sequence[str]) -> Path:
    group = folder / "OME"
    write_group(group, {"ome": {"version": OME_VERSION, "series": list(paths)}})
    return group


def _write_wells(folder: Path, paths: Sequence[str]) -> list[Path]:
    """Groups of the wells, then of the rows."""
    fields: dict[str, list[str]] = {}
    for path in paths:
        well, _, field = path.rpartition("/")
        fields.setdefault(well, []).append(field)
    for well, images in fields.items():
        listed = [{"path": field, "acquisition": 0} for field in images]
        write_group(folder / well, {"ome": {"version": OME_VERSION, "well": {"images": listed}}})
    rows = list(dict.fromkeys(well.partition("/")[0] for well in fields))
    for row in rows:
        write_group(folder / row, {})
    return [folder / group for group in (*fields, *rows)]


def _plate(paths: Sequence[str], name: str) -> dict[str, object]:
    """Rows, columns and wells, in the order of the plate."""
    wells = list(dict.fromkeys(path.rpartition("/")[0] for path in paths))
    rows = sorted({well.partition("/")[0] for well in wells}, key=lambda row: (len(row), row))
    columns = sorted({well.partition("/")[2] for well in wells}, key=lambda column: (len(column), column))
    most_fields = max(Counter(path.rpartition("/")[0] for path in paths).values())
    return {
        "version": OME_VERSION,
        "name": name,
        "field_count": most_fields,
        "acquisitions": [{"id": 0, "name": "0", "maximumfieldcount": most_fields}],
        "rows": [{"name": row} for row in rows],
        "columns": [{"name": column} for column in columns],
        "wells": [
            {
                "path": well,
                "rowIndex": rows.index(well.partition("/")[0]),
                "columnIndex": columns.index(well.partition("/")[2]),
            }
            for well in wells
        ],
    }
