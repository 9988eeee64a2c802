"""profile_wells: the wells of a plate, each as what its cells are like beside the controls."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from isthmus.analyse.files import read_table, write_table
from isthmus.analyse.profiles import ProfileOptions
from isthmus.analyse.profiles import profile_wells as profile
from isthmus.plan.model import SamplePlan
from isthmus.steps.job import Job
from isthmus.steps.sheet import settings_of


def profile_wells(job: Job) -> None:
    """Write wells.h5ad from the table after quality control."""
    options = settings_of(job.plan, job.sample).analysis.profiles
    made = profile(
        read_table(job.sample_paths.table),
        wells_of(job.sample),
        sample=job.sample_name,
        options=ProfileOptions(**options.model_dump()),
    )
    made.uns["isthmus"] = {"digest": job.digest}
    write_table(made, job.sample_paths.wells)


def wells_of(plan: SamplePlan) -> pd.DataFrame:
    """The wells of a plate in its order, with row, column and number of images."""
    n_images = Counter(image.columns["well"] for image in plan.images)
    places = {image.columns["well"]: (image.columns["row"], image.columns["column"]) for image in plan.images}
    return pd.DataFrame(
        [(*places[well], n) for well, n in n_images.items()],
        columns=["row", "column", "n_images"],
        index=pd.Index(list(n_images), dtype=object, name="well"),
    )
