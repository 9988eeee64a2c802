"""Which spots of an array count: those in the window of the image that is used."""

from __future__ import annotations

from dataclasses import replace

from isthmus.errors import UserError
from isthmus.image.source import SpotTable
from isthmus.plan.model import SamplePlan


def inside_window(spots: SpotTable, plan: SamplePlan) -> SpotTable:
    """The spots whose centres lie in the window, where only a window of the image is used; else all.

    Raises
    ------
    UserError
        No spot lies there.
    """
    is_whole = plan.window.shape == plan.shape[1:]
    _, ny, nx = plan.grid.shape
    columns, rows = plan.window_affine.to_px(spots.x_um, spots.y_um)
    keep = (columns >= 0) & (columns < nx) & (rows >= 0) & (rows < ny)
    if not keep.any():
        raise UserError(
            where=str(plan.sheet["where"]),
            found=f"no spot lies in the {'' if is_whole else 'window of the '}image",
            do="give the image that the spots were placed on, or correct affine"
            if is_whole
            else "correct image.region_um, which is in micrometres of the full image",
        )
    if is_whole:
        return spots
    return replace(
        spots,
        counts=spots.counts[keep],
        names=spots.names[keep],
        x_um=spots.x_um[keep],
        y_um=spots.y_um[keep],
        in_tissue=spots.in_tissue[keep],
        columns={name: values[keep] for name, values in spots.columns.items()},
    )
