"""`isthmus doctor`: what is read from Slurm, how it stands beside a site's file, and what a probe job tells."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.cli.main import main
from isthmus.doctor import host, node, place, scheduler
from isthmus.doctor.finding import Examination
from isthmus.doctor.probe import Probe
from isthmus.launch.room import Quota, parse_quota
from isthmus.sites.load import load_site, read_site

Fake = Callable[..., None]

PARTITIONS = """
PartitionName=standard Default=NO QoS=std MaxTime=2-00:00:00 OverSubscribe=EXCLUSIVE State=UP TotalNodes=1376
PartitionName=small Default=YES QoS=N/A MaxTime=UNLIMITED OverSubscribe=NO State=UP TotalNodes=200 MaxMemPerNode=200000
"""
CONFIG = "Configuration data as of now\nClusterName             = lumi\nSLURM_VERSION           = 23.02.7\n"
NODES = "256|2|64|2|239000|(null)\n256|2|64|2|239000|(null)\n256|2|64|2|500000|gpu:a100:4(S:0-1)\n"
PLAIN_NODE = "64|2|32|1|257000|(null)"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Puts commands on the PATH: the body of a shell script by the command's name."""
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr(host, "has_internet", lambda: True)

    def put(**bodies: str) -> None:
        for name, body in bodies.items():
            (tools / name).write_text(f"#!/bin/bash\n{body}\n")
            (tools / name).chmod(0o755)

    put(
        scontrol=f"case $* in *partition*) cat <<'E'\n{PARTITIONS}E\n;; *) cat <<'E'\n{CONFIG}E\nesac",
        sinfo=f"cat <<'E'\n{NODES}E",
        sacctmgr="case $* in *qos*) echo 'std|1-00:00:00|90|110'; echo 'normal|||' ;;"
        " *) echo 'project_465000001||80||normal|normal' ;; esac",
        sbatch="case $* in *--account=project_465*) exit 0;; *) echo 'sbatch: error: no account' >&2; exit 1; esac",
        squeue="true",
        scancel="true",
        sacct="true",
    )
    return put


def doctor(folder: Path, *words: str) -> int:
    return main(["doctor", "--folder", str(folder), "--facts", str(folder / "facts.yaml"), *words])


