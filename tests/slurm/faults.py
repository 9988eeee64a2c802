"""What can happen to a run on Slurm, as functions that do it to one and return when it has its consequences."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from study import command

from slurm.disturbed import Disturbed, wait_for

_GROUPS = Path("/sys/fs/cgroup/memory")
_MOST_LIKELY_KILLED = "1000"
_HOG = "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); bytearray(3 << 30)"


def scancel(of: Disturbed) -> None:
    """A user, or somebody who may, cancels a pack."""
    name, job = of.freeze()
    of.cluster.call("scancel", job)
    of.hit()
    of.wait(lambda: len(of.on_slurm.slurm_jobs(name)) == 2)


def warning(of: Disturbed) -> None:
    """The warning that Slurm gives before the time is up, to a pack that has begun: it has more blocks than workers."""
    _, job = of.freeze(blocks=0)
    of.cluster.call("scancel", "--batch", "--signal=USR1", job)
    time.sleep(1.0)
    of.hit()


def time_limit(of: Disturbed) -> None:
    """A pack that is at a standstill reaches its limit, a minute."""
    name, job = of.freeze()
    of.cluster.call("scontrol", "update", f"JobId={job}", "TimeLimit=1")
    pid = of.on_slurm.notes(name)[-1]["pid"]
    of.wait(lambda: not psutil.pid_exists(pid))
    of.hit()
    of.wait(lambda: len(of.on_slurm.slurm_jobs(name)) == 2)


def node(of: Disturbed) -> None:
    """Power fails in a node."""
    _, job = of.freeze()
    name = of.cluster.call("squeue", "--noheader", "--format=%N", f"--jobs={job}")
    of.cluster.kill_node(name)
    of.hit()
    try:
        of.wait(lambda: of.waits_to_begin(job))
        of.wait(lambda: of.is_told("back into the queue"))
    finally:
        of.cluster.start_node(name)
    for each in of.frozen.values():
        of.cluster.run_again(each)


def preemption(of: Disturbed) -> None:
    """A job of higher priority needs the node; Slurm puts the pack back into the queue or ends it, as its QOS says."""
    name, job = of.freeze()
    partition = of.cluster.call("squeue", "--noheader", "--format=%P", f"--jobs={job}")
    urgent = ("sbatch", "--qos=high", f"--partition={partition}", "--output=/dev/null", "--wrap=sleep 2")
    of.cluster.call(*urgent)
    of.hit()
    if partition == "requeued":
        of.wait(lambda: of.is_told("back into the queue"))
        assert of.waits_to_begin(job)
        of.cluster.run_again(job)
    else:
        of.wait(lambda: len(of.on_slurm.slurm_jobs(name)) == 2)


def head(of: Disturbed) -> None:
    """kill -9 of the head; then it is started again, and must not begin packs beside those that still have them."""
    of.freeze()
    of.run.kill()
    of.hit()
    of.start_again()
    of.wait(lambda: all(len(of.on_slurm.slurm_jobs(name)) == 2 for name in of.frozen))


def plain_head(of: Disturbed) -> None:
    """kill -9 of a Snakemake without `isthmus run`; then the folder is unlocked, and it starts again."""
    of.freeze()
    of.run.kill()
    of.hit()
    of.run.communicate()
    unlocked = command(of.on_slurm.plain_words("--unlock"), of.on_slurm.study.folder)
    assert unlocked.code == 0, unlocked.text
    of.start_again()
    of.wait(lambda: all(len(of.on_slurm.slurm_jobs(name)) == 2 for name in of.frozen))


def controller(of: Disturbed) -> None:
    """slurmctld is away for half a minute while packs end and others should begin."""
    of.freeze()
    of.cluster.stop_controller()
    of.hit()
    of.on_slurm.thaw()
    time.sleep(30)
    assert of.run.poll() is None, of.run.communicate()
    of.cluster.start_controller()


def memory_of_the_pack(of: Disturbed) -> None:
    """The job has no memory left, and the kernel takes the pack's main process first."""
    name, job = of.freeze()
    pid = of.on_slurm.notes(name)[-1]["pid"]
    Path(f"/proc/{pid}/oom_score_adj").write_text(_MOST_LIKELY_KILLED)
    _take_memory_of(job)
    of.hit()
    of.wait(lambda: len(of.on_slurm.slurm_jobs(name)) == 2)


def memory_of_another_process(of: Disturbed) -> None:
    """Another process in the job takes too much and is killed: for Slurm the whole job has then run out of memory."""
    _, job = of.freeze()
    _take_memory_of(job)
    of.hit()


def can_take_memory() -> bool:
    """Whether memory of jobs is confined by control groups of the first version, which can be looked into here."""
    return _GROUPS.is_dir()


def _take_memory_of(job: str) -> None:
    groups: list[Path] = []

    def found() -> bool:
        groups[:] = sorted(_GROUPS.glob(f"slurm*/uid_*/job_{job}/step_batch/task_*"))
        return bool(groups)

    wait_for(found)
    subprocess.run([sys.executable, "-c", _HOG, str(groups[0] / "cgroup.procs")], check=False)


Fault = Callable[[Disturbed], None]
