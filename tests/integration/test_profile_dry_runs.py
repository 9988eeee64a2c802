"""Every profile shows the whole run without running it, with what its site asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from study import REPOSITORY, SNAKEMAKE, Study, command
from tissue_sample import write_sample

from isthmus.plan.rules import LIGHT, OF_OMICS, OF_READS, PER_PLATE, POOLED, WITHOUT_IMAGE
from isthmus.sites.load import load_site, site_of_profile
from isthmus.sites.profile import queue_of

PROFILES = sorted(path.parent for path in (REPOSITORY / "profiles").glob("*/config.yaml"))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("dry") / "study"
    return Study(folder, [write_sample(folder)], {"execution": {"block_px": 256, "packs": 2}})


def resources_of(text: str) -> dict[str, str]:
    """The resources that a dry run shows, by rule."""
    found = re.findall(
        r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    resources: (.*)$", text, flags=re.MULTILINE
    )
    return dict(found)


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.name)
def test_a_dry_run_with_a_profile(study: Study, profile: Path):
    ended = command(
        [*SNAKEMAKE, "--configfile", str(study.config), "--profile", str(profile), "--dry-run"], study.folder
    )
    assert ended.code == 0, ended.text
    shown = resources_of(ended.out + ended.err)
    without_work = {*WITHOUT_IMAGE, *OF_READS, *PER_PLATE, *OF_OMICS}
    rules = {*POOLED, *LIGHT} - without_work
    assert set(shown) - {"all"} == rules  # the study has an image, no plate and no tables of other omics
    assert not study.results.exists()
    site = site_of_profile(profile)
    if site is None:
        assert load_site({"default": "laptop"}.get(profile.name, profile.name)).scheduler == "none"
        return
    for rule in rules:
        queue = queue_of(site, rule)
        for name, value in (("slurm_partition", queue.partition.value), ("qos", queue.qos.value)):
            assert (f"{name}={value}," in f"{shown[rule]},") == (value is not None), rule
        if site.submission.memory_is_asked.value is False:
            assert "mem_mb=0," in shown[rule], rule
