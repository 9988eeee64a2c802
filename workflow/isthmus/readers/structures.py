"""Structures that the user has drawn, such as a tumour's border or vessels, from GeoJSON.

Forms of the file: RFC 7946 (a FeatureCollection, a Feature or a geometry), and the lists of Features that older QuPath
writes. QuPath's coordinates are pixels of the full image from its upper left corner
(https://qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html); ours are micrometres of the sample
unless the configuration says pixels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import shapely
import shapely.geometry

from isthmus.errors import UserError
from isthmus.image.affine import Affine

Unit = Literal["um", "px"]
Float64 = npt.NDArray[np.float64]

NAMES = ("classification", "class", "structure", "annotation_type", "name")
"""Properties of a Feature that name its class, in this order; without any the file's name does."""
KINDS = ("Polygon", "MultiPolygon", "LineString", "MultiLineString")


def read_structures(
    path: Path, *, unit: Unit, affine: Affine, shape: tuple[int, int], where: str
) -> dict[str, shapely.Geometry]:
    """Areas and lines of each class, in the sample's micrometres; fails where they cannot be of this image.

    Parameters
    ----------
    unit
        What the file's coordinates are: micrometres of the sample, or pixels of its image (pixel i covers [i, i + 1)).
    affine, shape
        Pixels to micrometres, and (y, x) pixels of the image.

    Returns
    -------
    Each class in the order of the file: a collection of valid polygons and lines.
    """
    where = f"{where}, structures '{path}'"
    found: dict[str, list[shapely.Geometry]] = {}
    for number, (feature, properties) in enumerate(_features(_content(path, where), where), start=1):
        geometry = _geometry(feature, f"{where}, feature {number}")
        found.setdefault(_class_of(properties) or path.stem, []).append(geometry)
    if not found:
        raise UserError(where=where, found="there is nothing in it", do="export the annotations again")
    drawn = np.array([geometry for of in found.values() for geometry in of], dtype=object)
    _check_place(drawn, unit, affine, shape, where)
    made = {name: shapely.geometrycollections(_parts(of)) for name, of in found.items()}
    return {name: _in_um(of, affine) if unit == "px" else of for name, of in made.items()}


def _content(path: Path, where: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        raise UserError(
            where=where, found=f"this is no GeoJSON ({error})", do="export the annotations as GeoJSON"
        ) from None


def _features(content: Any, where: str) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Each geometry with the properties of its Feature."""
    if isinstance(content, list):
        for feature in content:
            yield from _features(feature, where)
        return
    kind = content.get("type") if isinstance(content, dict) else None
    if kind == "FeatureCollection" and isinstance(content.get("features"), list):
        yield from _features(content["features"], where)
    elif kind == "Feature":
        properties = content.get("properties")
        yield content.get("geometry"), properties if isinstance(properties, dict) else {}
    elif isinstance(kind, str) and "coordinates" in content:
        yield content, {}
    else:
        raise UserError(
            where=where,
            found=f"this is no GeoJSON: there is something of type {kind!r} where features are due",
            do="export the annotations as GeoJSON (a FeatureCollection)",
        )


def _class_of(properties: Mapping[str, Any]) -> str:
    for key in NAMES:
        value = properties.get(key)
        if isinstance(
            value, dict
        ):  # QuPath: {"name": "Tumor"}, or since 0.6 {"names": ["Tumor", "Positive"]}
            names = value.get("names")
            value = value.get("name") or (": ".join(map(str, names)) if isinstance(names, list) else None)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def _geometry(content: Any, where: str) -> shapely.Geometry:
    kind = content.get("type") if isinstance(content, dict) else None
    if kind not in KINDS:
        raise UserError(
            where=where,
            found=f"its geometry is {kind or 'missing'}",
            do=f"structures are areas or lines: {', '.join(KINDS)}",
        )
    try:
        with np.errstate(invalid="ignore"):  # what is no number is told below
            geometry = shapely.force_2d(shapely.geometry.shape(content))
    except (shapely.errors.ShapelyError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise UserError(
            where=where, found=f"its coordinates make no {kind} ({error})", do="draw it again"
        ) from None
    if shapely.is_empty(geometry) or not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise UserError(where=where, found=f"its {kind} has no coordinates", do="draw it again")
    if kind.endswith("Polygon"):
        whole = _parts([shapely.make_valid(geometry)])
        geometry = shapely.multipolygons(whole[shapely.get_dimensions(whole) == 2])
        if shapely.is_empty(geometry):
            raise UserError(where=where, found=f"its {kind} covers nothing", do="draw it again")
    return geometry


def _parts(geometries: list[shapely.Geometry]) -> npt.NDArray[np.object_]:
    """Polygons and lines, taken out of everything that holds several."""
    parts = np.array(geometries, dtype=object)
    while (shapely.get_type_id(parts) >= shapely.GeometryType.MULTIPOINT).any():
        parts = shapely.get_parts(parts)
    return parts


def _in_um(geometry: shapely.Geometry, affine: Affine) -> shapely.Geometry:
    return shapely.transform(geometry, lambda xy: np.column_stack(affine.to_um(xy[:, 0], xy[:, 1])))


def _check_place(
    drawn: npt.NDArray[np.object_], unit: Unit, affine: Affine, shape: tuple[int, int], where: str
) -> None:
    """Some structure must touch the image, and they must not all fit it in pixels but mostly miss it in micrometres."""
    frame = shapely.box(0, 0, shape[1], shape[0])
    image = frame if unit == "px" else _in_um(frame, affine)
    touching = shapely.intersects(drawn, image)
    fit_pixels = unit == "um" and bool(shapely.covers(frame, drawn).all())
    if touching.any() and not (fit_pixels and 2 * touching.sum() < drawn.size):
        return
    x0, y0, x1, y1 = shapely.total_bounds(drawn)
    at = shapely.total_bounds(image)
    raise UserError(
        where=where,
        found=f"{drawn.size - touching.sum()} of {drawn.size} structures lie beside the image: x {x0:g} to {x1:g} and"
        f" y {y0:g} to {y1:g} {unit}, while it covers x {at[0]:g} to {at[2]:g} and y {at[1]:g} to {at[3]:g} {unit}",
        do="they would fit it as pixels: set analysis.spatial.structures_unit to px, or leave those beside it out"
        if fit_pixels
        else f"give coordinates in {'pixels of the image' if unit == 'px' else 'micrometres of the sample'}"
        " (analysis.spatial.structures_unit)",
    )
