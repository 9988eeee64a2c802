"""One picture of a plate, for a page or a slide: `python -m isthmus.report.figure_plate RESULTS PICTURE.png`.

A field with its outlines, and a feature of all wells as measured and without the effects of the plate.
"""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
from anndata.io import read_elem

from isthmus.errors import EXIT_FINE, EXIT_USER, UserError
from isthmus.report import pixels
from isthmus.report.gather import read_run, results_of_image
from isthmus.report.many_images import choose_images

INCHES, DPI = (12.0, 3.9), 110
_ARGUMENTS = 2


def draw_plate(results: Path, picture: Path) -> None:
    """Write the figure of a run's first sample; UserError where it is no plate or not complete."""
    # Here, because it takes half a second that errors do not need.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sample = read_run(results).samples[0]
    if sample.plan.layout != "plate" or not sample.paths.wells.is_file():
        raise UserError(
            where=str(results), found="there are no profiles of wells", do="run a plate to its end"
        )
    with h5py.File(sample.paths.wells) as file:
        obs, names = read_elem(file["obs"]), list(read_elem(file["var"]).index)
        layers = [np.asarray(read_elem(file[f"layers/{name}"])) for name in ("median", "corrected")]
    feature = next((name for name in names if name.endswith("_mean_cell")), names[-1])
    image = choose_images(sample)["typical"]
    view = results_of_image(sample, image)
    region = pixels.coarse_region(view, 0)
    shown = pixels.read_picture(view, pixels.shown_channels(view, 0), 0, region)
    colour = np.stack([shown] * 3, axis=-1) if shown.ndim == 2 else shown.copy()
    for name, paint in (("cells", (255, 165, 30)), ("nuclei", (64, 200, 255))):
        colour[pixels.edges_of(pixels.read_labels(view, name, 0, region))] = paint
    figure = Figure(figsize=INCHES, dpi=DPI, layout="constrained")
    axes = figure.subplots(1, 3, width_ratios=(1.0, 1.15, 1.15))
    axes[0].imshow(colour, interpolation="nearest")
    axes[0].set_title(f"field {sample.plan.images[image].name}")
    axes[0].set_axis_off()
    rows = sorted(set(obs["row"].astype(str)), key=lambda name: (len(name), name))
    columns = sorted(set(obs["column"].astype(str)), key=int)
    k = names.index(feature)
    values = np.concatenate([layer[:, k] for layer in layers])
    low, high = np.nanmin(values), np.nanmax(values)
    for at, layer, word in zip(axes[1:], layers, ("as measured", "corrected"), strict=True):
        plate = np.full((len(rows), len(columns)), np.nan)
        for row, column, value in zip(obs["row"], obs["column"], layer[:, k], strict=True):
            plate[rows.index(str(row)), columns.index(str(column))] = value
        drawn = at.imshow(plate, vmin=low, vmax=high, cmap="viridis")
        at.set_title(f"{feature}, {word}")
        at.set_xticks(range(len(columns)), columns)
        at.set_yticks(range(len(rows)), rows)
    figure.colorbar(drawn, ax=axes[1:], shrink=0.8)
    picture.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_png(str(picture))


def main(arguments: list[str]) -> int:
    """Draw the figure of a results folder."""
    if len(arguments) != _ARGUMENTS:
        sys.stderr.write("give a results folder and the picture to write\n")
        return EXIT_USER
    try:
        draw_plate(Path(arguments[0]), Path(arguments[1]))
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_USER
    return EXIT_FINE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