def test_a_laptop_says_what_was_not_checked(
    tmp_path: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor(tmp_path) == 0
    told = capsys.readouterr()
    assert "not checked: scheduler, partitions, limits, compute nodes: jobs are processes of this" in told.out
    assert told.err == ""
    assert [path.name for path in tmp_path.iterdir()] == ["tools"]


def test_a_site_is_compared_and_measured(
    tmp_path: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor(tmp_path, "--site", "lumi_c", "--account", "project_465000001") == 1
    told = capsys.readouterr()
    assert told.err.splitlines() == [
        "error: packs.max_minutes: the site's file says 2,880 (documented), the machine 1,440;"
        " use the file with the measured facts",
        "error: packs.max_jobs_submitted: the site's file says 120 (documented), the machine 110;"
        " use the file with the measured facts",
        "error: packs.max_jobs_running: the site's file says 100 (documented), the machine 80;"
        " use the file with the measured facts",
        "error: light.memory_mb: the site's file says 229,376 (documented), the machine 200,000;"
        " use the file with the measured facts",
        "error: light.max_jobs_running: the site's file says 200 (documented), the machine 80;"
        " use the file with the measured facts",
    ]
    assert "fine: Slurm: cluster lumi answers, version 23.02.7" in told.out
    assert "unknown until now: node.cpus_per_core = 2" in told.out
    assert "not checked: compute nodes" in told.out
    made, before = read_site(tmp_path / "facts.yaml"), load_site("lumi_c")
    assert (made.node.cpus_per_core.value, made.node.cpus_per_core.status) == (2, "verified")
    assert (made.packs.max_minutes.value, made.packs.max_minutes.status) == (1440, "verified")
    assert (made.packs.whole_node.value, made.packs.whole_node.status) == (True, "verified")
    assert made.submission.account_required.status == "verified"
    assert made.storage == before.storage
    assert made.packs.memory_mb == before.packs.memory_mb
    assert load_site(str(tmp_path / "facts.yaml")).machine().max_jobs_running == 80


def test_what_would_be_refused_is_told(
    tmp_path: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor(tmp_path, "--site", "lumi_c") == 1
    told = capsys.readouterr().err
    assert "error: account: LUMI-C takes no job without one; give it: isthmus doctor --account NAME" in told
    assert "would be refused (no account); give --account" in told
    assert read_site(tmp_path / "facts.yaml").submission.account_required.status == "documented"


@pytest.mark.parametrize(
    ("bodies", "told"),
    [
        (
            {"scontrol": "echo 'Unable to contact slurm controller' >&2; exit 1"},
            "Slurm: it does not answer (Unable",
        ),
        ({"sinfo": "true"}, "partition standard: it has no nodes"),
        (
            {"scontrol": "case $* in *part*) echo PartitionName=standards State=DOWN;; esac"},
            "this cluster has no partition 'standard'; did you mean 'standards'?",
        ),
    ],
)
def test_a_cluster_that_is_not_as_it_should(
    tmp_path: Path, fake: Fake, bodies: dict[str, str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(**bodies)
    assert doctor(tmp_path, "--site", "lumi_c", "--account", "project_465000001") == 1
    assert told in capsys.readouterr().err


def test_no_accounting_is_no_fault(tmp_path: Path, fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake(
        sinfo=f"echo '{PLAIN_NODE}'",
        sbatch="true",
        sacctmgr="echo 'sacctmgr: error: accounting storage is disabled' >&2; exit 1",
    )
    assert doctor(tmp_path, "--profile", "slurm", "--account", "project_465") == 0
    assert "not checked: partition small: limits of users: sacctmgr: error" in capsys.readouterr().out


PROBE = """
case $* in
  *--test-only*) exit 0 ;;
  *) sh >/dev/null 2>&1; echo 77 ;;
esac
"""


def test_a_probe_tells_of_a_node(tmp_path: Path, fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    """The job runs here and now; afterwards nothing of it is left."""
    fake(sbatch=PROBE, sinfo=f"echo '{PLAIN_NODE}'")
    assert doctor(tmp_path, "--profile", "slurm", "--probe") == 0
    out = capsys.readouterr().out
    assert f"fine: shared file system: {tmp_path} is seen by node " in out
    assert "hardware threads for the job" in out
    made = read_site(tmp_path / "facts.yaml")
    assert made.node.architecture.status == made.software.internet_on_nodes.status == "verified"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["facts.yaml", "tools"]


@pytest.mark.parametrize(
    ("squeue", "patience_s", "told"),
    [
        ("true", 9.0, "job 77 ended (state unknown), and nothing of it is seen in"),
        ("echo '77|PENDING|Priority|'", 0.0, "job 77 gave no answer within 0 min"),
    ],
)
def test_a_probe_without_an_answer(
    tmp_path: Path,
    fake: Fake,
    monkeypatch: pytest.MonkeyPatch,
    squeue: str,
    patience_s: float,
    told: str,
) -> None:
    monkeypatch.setattr("isthmus.doctor.probe._FILES_APPEAR_S", 0.0)
    monkeypatch.setattr("isthmus.doctor.probe._LOOK_EVERY_S", 0.01)
    fake(sbatch="echo 77", squeue=squeue, scancel=f"echo $* >> {tmp_path}/cancelled")
    found = Examination()
    Probe(load_site("slurm"), tmp_path, "", patience_s=patience_s).examine(found)
    assert told in str(found.remarks[0])
    assert (tmp_path / "cancelled").read_text() == "--quiet 77\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cancelled", "tools"]


def test_a_probe_that_fails_on_its_node(tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.doctor.probe._FILES_APPEAR_S", 0.0)
    monkeypatch.setattr("isthmus.doctor.probe._LOOK_EVERY_S", 0.01)
    log = 'for word in "$@"; do case $word in --output=*) echo "python: not found" > ${word#--output=} ;; esac; done'
    fake(sbatch=f"{log}; echo 77", sacct="echo '77|FAILED'")
    found = Examination()
    Probe(load_site("slurm"), tmp_path, "").examine(found)
    assert "the job failed on its node (FAILED): python: not found" in str(found.remarks[0])


@pytest.mark.parametrize(("site", "first"), [("deucalion", "#!/bin/bash -l"), ("lumi_c", "#!/bin/sh")])
def test_jobs_that_are_asked_for_are_scripts_as_the_site_wants_them(
    tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch, site: str, first: str
) -> None:
    monkeypatch.setenv("LEAVINGS_OF_A_LOGIN", "1")
    fake(sbatch=f"env > {tmp_path}/environment; head -n 1 >> {tmp_path}/first; echo 77")
    facts = load_site(site)
    assert scheduler.would_take(["--account=a"], facts.interpreter) == ""
    Probe(facts, tmp_path, "", patience_s=0.0).examine(Examination())
    assert (tmp_path / "first").read_text().splitlines() == [first, first]
    assert "LEAVINGS_OF_A_LOGIN" not in (tmp_path / "environment").read_text()


def test_what_a_node_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "has_internet", lambda: False)
    (tmp_path / node.ASKED).write_text("token")
    assert node.main([str(tmp_path)]) == 0
    text = (tmp_path / node.ANSWER).read_text()
    assert '"read": "token"' in text
    assert '"internet": false' in text


@pytest.mark.parametrize(
    ("gres", "known"),
    [
        ("(null)", (0, "")),
        ("gpu:a100:4(S:0-1)", (4, "a100")),
        ("gpu:8", (8, "")),
        ("gpu:mi250:8,nvme:1", (8, "mi250")),
        ("gpu", (1, "")),
        ("gpu:a100:2,gpu:v100:1", (3, "a100 v100")),
        ("shard:gpus:3", (0, "")),
    ],
)
def test_gpus_in_slurms_words(gres: str, known: tuple[int, str]) -> None:
    assert scheduler.gpus_of(gres) == known


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("/scratch 1234 0 0 - 45678 0 2000000 -\n", (1234, 0, 45678, 2_000_000)),
        ("/a/very/long/name\n      1234* 1000 1200 6d 45678* 0 50000 -\n", (1234, 1200, 45678, 50_000)),
        ("/scratch [1] 2000 0 - 7 300 0 -\n", (1, 2000, 7, 300)),
        ("/scratch 1 0 0 - 7 0 0 -\n", (1, 0, 7, 0)),
        ("", None),
        ("no quota here for nobody at all today\n", None),
    ],
)
def test_quota_on_lustre(text: str, known: tuple[int, ...] | None) -> None:
    assert parse_quota(text) == (Quota(*known) if known else None)


def test_the_cache_of_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "new" / "cache"))
    assert host.kernel_cache() == (tmp_path / "new" / "cache", True)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert host.kernel_cache()[1] is False
    found = Examination()
    place.examine_cache(found, "node", "/x", writable=False)
    assert "error: compiled kernels, node: /x cannot be written" in str(found.remarks[0])


@pytest.mark.parametrize(("skew_s", "told"), [(0.4, "within"), (-90.0, "90 s behind"), (None, "no file")])
def test_clocks(skew_s: float | None, told: str) -> None:
    found = Examination()
    place.examine_clock(found, "clock", skew_s)
    assert told in str(found.remarks[0])


def test_the_clock_of_this_machine_is_its_own(tmp_path: Path) -> None:
    assert abs(host.clock_skew_s(tmp_path) or 0.0) < 1.0
    assert host.clock_skew_s(tmp_path / "absent") is None


def test_gpus_of_a_machine(fake: Fake) -> None:
    fake(**{"nvidia-smi": "echo 'GPU 0: NVIDIA A100 (UUID: x)'; echo 'GPU 1: NVIDIA A100 (UUID: y)'"})
    assert len(host.gpus()) == 2
    fake(**{"nvidia-smi": "echo 'No devices were found'; exit 6", "rocm-smi": "exit 1"})
    assert host.gpus() == []


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--folder", str(tmp_path / "absent")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
