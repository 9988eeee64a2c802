"""Rows with Sopa: its patches, polygons, conflict resolution and aggregation around the same per-patch function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.clock import Phases, own_cpu_s
from bench.data import facts_of, folder_of, read_image, read_truth, smallest_of
from bench.ours import load_method, segment_patch
from bench.score import drop_small, f1_score, overlaps


def segment(
    scratch: Path, image: str, patch_px: int, overlap_px: int, transcripts: bool = False
) -> dict[str, Any]:
    """Sopa from patches to table on a stored SpatialData object; making that object is not counted.

    patch_px = 0 takes the whole image as one patch: what the rows with patches are compared with.
    """
    phases = Phases()
    with phases.phase("import"):
        import sopa
    sdata = _stored(scratch / "data.zarr", image, transcripts)
    method, user = load_method(image), Phases()
    smallest = smallest_of(image)

    def function(patch: npt.NDArray[np.uint16]) -> npt.NDArray[np.int32]:
        with user.phase("user"):
            return drop_small(segment_patch(method, patch[0]), smallest).astype(np.int32)

    function(np.zeros((1, 64, 64), dtype=np.uint16))
    user.seconds.clear()
    begin = own_cpu_s()
    with phases.phase("patches"):
        sopa.make_image_patches(sdata, patch_width=patch_px or None, patch_overlap=overlap_px)
    _watch(phases)
    with phases.phase("segmentation, other"):
        sopa.segmentation.custom_staining_based(
            sdata, function, facts_of(image)["channels"][0], clip_limit=0, gaussian_sigma=0
        )
    with phases.phase("aggregation"):
        # keep all cells: by default Sopa drops cells that are dark
        sopa.aggregate(sdata, aggregate_genes=transcripts, aggregate_channels=True, min_intensity_ratio=0)
    core = own_cpu_s() - begin
    cells = next(iter(element for name, element in sdata.shapes.items() if "boundaries" in name))
    user_s = user.seconds["user"]
    made = {"core_cpu_s": core, "user_cpu_s": user_s, "rest_cpu_s": core - user_s, "objects": len(cells)}
    phases.seconds["user's function"] = user_s
    phases.seconds["polygons"] = phases.seconds.get("polygons", 0.0)
    phases.seconds["segmentation, other"] -= user_s
    import_s = phases.seconds.pop("import")
    labels = _rasterised(cells.geometry, facts_of(image)["shape"])
    whole = folder_of(image) / "sopa_whole.npy"
    if not patch_px:
        np.save(whole, labels)
    made |= {"phases": phases.seconds, "import_cpu_s": import_s}
    if whole.exists():
        made["wrong"] = _wrong(labels, np.load(whole))
    if facts_of(image)["has_truth"]:
        made["f1"] = f1_score(labels, read_truth(image))
    return made


def _stored(path: Path, image: str, transcripts: bool) -> Any:
    """The image as a SpatialData object on disk, chunks of 1024 pixels."""
    import pandas as pd
    import spatialdata as sd
    from spatialdata.models import Image2DModel, PointsModel

    facts = facts_of(image)
    pixels = read_image(image, len(facts["channels"]))
    element = Image2DModel.parse(
        pixels, dims=("c", "y", "x"), c_coords=facts["channels"], chunks=(1, 1024, 1024)
    )
    sdata = sd.SpatialData(images={"image": element})
    if transcripts:
        table = pd.read_parquet(folder_of(image) / "transcripts.parquet")
        for axis in ("x", "y"):
            table[axis] = table.pop(f"{axis}_um") / facts["pixel_size_um"]
        sdata["transcripts"] = PointsModel.parse(table, feature_key="gene")
    sdata.write(path)
    return sd.read_zarr(path)


def _watch(phases: Phases) -> None:
    phases.watch("sopa.shapes:vectorize", "polygons")
    phases.watch("sopa.segmentation.methods._custom:solve_conflicts", "conflicts")


def _rasterised(polygons: Any, shape: list[int]) -> npt.NDArray[np.int32]:
    """Pixels whose centres lie in a polygon; of two polygons the later one wins."""
    from skimage.draw import polygon2mask

    labels = np.zeros(shape, dtype=np.int32)
    for number, polygon in enumerate(polygons, start=1):
        for part in getattr(polygon, "geoms", [polygon]):
            x, y = (np.array(values) for values in part.exterior.xy)
            top, left = max(0, int(y.min())), max(0, int(x.min()))
            bottom, right = min(shape[0], int(y.max()) + 2), min(shape[1], int(x.max()) + 2)
            corners = np.column_stack([y - top - 0.5, x - left - 0.5])
            window = labels[top:bottom, left:right]
            window[polygon2mask(window.shape, corners)] = number
    return labels


def _wrong(labels: npt.NDArray[np.int32], whole: npt.NDArray[np.int32]) -> int:
    """Cells of the whole image that no cell equals within 5 % of the pixels: smoothed outlines may overlap a little."""
    a, b, shared, area_found, area_whole = overlaps(labels, whole)
    alike = shared > 0.95 * (area_found[a] + area_whole[b] - shared)
    return int(area_whole.size - np.count_nonzero(alike))


def resolve_alone(scratch: Path, n_cells: int) -> dict[str, Any]:
    """Sopa's conflict resolution alone: so many square cells, every tenth found twice."""
    import geopandas
    import shapely
    from sopa.segmentation import solve_conflicts

    side = int(np.ceil(np.sqrt(n_cells)))
    y, x = np.divmod(np.arange(n_cells), side)
    cells = shapely.box(x * 20, y * 20, x * 20 + 14, y * 20 + 14)
    twice = shapely.box(x[::10] * 20 + 1, y[::10] * 20, x[::10] * 20 + 15, y[::10] * 20 + 14)
    found = geopandas.GeoDataFrame(geometry=[*cells, *twice])
    begin = own_cpu_s()
    kept = solve_conflicts(found)
    return {"core_cpu_s": own_cpu_s() - begin, "objects": len(kept)}
