"""What every rule of a run will need on a machine: jobs, workers, memory, time, what is billed, files and storage."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

from isthmus.config.segmentation import needs_gpu
from isthmus.plan.cost import ALL_TERMS, cost, largest_window_read_px, terms
from isthmus.plan.files import files_of, files_of_run
from isthmus.plan.machine import Machine
from isthmus.plan.model import SamplePlan
from isthmus.plan.prediction import Prediction
from isthmus.plan.queues import billed_cores, cores_of, memory_of
from isthmus.plan.rules import GPU, IN_PACKS, PER_PLATE, PER_RUN, PER_SAMPLE, POOLED
from isthmus.plan.size import Size

_PACK_TARGET_S = 1800.0
_MB_PER_S = 1000.0
"""What one job reads and writes in a second at most: assumed, for one client of a parallel file system."""
_WORST_MB_PER_MPIX = 60.0
"""Of a window of the certificate: more than was ever measured."""
_RAW_MB_PER_MPIX = 2.0
_READ_POINTS = ("import_transcripts", "build_table")
"""Rules that read the vendor's transcripts."""
_S_PER_HOUR, _S_PER_MIN = 3600.0, 60.0


@dataclass(frozen=True)
class _Jobs:
    """The jobs of one rule for one sample (or of the run): their number, and the largest of them.

    cpu_s is that of all jobs together, wall_s that of the longest.
    """

    jobs: int
    workers: int
    memory_mb: float
    worker_mb: float
    cpu_s: float
    wall_s: float
    files: int
    storage_mb: float
    most_mb: float = 0.0


def predict(
    samples: Mapping[str, SamplePlan],
    settings: Mapping[str, Any],
    machine: Machine,
    *,
    rules: Collection[str] = (*PER_SAMPLE, *PER_RUN),
    omics_values: int = 0,
) -> dict[str, Prediction]:
    """Needs of every rule that has a job in the run.

    Parameters
    ----------
    rules
        Those that the run has work for.
    omics_values
        Values in all tables of other omics.
    """
    joint = settings["analysis"]["joint"]
    fitted = len(samples) >= joint["min_factored"]
    omics = {
        "omics_mvalues": omics_values / 1e6,
        "models": float(fitted * (1 + joint["n_permutations"])),
    }
    sizes = {name: Size.of(sample, settings) for name, sample in samples.items()}
    # all samples are looked up in the same
    of_run = {**omics, "reference_mb": max((size.reference_mb for size in sizes.values()), default=0.0)}
    on_gpus = {
        name: needs_gpu(sample.settings(settings)["segmentation"]["method"])
        for name, sample in samples.items()
    }
    made: dict[str, Prediction] = {}
    for rule in (*PER_SAMPLE, *PER_PLATE):
        of = [
            _jobs_of(rule, sample, sizes[name], machine, on_gpus=rule in GPU and on_gpus[name])
            for name, sample in samples.items()
            if rule in sample.digests
        ]
        if of or (not samples and rule not in PER_PLATE):
            made[rule] = _together(rule, of, machine)
    for rule in PER_RUN:
        if rule in rules:
            made[rule] = _together(rule, [_job_of_run(rule, sizes.values(), machine, of_run)], machine)
    return made


def default_packs(size: Size, n_blocks: int, machine: Machine) -> int:
    """Packs that keep a job near half an hour on this machine; one at least, and no more than may run at once."""
    named = terms(size)
    most = min(n for n in (n_blocks, machine.max_jobs_running, machine.max_jobs_submitted) if n is not None)
    seconds = max(
        cost("cpu_s", rule, named) / pool_workers(rule, named, n_blocks, machine) for rule in IN_PACKS
    )
    target = _PACK_TARGET_S
    if machine.max_minutes is not None:
        target = min(target, machine.max_minutes * _S_PER_MIN / 4)
    return max(1, min(most, ceil(seconds / target)))


def pool_workers(
    rule: str,
    named: Mapping[str, float],
    n_tasks: int,
    machine: Machine,
    *,
    on_gpus: bool = False,
    held_mb: float = 0.0,
) -> int:
    """Workers of a job: one a core or a GPU, no more than there are tasks, and no more than fit the memory."""
    workers = min(max(1, machine.gpus) if on_gpus else cores_of(machine, rule), n_tasks)
    worker_mb = cost("worker_mb", rule, named) + held_mb
    memory_mb = memory_of(machine, rule)
    if memory_mb is not None and worker_mb > 0:
        room = memory_mb - cost("fixed_mb", rule, named)
        workers = min(workers, floor(room / worker_mb))
    return max(1, workers)


