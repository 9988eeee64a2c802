"""The rules of the workflow as profiles name them; a test holds the lists in step with the rules.

Snakemake says nothing when a profile names a rule that there is not.
"""

GPU = ("segment_pack",)
"""May use GPUs: its jobs go to GPU nodes where a site has such."""
POOLED = ("import_image", "segment_pack", "quantify_pack", "build_pyramid")
"""Work through blocks with a pool of processes."""
LIGHT = (
    "import_transcripts",
    "survey_image",
    "stitch_labels",
    "build_table",
    "build_outlines",
    "certify_seams",
    "assess_quality",
    "integrate_cohort",
    "analyse",
    "annotate",
    "report",
)
"""One process a job."""
