"""survey_image: the global statistics that a method may use, so that blocks stay independent of each other."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.stack import stack_of
from isthmus.config.segmentation import BasinsOptions, SegmentationOptions
from isthmus.image.ome_zarr import Level
from isthmus.image.survey import ChannelSurvey
from isthmus.steps.import_image import shards_of
from isthmus.steps.import_many import shards_of_many
from isthmus.steps.job import Job
from isthmus.steps.sheet import settings_of

log = logging.getLogger(__name__)

PERCENTILES = (0.1, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.9)


def survey_image(job: Job) -> None:
    """Percentiles of every channel from the exact histogram of level 0; the size of nuclei where that is asked for."""
    with np.load(job.sample_paths.histograms) as stored:
        histograms, brightness = stored["histograms"], stored["brightness"]
    surveys = [ChannelSurvey(histogram) for histogram in histograms]
    channels = {
        name: survey.summary(PERCENTILES) for name, survey in zip(job.sample.channels, surveys, strict=True)
    }
    record: dict[str, Any] = {"channels": channels}
    options = settings_of(job.plan, job.sample).segmentation
    if options.method == "basins" and options.basins.measure_diameter:
        record |= _diameter(job, options, surveys, brightness)
    job.write_record(job.sample_paths.survey, record)


def _diameter(
    job: Job, options: SegmentationOptions, surveys: list[ChannelSurvey], brightness: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """Typical diameter of the sample's nuclei in um, and whether it is at the end of what is told apart."""
    # Kernels take seconds to load; most surveys need none.
    from isthmus.segment.methods import channel_index
    from isthmus.segment.size import LEAST_UM, MOST_UM, measure_diameter

    sample = job.sample
    channel = channel_index(options, sample.channels)
    windows = [pixels.astype(np.uint16, copy=False) for pixels in _windows(job, channel, brightness[channel])]
    diameter = measure_diameter(
        windows,
        options.basins.settings(),
        spacing_um=sample.spacing_um,
        survey=surveys[channel],
    )
    log.info("nuclei are about %g um wide, from %d windows", diameter, len(windows))
    return {"nucleus_diameter_um": diameter, "diameter_at_bound": diameter in (LEAST_UM, MOST_UM)}


def _windows(job: Job, channel: int, brightness: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.generic]]:
    """Pixels (z, y, x) of parts of the sample's images."""
    from isthmus.segment.size import choose_parts, middle_of

    sample = job.sample
    shards = shards_of_many(sample) if sample.images else stack_of(shards_of(sample.window.shape))
    for part in choose_parts(brightness):
        place = shards.locate(part)
        array = job.sample_paths.image_at(sample.image_paths[place.image]) / "0"
        level = Level.open(array, is_volume=place.grid.shape[0] > 1, has_channels=True)
        yield level.read(middle_of(place.grid.block(place.index).write), channel)


def with_measured_diameter(options: SegmentationOptions, survey: dict[str, Any]) -> SegmentationOptions:
    """The options, with the diameter that the survey of a sample found where one was asked for."""
    found = survey.get("nucleus_diameter_um")
    if found is None:
        return options
    basins: BasinsOptions = options.basins.model_copy(update={"nucleus_diameter_um": found})
    return options.model_copy(update={"basins": basins})
