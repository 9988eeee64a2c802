"""survey_image: the global statistics that a method may use, so that blocks stay independent of each other."""

from __future__ import annotations

import numpy as np

from isthmus.image.survey import ChannelSurvey
from isthmus.steps.job import Job

PERCENTILES = (0.1, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.9)


def survey_image(job: Job) -> None:
    """Percentiles of every channel from the exact histogram of level 0."""
    with np.load(job.sample_paths.histograms) as stored:
        histograms = stored["histograms"]
    channels = {
        name: ChannelSurvey(histogram).summary(PERCENTILES)
        for name, histogram in zip(job.sample.channels, histograms, strict=True)
    }
    job.write_record(job.sample_paths.survey, {"channels": channels})
