"""assess_quality: mark the cells of a sample that pass quality control, and how far structures are; none is dropped."""

from __future__ import annotations

from isthmus.analyse.steps import assess_quality as assess
from isthmus.steps.job import Job, read_json
from isthmus.steps.sheet import settings_of
from isthmus.steps.structures import structures_of_sample


def assess_quality(job: Job) -> None:
    """Write the sample's table with `qc_pass`, and a summary of what was marked; of spots as well, where it has any."""
    paths = job.sample_paths
    analysis = settings_of(job.plan).analysis
    has_image = job.sample.has_image
    drawn = {
        "structures": structures_of_sample(job.sample, analysis.spatial),
        "where": job.sample.sheet["where"],
    }
    numbers = read_json(paths.record("build_table" if has_image else "import_counts"))
    assess(
        paths.raw_table if has_image else paths.counted_table,
        paths.table,
        paths.record("assess_quality"),
        transcripts=numbers.get("transcripts"),
        seed=analysis.seed,
        **drawn,
        **analysis.quality.model_dump(),
    )
    if job.sample.has_spots:
        # Bounds of areas are about nuclei: all spots have one size.
        bounds = analysis.quality.model_dump(exclude={"min_area_um2", "max_area_um2"})
        assess(
            paths.raw_spots, paths.spots, paths.record("assess_spots"), seed=analysis.seed, **drawn, **bounds
        )
