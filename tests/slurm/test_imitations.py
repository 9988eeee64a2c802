"""Each profile runs a pack on an imitation of its own system; what the system would refuse is refused before."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from study import Study
from tissue_sample import write_sample

from isthmus.sites.load import load_site, site_names
from isthmus.sites.model import Site
from slurm.cluster import Cluster
from slurm.imitation import account_of, imitate

ON_SLURM = [name for name in site_names() if load_site(name).scheduler == "slurm"]
PACK = "work/a/segment_pack/1-of-1.json"


@pytest.fixture(scope="session")
def surveyed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A small sample, imported and surveyed here: what is left to do first is one pack of pass 1."""
    folder = tmp_path_factory.mktemp("surveyed") / "study"
    study = Study(folder, [write_sample(folder)], {"execution": {"block_px": 512, "packs": 1}})
    ended = study.run(until=["work/a/survey.json"])
    assert ended.code == 0, ended.text
    return study


@pytest.fixture
def copied(surveyed: Study, tmp_path: Path) -> Study:
    """A copy of it, modification times kept."""
    shutil.copytree(surveyed.folder, tmp_path / "study", symlinks=True)
    return Study(tmp_path / "study", surveyed.rows, surveyed.options)


def options(site: Site, account: str = "") -> list[str]:
    return ["--profile", site.name, "--account", account or account_of(site)]


@pytest.mark.parametrize("name", ON_SLURM)
def test_a_pack_runs_on_an_imitation_of_its_system(cluster: Cluster, copied: Study, name: str):
    site = load_site(name)
    cluster.load(imitate(site))
    ended = copied.run(until=[PACK], also=options(site))
    assert ended.code == 0, ended.text
    assert (copied.results / PACK).exists()
    fields = ("JobID", "State", "Partition", "Account", "AllocCPUS", "AllocTRES")
    (job,) = cluster.accounting(*fields, since=f"now-{int(ended.seconds) + 5}seconds")
    _, state, partition, account, cpus, tres = job
    assert (state, account) == ("COMPLETED", account_of(site))
    assert partition == (site.packs.partition.value or "general")
    threads = site.node.threads_per_core.value or 1
    if site.packs.whole_node.value:
        assert int(cpus) == (site.node.cores.value or 1) * threads
    if site.gpus_per_pack:
        assert f"gres/gpu={site.gpus_per_pack}" in tres.replace("gres/gpu:", "gres/gpu-")


def sbatch(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sbatch", "--test-only", *words, "--wrap=true"], capture_output=True, text=True, check=False
    )


def refused(words: list[str]) -> str:
    done = sbatch(*words)
    assert done.returncode != 0, words
    return done.stderr


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("lumi_c", ["--partition=standard"], "give an account"),
        ("lumi_c", ["--account=project_465000000"], "give a partition"),
        ("lumi_c", ["--account=project_465000000", "--partition=standard", "--time=2881"], "2880 minutes"),
        ("mn5_gpp", ["--account=project_465", "--partition=gpp", "--qos=gp_ehpc", "--mem=1000"], "memory"),
        ("mn5_gpp", ["--account=project_465", "--partition=gpp"], "give a QOS"),
        ("deucalion", ["--account=project_a", "--partition=normal-x86"], "end with x"),
    ],
)
def test_an_imitation_refuses_what_its_system_refuses(
    cluster: Cluster, name: str, words: list[str], told: str
):
    cluster.load(imitate(load_site(name)))
    assert told in refused(words)
