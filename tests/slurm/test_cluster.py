"""The cluster that the other tests stand on is a Slurm as sites have it."""

from __future__ import annotations

import subprocess

import pytest

from slurm.cluster import Cluster
from slurm.daemons import wait_until


def submit(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sbatch", "--parsable", *words], capture_output=True, text=True, check=False)


def test_a_job_runs_and_is_accounted_for(generic: Cluster, tmp_path):
    done = submit(
        "--wait", f"--output={tmp_path}/out", "--account=project_465", "--wrap=nproc; echo $SLURM_JOB_ID"
    )
    assert done.returncode == 0, done.stderr
    job = done.stdout.strip()
    assert (tmp_path / "out").read_text().split()[-1] == job
    assert generic.ended(job, "State", "Partition", "Account") == ("COMPLETED", "shared", "project_465")


def test_a_whole_node_is_billed_for_one_core(generic: Cluster, tmp_path):
    done = submit("--wait", f"--output={tmp_path}/out", "--partition=whole", "--wrap=true")
    assert generic.ended(done.stdout.strip(), "AllocCPUS") == ("16",)


def test_limits_of_a_qos_refuse_a_job(generic: Cluster):
    codes = [submit("--qos=few", "--begin=now+1hour", "--wrap=true").returncode for _ in range(4)]
    assert codes[:3] == [0, 0, 0]
    assert codes[3] != 0
    refused = submit("--partition=whole", "--time=121", "--wrap=true")
    assert "time limit" in refused.stderr


@pytest.mark.usefixtures("devices")
def test_gpus_are_seen(generic: Cluster, tmp_path):
    words = ("--wait", f"--output={tmp_path}/out", "--partition=gpu", "--gres=gpu:2")
    done = submit(*words, "--wrap=echo $CUDA_VISIBLE_DEVICES")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").read_text().strip() == "0,1"


@pytest.mark.usefixtures("confined_memory")
def test_too_much_memory_ends_a_job(generic: Cluster, tmp_path):
    hog = "python3 -c 'x = bytearray(300 << 20); print(len(x))'"
    done = submit("--wait", f"--output={tmp_path}/out", "--mem=100", f"--wrap={hog}")
    assert done.returncode != 0
    assert generic.ended(done.stdout.strip(), "State") == ("OUT_OF_MEMORY",)


def test_a_killed_node_takes_its_job_along_and_the_job_starts_again(generic: Cluster, tmp_path):
    job = submit(f"--output={tmp_path}/out", "--nodelist=g2", "--wrap=sleep 3600").stdout.strip()
    state = ("squeue", "--noheader", "--format=%T", f"--job={job}")
    wait_until(lambda: generic.call(*state) == "RUNNING", "the job to run")
    generic.kill_node("g2")
    wait_until(lambda: generic.call(*state) == "PENDING", "the job to be put back")
    generic.start_node("g2")
    generic.run_again(job)
    assert generic.call(*state) == "RUNNING"


def test_the_controller_comes_back(generic: Cluster):
    job = submit("--begin=now+1hour", "--wrap=true").stdout.strip()
    generic.stop_controller()
    assert submit("--wrap=true").returncode != 0
    generic.start_controller()
    assert generic.jobs() == [job]
