"""One picture of a run, for a README or a slide: `python -m isthmus.report.figure RESULTS PICTURE.png`.

A part of the image with every cell outlined in the colour of its type, the map of the whole sample, and the UMAP, in
the colours of the report.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from isthmus.blocks.grid import Region
from isthmus.errors import EXIT_FINE, EXIT_USER, UserError
from isthmus.image.pyramid import level_factors
from isthmus.report import pixels
from isthmus.report.colours import FAILED_COLOUR, rgb
from isthmus.report.gather import RunResults, SampleResults, read_run
from isthmus.report.groups import Groups, make_groups
from isthmus.report.pictures import centres_px
from isthmus.report.text import length, nice_length
from isthmus.report.windows import choose_windows

WINDOW_PX = 640
MAP_PX = 1400
INCHES, DPI = (12.4, 4.5), 130
FREE_COLOURS = 200
"""Colours of the PNG besides those of the groups; few keep it small."""

Picture = npt.NDArray[np.uint8]


def draw_figure(results: Path, picture: Path) -> None:
    """Write the figure of a run's first sample."""
    run = read_run(results)
    sample = run.samples[0]
    groups = None
    if run.cohort is not None:
        groups = make_groups(run.cohort, "cell_type", "cell type") or make_groups(
            run.cohort, "leiden", "cluster"
        )
    if groups is None or sample.n_levels == 0:
        raise UserError(where=str(results), found="the run is not complete", do="let `isthmus run` finish it")
    image = Image.open(io.BytesIO(_compose(run, sample, groups))).convert("RGB")
    picture.parent.mkdir(parents=True, exist_ok=True)
    _with_few_colours(image, groups.palette).save(picture, optimize=True)


