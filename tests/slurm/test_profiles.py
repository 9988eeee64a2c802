"""Runs with a profile: limits heeded, the head's plan in every job."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tifffile
import yaml
from study import SNAKEMAKE, Study, command, environment
from tissue_sample import write_sample

from isthmus.launch.run import Run
from isthmus.sites.load import FOLDER, load_site, read_site
from isthmus.sites.profile import profile_text
from slurm.cluster import Cluster
from slurm.daemons import wait_until
from slurm.imitation import imitate

OPTIONS = {"execution": {"block_px": 256, "packs": 2}}
LOOK = """
import sys
from isthmus.launch.run import Run
plan = Run.from_files([sys.argv[1]], overrides={}, is_head=False).plan
print(plan.machine.name, plan.rules["segment_pack"].workers, plan.samples["a"].packs, sep="|")
"""

Own = Callable[..., Path]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path / "study", [write_sample(tmp_path / "study")], OPTIONS)


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """The profile of a site that is like the generic one but for some facts, given as 'section.key'."""

    def make(**changed: Any) -> Path:
        facts = yaml.safe_load((FOLDER / "slurm.yaml").read_text(encoding="utf-8"))
        facts["title"] = "our own"
        for name, value in changed.items():
            section, _, key = name.partition("__")
            facts[section][key] = {"value": value, "status": "verified", "date": "2026", "source": "a test"}
        file = tmp_path / "own.yaml"
        file.write_text(yaml.safe_dump(facts))
        profile = tmp_path / "profile"
        profile.mkdir()
        text = profile_text(read_site(file)).replace("isthmus_site: own", f"isthmus_site: {file}")
        (profile / "config.yaml").write_text(text)
        return profile

    return make


@pytest.fixture
def generic_site(cluster: Cluster) -> Cluster:
    """The imitation of the site of the profile `slurm`."""
    cluster.load(imitate(load_site("slurm")))
    cluster.clear_jobs()
    return cluster


def cores_of_jobs(cluster: Cluster, first: int) -> dict[str, str]:
    """Cores of every job from this id on."""
    told = cluster.accounting("JobID", "AllocCPUS")
    return {job: cores for job, cores in told if int(job) >= first}


def look(cluster: Cluster, study: Study, folder: Path) -> str:
    """What a job, which is not given the profile, finds in the plan: machine, workers of a pack, packs."""
    script = folder / "look.py"
    script.write_text(LOOK)
    words = ["sbatch", "--wait", f"--output={folder}/seen", f"--chdir={study.folder}"]
    path = f"PYTHONPATH={environment()['PYTHONPATH']}"
    cluster.call(*words, f"--wrap={path} {sys.executable} -P {script} {study.config}")
    return (folder / "seen").read_text().splitlines()[-1]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"packs__max_jobs_submitted": 1}, "submit limit"),
        ({"packs__max_minutes": 5}, "walltime"),
        ({"storage__max_files": 20}, "files"),
        ({"packs__memory_mb": 100}, "memory"),
        ({"submission__account_required": True}, "account"),
    ],
    ids=["jobs", "minutes", "files", "memory", "account"],
)
def test_a_run_that_would_break_a_limit_is_refused_before_submission(
    generic_site: Cluster, study: Study, own: Own, changed: dict[str, Any], told: str
):
    first = generic_site.next_job()
    ended = study.run(also=["--profile", str(own(**changed))])
    assert ended.code == 1, ended.text
    assert any(told in line for line in ended.faults), ended.text
    assert generic_site.next_job() == first
    assert not (study.results / "work").exists()


def test_jobs_see_the_plan_of_the_head(generic_site: Cluster, study: Study, own: Own, tmp_path: Path):
    """The plan depends on the profile, which jobs are not given: a plan of their own would have other workers."""
    first = generic_site.next_job()
    ended = study.run(also=["--profile", str(own(packs__cores=3))], until=["work/a/segment_pack/1-of-2.json"])
    assert ended.code == 0, ended.text
    assert look(generic_site, study, tmp_path) == "our own|3|2"

    # the database hears of a job a little later than the head
    wait_until(lambda: len(cores_of_jobs(generic_site, first)) == 4, "the accounting of four jobs")
    cores = sorted(cores_of_jobs(generic_site, first).values())
    assert cores == ["1", "1", "2", "3"], "a pack has the cores that the head planned"


def test_jobs_see_the_pack_count_of_the_head(generic_site: Cluster, study: Study, own: Own, tmp_path: Path):
    """A site that gives packs one core asks for more of them than the machine that a job finds itself on."""
    # a large image whose file has holes only: the plan looks at its header, the job at the transcripts
    tifffile.memmap(
        study.folder / "a.ome.tif", shape=(1 << 19, 1 << 19), dtype="uint8", photometric="minisblack"
    )
    study.options = {}
    study.write()
    profile = own(packs__cores=1)
    ended = study.run(also=["--profile", str(profile)], until=["work/a/import_transcripts.json"])
    assert ended.code == 0, ended.text
    planned = json.loads((study.results / "plan.json").read_text())["samples"]["a"]["packs"]
    assert planned > 1
    assert look(generic_site, study, tmp_path) == f"our own|1|{planned}"
    # what a plan of its own would say there
    elsewhere = {"results": str(tmp_path / "elsewhere")}
    its_own = Run.from_files([study.config], overrides=elsewhere, cores=16).plan
    assert its_own.samples["a"].packs < planned
    (study.folder / "a.ome.tif").unlink()


def test_snakemake_itself_takes_a_profile(generic_site: Cluster, study: Study, own: Own):
    """Without `isthmus run` the plan is for the profile's site too."""
    words = [
        *SNAKEMAKE,
        "--configfile",
        str(study.config),
        "--profile",
        str(own(packs__cores=3)),
        "out/work/a/survey.json",
    ]
    ended = command(words, study.folder)
    assert ended.code == 0, ended.text
    plan = json.loads((study.results / "plan.json").read_text())
    assert (plan["machine"]["name"], plan["rules"]["segment_pack"]["workers"]) == ("our own", 3)