def _jobs_of(rule: str, sample: SamplePlan, size: Size, machine: Machine, *, on_gpus: bool) -> _Jobs:
    jobs = sample.packs if rule in IN_PACKS else 1
    tasks = ceil(_n_tasks(rule, sample, size) / jobs)
    one = terms(size)
    held_mb = sample.held_mb if rule == "import_image" else 0.0
    workers = (
        pool_workers(rule, one, tasks, machine, on_gpus=on_gpus, held_mb=held_mb) if rule in POOLED else 1
    )
    named = terms(size, jobs=jobs, workers=jobs * workers if rule in POOLED else 1)
    cpu_s = cost("cpu_s", rule, named)
    worker_mb = cost("worker_mb", rule, one) + held_mb
    start_s = cost("cpu_s", rule, {**dict.fromkeys(one, 0.0), "job": 1.0, "worker": 1.0})
    work_s = cpu_s - cost(
        "cpu_s", rule, {**dict.fromkeys(one, 0.0), "job": named["job"], "worker": named["worker"]}
    )
    rounds = ceil(tasks / workers) if rule in POOLED else 1
    each_s = work_s / (jobs * tasks) if rule in POOLED else work_s
    beside_mb = sample.points_mb if rule in _READ_POINTS else 0.0
    return _Jobs(
        jobs=jobs,
        workers=workers,
        memory_mb=cost("fixed_mb", rule, one) + workers * worker_mb + beside_mb,
        worker_mb=worker_mb,
        cpu_s=cpu_s,
        wall_s=machine.job_start_s + start_s + max(rounds * each_s, _moved_mb(rule, one) / jobs / _MB_PER_S),
        files=files_of(rule, sample),
        storage_mb=cost("storage_mb", rule, one),
        most_mb=_certificate_at_worst(one, size) if rule == "certify_seams" else 0.0,
    )


def _moved_mb(rule: str, named: Mapping[str, float]) -> float:
    """What all jobs of a rule read and write: its own results, and those of the rules before it."""
    image, labels = (cost("storage_mb", before, named) for before in ("import_image", "quantify_pack"))
    read = {
        "import_image": _RAW_MB_PER_MPIX * named["channel_mpix"],
        "segment_pack": image / max(named["channels"], 1.0),
        "quantify_pack": image,
        "build_pyramid": image + labels,
        "build_table": labels,
        "build_outlines": labels,
    }
    return read.get(rule, 0.0) + cost("storage_mb", rule, named)


def _certificate_at_worst(named: Mapping[str, float], size: Size) -> float:
    """A window is read with ever more around it while an instance reaches on, up to a bound."""
    most = largest_window_read_px(is_volume=size.is_volume) / 1e6
    none = {**named, "window_deep": 0.0, "window_flat": 0.0}
    return cost("fixed_mb", "certify_seams", none) + _WORST_MB_PER_MPIX * min(most, size.mpix)


def _n_tasks(rule: str, sample: SamplePlan, size: Size) -> int:
    """Pieces that the workers of a rule take one by one."""
    if rule in IN_PACKS:
        return sample.n_blocks
    pieces = size.channels * size.mpix / max(size.shard_mpix, 1e-6)
    return max(1, ceil(pieces - 1e-6))


def _job_of_run(rule: str, sizes: Iterable[Size], machine: Machine, more: Mapping[str, float]) -> _Jobs:
    """The one job that works on all samples: their sizes add up; `more` are sizes of no sample."""
    named: dict[str, float] = {}
    for size in sizes:
        for name, value in terms(size).items():
            named[name] = named.get(name, 0.0) + value
    named = named or dict.fromkeys(ALL_TERMS, 0.0)
    named |= {"job": 1.0, "worker": 1.0, **more}
    cpu_s = cost("cpu_s", rule, named)
    return _Jobs(
        jobs=1,
        workers=1,
        memory_mb=cost("fixed_mb", rule, named),
        worker_mb=0.0,
        cpu_s=cpu_s,
        wall_s=machine.job_start_s + cpu_s,
        files=files_of_run(rule),
        storage_mb=cost("storage_mb", rule, named),
    )


def _together(rule: str, of: list[_Jobs], machine: Machine) -> Prediction:
    """One entry of the plan from the jobs of all samples."""
    billed_s = sum(jobs.jobs * jobs.wall_s * billed_cores(machine, rule, jobs.workers) for jobs in of)
    return Prediction(
        jobs=sum(jobs.jobs for jobs in of),
        workers=max((jobs.workers for jobs in of), default=1),
        memory_mb=ceil(max((jobs.memory_mb for jobs in of), default=0)),
        worker_mb=ceil(max((jobs.worker_mb for jobs in of), default=0)),
        most_mb=ceil(max((jobs.most_mb for jobs in of), default=0)),
        minutes=ceil(max((jobs.wall_s for jobs in of), default=0) / _S_PER_MIN),
        cpu_hours=round(sum(jobs.cpu_s for jobs in of) / _S_PER_HOUR, 6),
        core_hours=round(billed_s / _S_PER_HOUR, 6),
        files=sum(jobs.files for jobs in of),
        storage_mb=round(sum(jobs.storage_mb for jobs in of), 1),
    )
