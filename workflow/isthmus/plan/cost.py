"""What a rule will need, from sizes alone.

The constants are rough, from runs of the demo on two cores; they are to be calibrated with runs of other sizes.
"""

from __future__ import annotations

from math import ceil

from isthmus.plan.machine import Machine
from isthmus.plan.model import Prediction, SamplePlan

_BASE_MB = 350
_WORKER_MB = 220
_TABLE_BASE_MB = 700
_START_S = 4.0
_PACK_TARGET_S = 1800.0
_BYTES_PER_PIXEL = {"import_image": 16, "segment_pack": 60, "quantify_pack": 60, "build_pyramid": 24}
_CPU_S_PER_MPIX = {"import_image": 0.1, "segment_pack": 0.5, "quantify_pack": 0.3, "build_pyramid": 0.1}


def default_packs(n_pixels: int, n_blocks: int, machine: Machine) -> int:
    """Packs that keep a job near half an hour on this machine, one at least."""
    seconds = n_pixels / 1e6 * _CPU_S_PER_MPIX["segment_pack"] / machine.cores
    return max(1, min(n_blocks, ceil(seconds / _PACK_TARGET_S)))


def predict(samples: dict[str, SamplePlan], machine: Machine) -> dict[str, Prediction]:
    """Needs of every rule of the run."""
    pixel_rules = {rule: _predict_pixels(rule, samples, machine) for rule in _CPU_S_PER_MPIX}
    n = len(samples)
    with_points = sum(sample.has_points for sample in samples.values())
    light = {
        "import_transcripts": _light(with_points, _BASE_MB + 600, 1.0, files=3),
        "survey_image": _light(n, _BASE_MB, 0.1, files=1),
        "stitch_labels": _light(n, _BASE_MB, 0.1, files=3),
        "build_outlines": _light(n, _BASE_MB + 150, 0.2, files=2),
        "build_table": _light(n, _TABLE_BASE_MB, 0.2, files=3),
        "certify_seams": _predict_certificate(samples),
        "assess_quality": _light(n, _TABLE_BASE_MB, 0.3, files=2),
        "integrate_cohort": _light(1, _TABLE_BASE_MB, 0.3, files=1),
        "analyse": _light(1, _TABLE_BASE_MB + 300, 1.0, files=2),
        "annotate": _light(1, _TABLE_BASE_MB, 0.5, files=1),
        "report": _light(1, _TABLE_BASE_MB, 0.5, files=2),
    }
    return pixel_rules | light


def _predict_pixels(rule: str, samples: dict[str, SamplePlan], machine: Machine) -> Prediction:
    jobs = workers = memory = files = 0
    cpu_s = minutes = 0.0
    for sample in samples.values():
        grid, n_channels = sample.grid, sample.shape[0]
        packs = sample.packs if rule.endswith("_pack") else 1
        in_pack = ceil(grid.n_blocks / packs)
        used = min(machine.cores, in_pack)
        block_mb = (
            min(1.5 * _pixels(sample.block_px), _pixels(sample.window.shape)) * _BYTES_PER_PIXEL[rule] / 1e6
        )
        seconds = _pixels(sample.window.shape) / 1e6 * _CPU_S_PER_MPIX[rule]
        seconds *= n_channels if rule in ("import_image", "build_pyramid") else 1
        jobs += packs
        workers = max(workers, used)
        memory = max(memory, ceil(_BASE_MB + used * (_WORKER_MB + block_mb)))
        minutes = max(minutes, (_START_S + seconds / packs / used) / 60)
        cpu_s += seconds + packs * _START_S
        files += {
            "segment_pack": grid.n_blocks + 3 * packs,
            "quantify_pack": 2 * grid.n_blocks + 3 * packs,
        }.get(rule, grid.n_blocks)
    return Prediction(
        jobs=jobs,
        workers=workers,
        memory_mb=memory,
        minutes=ceil(minutes),
        core_hours=round(cpu_s / 3600, 4),
        files=files,
    )


def largest_window_read_px(*, is_volume: bool) -> int:
    """Pixels that the certificate reads for a window at most: a volume's borders lie around it on six sides."""
    return 1 << (26 if is_volume else 24)


def _predict_certificate(samples: dict[str, SamplePlan]) -> Prediction:
    """A job a sample; memory is that of the largest read, minutes those of eight windows of half that in volumes."""
    memory, minutes = _BASE_MB + 400, 0.2
    for sample in samples.values():
        shape = sample.window.shape
        read_px = min(largest_window_read_px(is_volume=shape[0] > 1), _pixels(shape))
        read_mb = read_px * _BYTES_PER_PIXEL["segment_pack"] / 1e6
        memory = max(memory, ceil(_BASE_MB + _WORKER_MB + read_mb))
        if shape[0] > 1:
            minutes = max(minutes, 4 * read_px / 1e6 * _CPU_S_PER_MPIX["segment_pack"] / 60)
    return _light(len(samples), memory, minutes, files=1)


def _light(jobs: int, memory_mb: int, minutes: float, *, files: int) -> Prediction:
    return Prediction(
        jobs=jobs,
        workers=1,
        memory_mb=memory_mb,
        minutes=ceil(minutes),
        core_hours=round(jobs * minutes / 60, 4),
        files=files * jobs,
    )


def _pixels(shape: tuple[int, int, int]) -> int:
    z, y, x = shape
    return z * y * x
