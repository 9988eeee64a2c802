"""Which of a sample's many images the page shows, and what it says of all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isthmus.report.gather import SampleResults, results_of_image
from isthmus.report.pictures import Picture, SamplePictures, draw_overview, draw_sample
from isthmus.report.text import count
from isthmus.report.windows import QUANTILES


def draw_images(sample: SampleResults, *, nuclei_channel: int, max_px: int) -> SamplePictures | None:
    """Pictures of the image with a typical number of cells; the overviews of a dense and a sparse one beside it."""
    chosen = choose_images(sample)
    views = {rank: results_of_image(sample, image) for rank, image in chosen.items()}
    typical = draw_sample(views["typical"], nuclei_channel=nuclei_channel, max_px=max_px)
    if typical is None:
        return None
    beside: list[Picture] = []
    for rank, image in chosen.items():
        if image == chosen["typical"]:
            continue
        drawn = draw_overview(views[rank], nuclei_channel=nuclei_channel, max_px=max_px // 2)
        n_cells = len(views[rank].cells.obs) if views[rank].cells is not None else 0  # type: ignore[union-attr]
        title = f"{rank.capitalize()}: image {sample.plan.images[image].name}, {count(n_cells)} cells"
        beside.append(replace(drawn, title=title))
    name = sample.plan.images[chosen["typical"]].name
    return replace(typical, image=f"image {name} of {count(sample.plan.n_images)}", beside=tuple(beside))


def choose_images(sample: SampleResults) -> dict[str, int]:
    """Images nearest to fixed quantiles of the number of cells: of equals, the first; nobody picks them by eye."""
    numbers = cells_of_images(sample)
    chosen: dict[str, int] = {}
    for rank, quantile in sorted(QUANTILES, key=lambda item: item[0] != "typical"):
        chosen[rank] = int(np.argmin(np.abs(numbers - np.quantile(numbers, quantile))))
    return chosen


def cells_of_images(sample: SampleResults) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Cells in each image of the sample."""
    place = {image.name: number for number, image in enumerate(sample.plan.images)}
    numbers = np.zeros(len(place), dtype=np.int64)
    if sample.cells is not None:
        for name, n in sample.cells.obs["image"].value_counts().items():
            numbers[place[str(name)]] = n
    return numbers


def images_facts(sample: SampleResults) -> list[tuple[str, str]]:
    """What the page says of the images together."""
    plan = sample.plan
    numbers = cells_of_images(sample)
    facts = [
        (
            "Images",
            f"{count(plan.n_images)}, with {count(numbers.min())} to {count(numbers.max())} cells each",
        )
    ]
    wells = {image.columns.get("well") for image in plan.images} - {None}
    if wells:
        facts.append(("Wells", count(len(wells))))
    return facts
