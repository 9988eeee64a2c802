"""analyse_omics: correlations of image features and molecules over samples or wells, and factors that they share."""

from __future__ import annotations

from typing import Any

import pandas as pd

from isthmus.analyse.files import write_tsv
from isthmus.analyse.omics_joint import MOST_ROWS, analyse_jointly, read_modalities, write_modalities
from isthmus.analyse.threads import single_thread
from isthmus.config.omics import joint_units
from isthmus.steps.job import Job
from isthmus.steps.sheet import settings_of


def analyse_omics(job: Job) -> None:
    """Write the modalities with their factors, and the table of correlations."""
    options = settings_of(job.plan).analysis
    found: list[pd.DataFrame] = []
    summaries: dict[str, Any] = {}
    for unit in joint_units(options.omics):
        whole = read_modalities(job.paths.cohort / f"{unit}s.h5mu")
        with single_thread():
            correlations, summaries[unit] = analyse_jointly(
                whole, unit=unit, seed=options.seed, **options.joint.model_dump()
            )
        found.append(correlations.head(MOST_ROWS))
        write_modalities(whole, job.paths.modalities(unit))
    write_tsv(pd.concat(found, ignore_index=True), job.paths.correlations)
    job.write_record(job.paths.cohort / "analyse_omics.json", {"units": summaries})
