"""The cost model: what one job of each rule takes, as sums of constants times sizes.

The constants are fitted to the records of runs (`isthmus.plan.calibrate`) and stand in `constants.yaml` with their
date. Which sizes each rule goes by stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from isthmus.plan.rules import POOLED
from isthmus.plan.size import Size

CONSTANTS = Path(__file__).with_name("constants.yaml")

_EXACT_KCELLS = 100.0
"""Up to here neighbours are searched in a time that grows with the square of the cells."""
_RUN_MROWS = (1 << 22) / 1e6

CPU: dict[str, tuple[str, ...]] = {
    "import_image": ("job", "worker", "channel_mpix"),
    "import_transcripts": ("job", "mrows"),
    "survey_image": ("job", "channels", "surveyed_mpix"),
    "segment_pack": ("job", "worker", "blocks", "read_flat", "bins_flat", "read_deep"),
    "stitch_labels": ("job", "blocks", "kcells"),
    "quantify_pack": (
        "job",
        "worker",
        "blocks",
        "grown_flat",
        "grown_deep",
        "measured_mpix",
        "kcells",
        "mrows",
    ),
    "build_pyramid": ("job", "worker", "mpix", "channel_mpix"),
    "build_table": ("job", "kcells", "channel_kcells", "mrows"),
    "build_outlines": ("job", "kcells"),
    "certify_seams": ("job", "windows_flat", "windows_deep", "kcells"),
    "build_index": ("job", "reference_mb"),
    "count_reads": ("job", "reads_mb", "reference_mb"),
    "import_counts": ("job", "kcells", "mrows"),
    "assess_quality": ("job", "kcells", "mrows"),
    "join_modalities": ("job", "kcells", "measured_kcells", "mrows"),
    "profile_wells": ("job", "measured_kcells"),
    "integrate_cohort": ("job", "kcells", "mrows"),
    "analyse": ("job", "kcells", "kcells_squared", "mrows"),
    "annotate": ("job", "kcells", "mrows"),
    "join_omics": ("job", "kcells", "measured_kcells", "mrows", "omics_mvalues"),
    "analyse_omics": ("job", "models", "omics_mvalues"),
    "report": ("job", "kcells", "mrows"),
}
"""CPU seconds of a sample's jobs of each rule, or of the run's one job, go by these sizes."""

FIXED_MB: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(POOLED, ("job",)),
    "import_transcripts": ("job", "run_mrows"),
    "survey_image": ("job", "surveys"),
    "stitch_labels": ("job", "kcells"),
    "build_table": ("job", "kcells", "channel_kcells", "mrows"),
    "build_outlines": ("job", "kcells"),
    "certify_seams": ("job", "window_flat", "window_deep"),
    "join_modalities": ("job", "kcells"),
    "join_omics": ("job", "kcells", "omics_mvalues"),
    "analyse_omics": ("job", "omics_mvalues"),
    "profile_wells": ("job", "measured_kcells"),
    "build_index": ("job", "reference_mb"),
    "count_reads": ("job", "reference_mb", "mrows"),
    "import_counts": ("job", "kcells", "mrows"),
    **dict.fromkeys(
        ("assess_quality", "integrate_cohort", "analyse", "annotate", "report"), ("job", "kcells", "mrows")
    ),
}
"""Memory of a job apart from its workers."""

WORKER_MB: dict[str, tuple[str, ...]] = {
    "import_image": ("worker", "shard_mpix"),
    "segment_pack": ("worker", "largest_flat", "largest_bins_flat", "largest_deep"),
    "quantify_pack": ("worker", "largest_grown_flat", "largest_grown_deep", "largest_kcells"),
    "build_pyramid": ("worker", "halved_mpix"),
}
"""Memory of a worker."""

STORAGE_MB: dict[str, tuple[str, ...]] = {
    "import_image": ("channel_mpix",),
    "import_transcripts": ("mrows",),
    "segment_pack": ("mpix", "kcells"),
    "stitch_labels": ("kcells",),
    "quantify_pack": ("mpix", "kcells", "measured_kcells", "mrows"),
    "build_pyramid": ("mpix", "channel_mpix"),
    "build_table": ("kcells", "measured_kcells", "mrows"),
    "build_outlines": ("kcells",),
    "build_index": ("reference_mb",),
    "count_reads": ("mrows",),
    "import_counts": ("kcells", "mrows"),
    "assess_quality": ("kcells", "measured_kcells", "mrows"),
    "join_modalities": ("kcells", "measured_kcells", "mrows"),
    "profile_wells": ("job",),
    **dict.fromkeys(("integrate_cohort", "analyse", "annotate"), ("kcells", "measured_kcells", "mrows")),
    "join_omics": ("job", "omics_mvalues"),
    "analyse_omics": ("job", "omics_mvalues"),
    "report": ("job",),
}
"""What a rule leaves on disk."""

KINDS: dict[str, dict[str, tuple[str, ...]]] = {
    "cpu_s": CPU,
    "fixed_mb": FIXED_MB,
    "worker_mb": WORKER_MB,
    "storage_mb": STORAGE_MB,
}


ALL_TERMS = frozenset(name for kind in KINDS.values() for names in kind.values() for name in names)
"""Names of all sizes."""


def terms(size: Size, *, jobs: int = 1, workers: int = 1) -> dict[str, float]:
    """Every size by its name; jobs is their number in a sample, workers those of all of them together.

    `flat` are planes, `deep` volumes: a pixel of a volume has three times the neighbours.
    """
    flat, deep = float(not size.is_volume), float(size.is_volume)
    window, windows = size.window_mpix, size.window_mpix * size.windows
    return {
        "job": float(jobs),
        "worker": float(workers),
        "blocks": float(size.blocks),
        "channels": float(size.channels),
        "surveyed_mpix": size.surveyed_mpix,
        "surveys": float(size.surveyed_mpix > 0),
        "mpix": size.mpix,
        "channel_mpix": size.channels * size.mpix,
        "measured_mpix": size.measured * size.mpix,
        "read_flat": flat * size.read,
        "bins_flat": flat * size.bins,
        "read_deep": deep * size.read,
        "grown_flat": flat * size.grown,
        "grown_deep": deep * size.grown,
        "kcells": size.kcells,
        "kcells_squared": size.kcells * min(size.kcells, _EXACT_KCELLS),
        "channel_kcells": size.channels * size.kcells,
        "measured_kcells": size.measured * size.kcells,
        "mrows": size.mrows,
        "reads_mb": size.reads_mb,
        "reference_mb": size.reference_mb,
        "run_mrows": min(size.mrows, _RUN_MROWS),
        "windows_flat": flat * windows,
        "windows_deep": deep * windows,
        "window_flat": flat * window,
        "window_deep": deep * window,
        "shard_mpix": size.shard_mpix,
        "halved_mpix": size.halved_mpix,
        "largest_flat": flat * size.largest_read,
        "largest_bins_flat": flat * size.largest_bins,
        "largest_deep": deep * size.largest_read,
        "largest_grown_flat": flat * size.largest_grown,
        "largest_grown_deep": deep * size.largest_grown,
        "largest_kcells": size.largest_kcells,
        "omics_mvalues": 0.0,
        "models": 0.0,
    }


@lru_cache(maxsize=1)
def constants() -> Mapping[str, Any]:
    """The fitted constants: by kind and rule, a number for each term."""
    loaded: Mapping[str, Any] = yaml.safe_load(CONSTANTS.read_text(encoding="utf-8"))
    return loaded


def cost(kind: str, rule: str, sizes: Mapping[str, float]) -> float:
    """CPU seconds or MB of a rule from named sizes; 0 where a rule has no such cost."""
    factors: Mapping[str, float] = constants()[kind].get(rule, {})
    return sum(factor * sizes[name] for name, factor in factors.items())


def largest_window_read_px(*, is_volume: bool) -> int:
    """Pixels that the certificate reads for a window at most: a volume's borders lie around it on six sides."""
    return 1 << (26 if is_volume else 24)