def _compose(run: RunResults, sample: SampleResults, groups: Groups) -> bytes:
    # Here, because it takes half a second that --help and errors do not need.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch, Rectangle

    umap = run.cohort.umap if run.cohort is not None else None
    region, um_per_px = _window(sample), sample.plan.spacing_um[2]
    pictures = [_outlined(sample, groups, region), _painted(sample, groups)]
    ratios = [picture.shape[1] / picture.shape[0] for picture in pictures] + (
        [1.0] if umap is not None else []
    )
    figure = Figure(figsize=INCHES, dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    places = figure.subplots(1, len(ratios), width_ratios=ratios)
    figure.subplots_adjust(left=0.006, right=0.994, top=0.93, bottom=0.15, wspace=0.03)
    factor = level_factors(sample.plan.window.shape)[pixels.level_for(sample, MAP_PX)][2]
    _show(places[0], pictures[0], "Cells found in the image", um_per_px, "white")
    _show(places[1], pictures[1], f"Map of {groups.title}s", um_per_px * factor, "#1c2530")
    corner = (region.start[2] / factor, region.start[1] / factor)
    size = (region.shape[2] / factor, region.shape[1] / factor)
    places[1].add_patch(Rectangle(corner, *size, fill=False, color="#1c2530", linewidth=1.2))
    if umap is not None:
        places[2].set_title("Expression (UMAP)", fontsize=11, loc="left")
        places[2].scatter(*umap.T, s=9, linewidths=0, c=[groups.colours[name] for name in groups.of_cell])
        places[2].set_axis_off()
    handles = [Patch(color=colour, label=name) for name, colour, _ in groups.legend()]
    style: dict[str, Any] = {"frameon": False, "fontsize": 9, "handlelength": 1, "handleheight": 1}
    figure.legend(handles=handles, loc="lower center", ncols=min(8, len(handles)), **style)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _with_few_colours(image: Image.Image, exact: Sequence[str]) -> Image.Image:
    """The image with a palette that has the colours given exactly, so that rare ones stay what the legend says."""
    free = np.array(image.quantize(FREE_COLOURS, dither=Image.Dither.NONE).getpalette()).reshape(-1, 3)
    kept = np.array([rgb(colour) for colour in ("#ffffff", *exact)])
    palette = np.concatenate([kept, free])[:256]
    present, place = np.unique(np.asarray(image).reshape(-1, 3), axis=0, return_inverse=True)
    nearest = np.concatenate(
        [
            ((part[:, None].astype(int) - palette) ** 2).sum(axis=2).argmin(axis=1)
            for part in np.array_split(present, 16)
        ]
    )
    made = Image.fromarray(nearest[place].reshape(image.height, image.width).astype(np.uint8))
    made.putpalette(palette.astype(np.uint8).tobytes())
    return made


def _window(sample: SampleResults) -> Region:
    """A part of typical density: the report's window of that rank, enlarged."""
    shape = sample.plan.window.shape
    found = choose_windows(shape, centres_px(sample), sample.plan.spacing_um[2])
    chosen = next((window for window in found if window.rank == "typical"), found[0]).region
    start, stop = [chosen.start[0]], [chosen.stop[0]]
    for axis in (1, 2):
        size = min(WINDOW_PX, shape[axis])
        middle = (chosen.start[axis] + chosen.stop[axis]) // 2
        start.append(int(np.clip(middle - size // 2, 0, shape[axis] - size)))
        stop.append(start[-1] + size)
    return Region((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _outlined(sample: SampleResults, groups: Groups, region: Region) -> Picture:
    """Pixels (y, x, 3) of the first channel, each cell tinted and with an outline two pixels wide."""
    grey = pixels.read_picture(sample, [0], 0, region)
    canvas = np.repeat(grey[..., None], 3, axis=2)
    labels = pixels.read_labels(sample, "cells", 0, region).astype(np.int64)
    edges = pixels.edges_of(labels)
    thick = edges.copy()
    thick[1:] |= edges[:-1] & (labels[1:] == labels[:-1])
    thick[:, 1:] |= edges[:, :-1] & (labels[:, 1:] == labels[:, :-1])
    colours = _colour_table(sample, groups, labels)[labels]
    inside = labels != 0
    canvas[inside] = (0.82 * canvas[inside] + 0.18 * colours[inside]).astype(np.uint8)
    # Dark colours would vanish on a dark image.
    light = colours[thick].astype(np.float64)
    lift = np.clip(110 - light @ (0.299, 0.587, 0.114), 0, None)[:, None]
    canvas[thick] = np.clip(light + lift, 0, 255).astype(np.uint8)
    return canvas


def _painted(sample: SampleResults, groups: Groups) -> Picture:
    """Pixels (y, x, 3) of the map: every cell in its colour on white."""
    level = pixels.level_for(sample, MAP_PX)
    labels = pixels.read_labels(sample, "cells", level, pixels.coarse_region(sample, level)).astype(np.int64)
    painted: Picture = _colour_table(sample, groups, labels)[labels]
    painted[1:][labels[1:] != labels[:-1]] = 255
    painted[:, 1:][labels[:, 1:] != labels[:, :-1]] = 255
    return painted


def _colour_table(sample: SampleResults, groups: Groups, labels: npt.NDArray[np.int64]) -> Picture:
    """A colour (instance_id, 3) for each cell; white for none, pale for those that failed quality control."""
    table = np.full((int(labels.max(initial=0)) + 1, 3), rgb(FAILED_COLOUR), np.uint8)
    table[0] = 255
    ours = groups.of_sample(sample.name)
    ours = ours[ours.index < len(table)]
    table[ours.index.to_numpy()] = np.array([rgb(colour) for colour in groups.palette], np.uint8)[
        ours.to_numpy()
    ]
    return table


def _show(axes: Any, picture: Picture, title: str, um_per_px: float, colour: str) -> None:
    """A picture with title and scale bar."""
    height, width = picture.shape[:2]
    axes.set_title(title, fontsize=11, loc="left")
    axes.imshow(picture, interpolation="antialiased")
    axes.set_axis_off()
    um = nice_length(0.3 * width * um_per_px)
    right, bottom = 0.97 * width, 0.95 * height
    axes.plot(
        [right - um / um_per_px, right], [bottom, bottom], color=colour, linewidth=3, solid_capstyle="butt"
    )
    middle = right - um / um_per_px / 2
    behind = {
        "facecolor": "black" if colour == "white" else "white",
        "alpha": 0.6,
        "edgecolor": "none",
        "pad": 1.5,
    }
    axes.text(
        middle,
        bottom - 0.025 * height,
        length(um),
        color=colour,
        ha="center",
        va="bottom",
        fontsize=9,
        bbox=behind,
    )


def main(arguments: list[str]) -> int:
    """Draw the figure of RESULTS into PICTURE."""
    if len(arguments) != 2:
        print("usage: python -m isthmus.report.figure RESULTS PICTURE.png", file=sys.stderr)  # noqa: T201 - a command
        return EXIT_USER
    try:
        draw_figure(Path(arguments[0]), Path(arguments[1]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command's last words
        return EXIT_USER
    return EXIT_FINE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
