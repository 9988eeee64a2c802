"""Remove what pass 1 leaves for stitching and pass 2, once the run is complete.

For Snakemake this is as if they were temporary files: it makes them again when, and only when, pass 2 has to run again.
The histories of the jobs say that their results were removed on purpose.
"""

from __future__ import annotations

import json
import shutil
import time

from isthmus.launch.jobs import JobState, State, job_states
from isthmus.plan.model import RunPlan
from isthmus.plan.paths import RunPaths

REMOVED = "segment_pack"
"""The rule whose results go."""


def tidy(plan: RunPlan, paths: RunPaths) -> int:
    """Remove local labels and block records of all samples, unless a job of the plan is not done yet;
    returns how many samples had any.

    Killed at any moment, what is left is found damaged or missing as a whole, or is removed by the next run.
    """
    states = job_states(plan, paths)
    if any(state.state is not State.DONE for state in states):
        return 0
    return sum(_tidy_sample(name, states, paths) for name in plan.samples)


def _tidy_sample(name: str, states: list[JobState], paths: RunPaths) -> bool:
    of = paths.sample(name)
    jobs = [state for state in states if state.sample == name and state.rule == REMOVED]
    folders = [of.local_labels, of.polygons, of.journal(REMOVED).parent]
    # What the workflow sees goes first: without it nothing relies on the rest any more.
    records = [of.pack_record(REMOVED, job.pack) for job in jobs]
    there = [path for path in (*records, *folders) if path.exists()]
    for path in records:
        path.unlink(missing_ok=True)
    for job in jobs:
        if job.note["status"] == "done":
            _note_removal(paths, job)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return bool(there)


def _note_removal(paths: RunPaths, job: JobState) -> None:
    note = {**job.note, "status": "removed", "time": round(time.time(), 3), "outputs": {}}
    with (paths.jobs / f"{job.name}.jsonl").open("a") as file:
        file.write(json.dumps(note) + "\n")
