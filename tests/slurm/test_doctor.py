"""`isthmus doctor` on a real Slurm: what it reads is what the cluster was made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.cli.main import main
from isthmus.doctor import host
from isthmus.sites.load import load_site, read_site
from slurm.cluster import Cluster
from slurm.layout import GENERIC


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody outside is asked; the probe's process does as it likes."""
    monkeypatch.setattr(host, "has_internet", lambda: False)


def test_a_generic_cluster(generic: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    facts = tmp_path / "facts.yaml"
    words = ["doctor", "--profile", "slurm", "--account", "project_465", "--probe"]
    code = main([*words, "--folder", str(tmp_path), "--facts", str(facts)])
    told = capsys.readouterr()
    assert "fine: Slurm: cluster " in told.out
    assert f"{tmp_path} is seen by node " in told.out
    cores = GENERIC.nodes[0].cores
    # The generic site asks for 16 cores a pack.
    assert code == (cores < 16)
    assert ("packs.cores: the site's file says 16" in told.err) == (cores < 16)
    made, shared = read_site(facts), GENERIC.partitions[0]
    assert (made.node.cores.value, made.node.cores.status) == (cores, "verified")
    assert made.packs.max_minutes.value == shared.max_minutes
    assert made.packs.max_jobs_submitted.value == shared.limits.max_submitted
    assert made.packs.whole_node.value is False
    assert made.node.architecture.status == "verified"
    assert load_site(str(facts)).machine().cores == min(cores, 16)
    assert generic.jobs() == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["facts.yaml"]


def test_a_silent_controller(generic: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    generic.stop_controller()
    try:
        assert main(["doctor", "--profile", "slurm", "--folder", str(tmp_path)]) == 1
    finally:
        generic.start_controller()
    assert "error: Slurm: it does not answer" in capsys.readouterr().err
