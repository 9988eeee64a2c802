"""Each profile runs a pack on an imitation of its own system; what the system would refuse is refused before.

Systems whose partitions have names of their own are imitated by one cluster, and their runs go on at the same time.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import tifffile
from study import Ended, Study
from tissue_sample import write_sample

from isthmus.cli.main import main
from isthmus.sites.load import load_site, site_names
from isthmus.sites.model import Site
from slurm.cluster import Cluster
from slurm.imitation import account_of, imitate_all, side_by_side
from slurm.together import Together

AT_ONCE = 4
ON_SLURM = [site for site in map(load_site, site_names()) if site.scheduler == "slurm"]
GROUPS = side_by_side(ON_SLURM)
PACK = "work/a/segment_pack/1-of-1.json"
FIELDS = ("State", "Partition", "Account", "AllocCPUS", "AllocTRES")
REFUSED = [
    ("lumi_c", ["--partition=standard"], "give an account"),
    ("lumi_c", ["--account=project_465000000"], "give a partition"),
    ("lumi_c", ["--account=project_465000000", "--partition=standard", "--time=2881"], "2880 minutes"),
    ("mn5_gpp", ["--account=project_465", "--partition=gpp", "--qos=gp_ehpc", "--mem=1000"], "memory"),
    ("mn5_gpp", ["--account=project_465", "--partition=gpp"], "give a QOS"),
    ("deucalion", ["--account=project_a", "--partition=normal-x86"], "end with x"),
    ("deucalion", ["--account=project_465x", "--partition=normal-x86"], "#!/bin/bash -l"),
]


@dataclass(frozen=True)
class Ran:
    """A run on an imitation: how it ended, its Slurm jobs, and of each what `FIELDS` name."""

    study: Study
    ended: Ended
    jobs: list[tuple[str, ...]]


@pytest.fixture(
    scope="session", params=[site for group in GROUPS for site in group], ids=lambda site: site.name
)
def site(request: pytest.FixtureRequest) -> Site:
    """Each site; all that is tested of one comes together, and those of one cluster after one another."""
    found: Site = request.param
    return found


@pytest.fixture(scope="session")
def surveyed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A small sample, imported and surveyed here: what is left to do first is one pack of pass 1."""
    folder = tmp_path_factory.mktemp("surveyed") / "study"
    study = Study(folder, [write_sample(folder)], {"execution": {"block_px": 512, "packs": 1}})
    ended = study.run(until=["work/a/survey.json"])
    assert ended.code == 0, ended.text
    return study


@pytest.fixture(scope="session")
def ran(
    cluster: Cluster, surveyed: Study, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Sequence[Site]], Together[Ran]]:
    """The runs of a group of sites, all made when one of them is asked for first."""
    done: dict[str, Together[Ran]] = {}

    def of(group: Sequence[Site]) -> Together[Ran]:
        layout = imitate_all(group)
        if layout.name not in done:
            cluster.load(layout)
            folder = tmp_path_factory.mktemp("runs")
            runs = {site.name: partial(run, cluster, surveyed, site, folder / site.name) for site in group}
            done[layout.name] = Together(runs, at_once=AT_ONCE)
        return done[layout.name]

    return of


def run(cluster: Cluster, surveyed: Study, site: Site, folder: Path) -> Ran:
    """One pack with the site's profile, in a copy of the study, modification times kept."""
    shutil.copytree(surveyed.folder, folder, symlinks=True)
    study = Study(folder, surveyed.rows, surveyed.options)
    ended = study.run(until=[PACK], also=["--profile", site.name, "--account", account_of(site)])
    history = study.results / "work" / "jobs" / "segment_pack.a.1-of-1.jsonl"
    lines = history.read_text().splitlines() if history.exists() else []
    ids = {note["slurm_job"] for note in map(json.loads, lines) if note["status"] == "submitted"}
    return Ran(study, ended, [cluster.ended(id_, *FIELDS) for id_ in sorted(ids)])


def group_of(name: str) -> list[Site]:
    return next(group for group in GROUPS if name in [site.name for site in group])


def test_a_pack_runs_on_an_imitation_of_its_system(ran: Callable[..., Together[Ran]], site: Site):
    made = ran(group_of(site.name))[site.name]
    assert made.ended.code == 0, made.ended.text
    assert (made.study.results / PACK).exists()
    ((state, partition, account, cpus, tres),) = made.jobs
    assert (state, account) == ("COMPLETED", account_of(site))
    assert partition == (site.packs.partition.value or "general")
    threads = site.node.threads_per_core.value or 1
    if site.packs.whole_node.value:
        assert int(cpus) == (site.node.cores.value or 1) * threads
    if site.gpus_per_pack:
        assert f"gres/gpu={site.gpus_per_pack}" in tres.replace("gres/gpu:", "gres/gpu-")
    for words, told in [(words, told) for name, words, told in REFUSED if name == site.name]:
        assert told in refused(words)


@pytest.fixture(scope="session")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A sample whose image is far too large for one job; its file has holes only."""
    folder = tmp_path_factory.mktemp("slide") / "study"
    row = write_sample(folder)
    tifffile.memmap(folder / row["image"], shape=(1 << 19, 1 << 19), dtype="uint8", photometric="minisblack")
    return Study(folder, [row], {"segmentation": {"basins": {"measure_diameter": False}}})


def test_a_run_that_would_break_a_limit_of_its_system_is_refused(
    cluster: Cluster,
    slide: Study,
    site: Site,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """As far as limits are known: too many jobs at once, jobs that take too long or too much memory, or no
    account."""
    machine, asked = site.machine(), site.submission
    account = ["--account", account_of(site)]
    if machine.max_jobs_submitted is not None:
        many = ["--set", "execution.packs=5000", "--set", "execution.block_px=1024"]
        words, told = [*account, *many], ("submit limit: ",)
    elif machine.max_minutes is not None:
        words, told = [*account, "--set", "execution.packs=1"], ("walltime: ", "memory: ")
    elif asked.account_required.value:
        words, told = [], ("account",)
    else:
        pytest.skip("no limit of this system is known")
    if cluster.layout != imitate_all(group_of(site.name)):
        cluster.load(imitate_all(group_of(site.name)))
    first = cluster.next_job()
    monkeypatch.chdir(slide.folder)
    assert main(["run", str(slide.config), "--profile", site.name, *words]) == 1
    said = capsys.readouterr().err
    assert any(word in said for word in told), said
    assert cluster.next_job() == first
    assert not (slide.results / "work").exists()


def test_every_refusal_is_tried():
    """Each is asked for while the imitation of its site is up, in the test above."""
    assert {name for name, _, _ in REFUSED} <= {site.name for site in ON_SLURM}


def refused(words: list[str]) -> str:
    asked = ["sbatch", "--test-only", *words, "--wrap=true"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode != 0, words
    return done.stderr
