"""Profiles are in step with the facts of their sites, and name what exists."""

from __future__ import annotations

from itertools import chain

import pytest
import yaml
from repo_files import ROOT
from test_rules import RULES

from isthmus.plan.rules import GPU, LIGHT, POOLED
from isthmus.sites.document import documents
from isthmus.sites.load import load_site, site_names, site_of_profile
from isthmus.sites.profile import queue_of

PROFILES = ROOT / "profiles"
EUROHPC = {
    *("lumi_c", "lumi_g", "leonardo_dcgp", "leonardo_booster", "mn5_gpp", "mn5_acc", "meluxina", "karolina"),
    *("vega", "discoverer", "deucalion", "jupiter"),
}
ON_SLURM = sorted(name for name in site_names() if load_site(name).scheduler == "slurm")


def options_of(name: str) -> dict[str, object]:
    return yaml.safe_load((PROFILES / name / "config.yaml").read_text(encoding="utf-8"))


def test_profiles_are_in_step_with_the_facts():
    made = documents(ROOT)
    stale = [
        str(path.relative_to(ROOT))
        for path, text in made.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert not stale, "run `make profiles`"
    assert {path.parent.name for path in made} - {"profiles"} == {
        path.parent.name for path in PROFILES.glob("*/config.yaml")
    }


def test_every_system_has_a_profile():
    assert {"laptop", "slurm", "ci"} | EUROHPC <= set(site_names())


def test_the_lists_of_rules_are_those_of_the_workflow():
    assert {*POOLED, *LIGHT} == set(RULES)
    assert set(GPU) <= set(POOLED)


@pytest.mark.parametrize("name", ON_SLURM)
def test_a_profile_names_rules_that_exist_and_no_account(name):
    options = options_of(name)
    assert set(options.get("set-resources", {})) <= set(RULES)
    text = (PROFILES / name / "config.yaml").read_text(encoding="utf-8")
    assert "slurm_account" not in text
    assert options["executor"] == "isthmus-slurm"
    assert options["retries"] >= 1
    assert site_of_profile(PROFILES / name) == load_site(name)


@pytest.mark.parametrize("name", ON_SLURM)
def test_a_profile_keeps_below_the_limits_of_its_queues(name):
    site, options = load_site(name), options_of(name)
    for rule in chain(POOLED, LIGHT):
        queue = queue_of(site, rule)
        asked = {**options["default-resources"], **options.get("set-resources", {}).get(rule, {})}
        assert asked.get("slurm_partition") == queue.partition.value
        assert asked.get("qos") == queue.qos.value
        assert not queue.max_jobs_submitted.value or options["jobs"] < queue.max_jobs_submitted.value
        if site.submission.memory_is_asked.value is False:
            assert asked["mem_mb"] == 0


@pytest.mark.parametrize("name", ["mn5_gpp", "mn5_acc"])
def test_where_memory_may_not_be_asked_for_no_rule_does(name):
    own = options_of(name)["set-resources"]
    assert {rule for rule in own if own[rule]["mem_mb"] == 0} == set(RULES)


def test_whole_nodes_are_asked_for_with_all_their_memory():
    assert options_of("lumi_c")["set-resources"]["segment_pack"] == {
        "slurm_partition": "standard",
        "mem_mb": 224 * 1024,
    }
    assert "mem_mb" not in options_of("lumi_c")["set-resources"].get("stitch_labels", {})


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("lumi_g", {"slurm_partition": "standard-g", "slurm_extra": "'--gpus-per-node=8'"}),
        ("leonardo_booster", {"gres": "gpu:1", "cpus_per_task": "max(threads, 8)"}),
        ("jupiter", {"gpu": 4}),
    ],
)
def test_gpus_are_asked_for_in_the_words_of_the_site(name, asked):
    own = options_of(name)["set-resources"]
    assert own["segment_pack"] == asked
    assert not any({"gpu", "gres", "slurm_extra"} & set(of) for rule, of in own.items() if rule not in GPU)


def test_where_threads_are_counted_two_are_asked_for_a_core():
    assert options_of("vega")["default-resources"]["cpus_per_task"] == "2 * threads"


def test_the_table_has_a_row_for_each_profile():
    page = (PROFILES / "README.md").read_text(encoding="utf-8")
    names = {path.parent.name for path in PROFILES.glob("*/config.yaml")}
    assert [name for name in names if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("name", sorted(EUROHPC))
def test_what_an_imitation_has_tested_says_so(name):
    assert load_site(name).tested == "imitation only"
