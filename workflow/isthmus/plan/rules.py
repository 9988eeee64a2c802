"""The rules of the workflow by what their jobs are; a test holds the lists in step with the rules."""

from __future__ import annotations

PER_SAMPLE = (
    "import_image",
    "import_transcripts",
    "survey_image",
    "segment_pack",
    "stitch_labels",
    "quantify_pack",
    "build_pyramid",
    "build_table",
    "build_outlines",
    "certify_seams",
    "count_reads",
    "import_counts",
    "assess_quality",
    "join_modalities",
)
"""A job a sample, or a pack of a sample."""
PER_PLATE = ("profile_wells",)
"""A job a sample that is a plate; a run without plates does not have them."""
PER_RUN = ("build_index", "integrate_cohort", "analyse", "annotate", "join_omics", "analyse_omics", "report")
"""One job a run, if there is work for it."""
OF_OMICS = ("join_omics", "analyse_omics")
"""Have work only where the configuration names tables of other omics."""
OF_READS = ("build_index", "count_reads")
"""Have work only where samples come as reads."""
WITHOUT_IMAGE = ("count_reads", "import_counts")
"""Steps of samples that have no image."""
IN_PACKS = ("segment_pack", "quantify_pack")
POOLED = ("import_image", "segment_pack", "quantify_pack", "build_pyramid")
"""Use all cores that their job is given; every other rule uses one."""
LIGHT = tuple(rule for rule in (*PER_SAMPLE, *PER_PLATE, *PER_RUN) if rule not in POOLED)
"""One process a job."""
GPU = ("segment_pack",)
"""May use GPUs: its jobs go to GPU nodes where a site has such."""
