"""Facts of sites: read strictly, told of in one line a fault, and made into machines."""

from __future__ import annotations

import pytest
import yaml

from isthmus.errors import UserError
from isthmus.launch.preflight import _faults_of_slurm
from isthmus.launch.profile import read_profile
from isthmus.launch.site import machine_of_resources
from isthmus.sites.account import check_account, snakemake_options
from isthmus.sites.document import main
from isthmus.sites.load import FOLDER, load_site, read_site, site_of_profile


class Unevaluated:
    """A default resource as Snakemake has it before any rule: it has no value yet."""

    def __init__(self, raw):
        self.raw = raw

    @property
    def value(self):
        raise ValueError("only within a rule")


@pytest.fixture
def own(tmp_path):
    """Writes a site's file with something changed, and reads it."""

    def make(change):
        facts = yaml.safe_load((FOLDER / "lumi_c.yaml").read_text(encoding="utf-8"))
        change(facts)
        path = tmp_path / "own.yaml"
        path.write_text(yaml.safe_dump(facts))
        return path

    return make


def lines_of(path) -> list[str]:
    with pytest.raises(UserError) as caught:
        read_site(path)
    return str(caught.value).splitlines()


def test_all_faults_are_told_at_once_with_file_and_key(own):
    def change(facts):
        facts["packs"]["max_minuts"] = facts["packs"].pop("max_minutes")
        facts["node"]["cores"]["value"] = "many"
        facts["light"]["qos"]["status"] = "sure"
        facts["schedular"] = "slurm"
        del facts["submission"]["qos_required"]["source"]

    lines = lines_of(own(change))
    assert len(lines) == 6
    text = "\n".join(lines)
    assert "own.yaml: schedular: unknown key; did you mean 'scheduler'?" in lines
    assert "own.yaml: packs.max_minuts: unknown key; did you mean 'max_minutes'?" in lines
    assert "own.yaml: packs.max_minutes: is missing; give it: Longest wall time, minutes." in lines
    assert "own.yaml: node.cores.value: found 'many'; expected a whole number" in lines
    assert "own.yaml: light.qos.status: found 'sure'; known are documented, third-party, unknown" in text
    assert "own.yaml: submission.qos_required: " in text
    assert "give source" in text


@pytest.mark.parametrize(
    ("fact", "told"),
    [
        ({"value": 3, "status": "unknown"}, "what is unknown has no value"),
        ({"value": 3, "status": "documented", "source": "a page", "date": "May"}, "give date as YYYY"),
        ({"value": 3, "status": "documented", "source": "", "date": "2026"}, "give source"),
        (
            {"value": True, "status": "documented", "source": "a page", "date": "2026"},
            "expected a whole number",
        ),
        ({"status": "documented", "source": "a page", "date": "2026"}, "is missing"),
        (120, "expected a section"),
    ],
)
def test_a_fact_says_where_it_is_from(own, fact, told):
    lines = lines_of(own(lambda facts: facts["packs"].update(max_jobs_submitted=fact)))
    assert len(lines) == 1
    assert lines[0].startswith("own.yaml: packs.max_jobs_submitted")
    assert told in lines[0]


def test_a_site_that_there_is_not(tmp_path):
    with pytest.raises(UserError, match="there is no site 'lumi'.*did you mean 'lumi_"):
        load_site("lumi")
    (tmp_path / "config.yaml").write_text("jobs: 3\n")
    assert site_of_profile(tmp_path) is None
    assert site_of_profile(tmp_path / "nowhere") is None


def test_what_a_plan_needs_of_a_machine_with_whole_nodes():
    machine = load_site("lumi_c").machine()
    assert (machine.cores, machine.billed_cores, machine.memory_mb) == (128, 128, 224 * 1024)
    assert (machine.max_minutes, machine.light_max_minutes) == (2 * 24 * 60, 3 * 24 * 60)
    assert (machine.max_jobs_submitted, machine.max_jobs_running) == (120, 100)
    assert machine.max_files == 2_000_000
    assert machine.light_billed_cores is None
    assert machine.unknown == ()


def test_what_nobody_has_said_stays_unknown():
    machine = load_site("jupiter").machine()
    assert machine.memory_mb is None
    assert {"memory_mb", "max_minutes", "max_jobs_submitted"} <= set(machine.unknown)
    assert load_site("leonardo_dcgp").machine().memory_mb == int(512e9 / 2**20 * 0.8)


def test_a_pack_with_gpus_has_the_cores_that_come_with_them():
    assert [load_site(name).machine().gpus for name in ("lumi_g", "mn5_acc", "lumi_c")] == [8, 1, 0]
    assert [load_site(name).machine().cores for name in ("lumi_g", "mn5_acc")] == [56, 20]


def test_an_account_is_asked_for_and_looked_at():
    with pytest.raises(UserError, match="takes no job without one.*such|takes no job without one; give it"):
        check_account(load_site("lumi_c"), "")
    with pytest.raises(UserError, match="end with 'x'"):
        check_account(load_site("deucalion"), "project_a")
    check_account(load_site("deucalion"), "project_x")
    check_account(load_site("slurm"), "")


def test_the_qos_follows_the_account_where_it_has_its_name():
    options = snakemake_options(load_site("discoverer"), "p1")
    assert options == ["--isthmus-slurm-account", "p1", "--isthmus-slurm-qos", "p1"]
    assert snakemake_options(load_site("vega"), "p1") == ["--isthmus-slurm-account", "p1"]
    assert snakemake_options(None, "p1") == ["--isthmus-slurm-account", "p1"]
    assert snakemake_options(load_site("laptop"), "p1") == snakemake_options(load_site("vega"), "") == []


def test_a_site_of_ones_own_needs_one_file(tmp_path, capsys):
    sites = tmp_path / "resources" / "sites"
    sites.mkdir(parents=True)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "README.md").write_text(
        "before\n<!-- sites: made by `make profiles`, do not edit -->\n<!-- end of sites -->\nafter\n"
    )
    (sites / "ours.yaml").write_text(
        (FOLDER / "vega.yaml").read_text(encoding="utf-8").replace("title: Vega", "title: Ours")
    )
    assert main([str(tmp_path)]) == 0
    profile = yaml.safe_load((tmp_path / "profiles" / "ours" / "config.yaml").read_text())
    assert profile["default-resources"]["isthmus_site"] == "ours"
    page = (tmp_path / "profiles" / "README.md").read_text()
    assert "| `ours` | Ours (cpu) |" in page
    assert page.startswith("before")
    assert page.endswith("after\n")
    (sites / "ours.yaml").write_text("title: Ours\n")
    assert main([str(tmp_path)]) == 1
    assert "ours.yaml: packs: is missing" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "account"), [("lumi_c", ""), ("deucalion", "project_a")])
def test_a_run_without_a_fit_account_is_refused_before_slurm_is_asked(name, account):
    faults = list(_faults_of_slurm(read_profile(FOLDER.parents[1] / "profiles" / name), account))
    assert [fault.where for fault in faults] == ["account"]


@pytest.mark.parametrize("written", ["mn5_gpp", "'mn5_gpp'", Unevaluated("mn5_gpp")])
def test_plain_snakemake_finds_the_machine_in_its_default_resources(written):
    machine = machine_of_resources({"isthmus_site": written})
    assert machine.name == "MareNostrum 5 GPP"
    assert machine_of_resources({"mem_mb": 3}) is machine_of_resources(None) is None
    assert machine_of_resources({"isthmus_site": "laptop"}) is None
