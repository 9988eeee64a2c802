"""A slide larger than memory, of which there is nothing but a header: its plan, its files and its jobs."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planned import LUMI
from study import ISTHMUS, SNAKEMAKE, Study, command

from isthmus.image.affine import Affine
from isthmus.image.ome_zarr import create_level, write_image_metadata
from isthmus.launch.run import Run
from isthmus.launch.site import machine_of_site
from isthmus.plan.model import write_plan

SIDE = 100_000
CHANNELS = ["DAPI", "membrane", "18S", "vimentin"]


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """100,000 x 100,000 pixels, four channels: the metadata of an image without a single pixel."""
    folder = tmp_path_factory.mktemp("slide")
    image = folder / "slide.ome.zarr"
    create_level(
        image / "0",
        shape=(1, SIDE, SIDE),
        dtype=np.dtype(np.uint16),
        chunk=(1, 256, 256),
        shard=(1, 4096, 4096),
        n_channels=len(CHANNELS),
    )
    write_image_metadata(
        image,
        name="slide",
        is_volume=False,
        factors=[(1, 1, 1)],
        affine=Affine.from_size(0.2125),
        z_step_um=1.0,
        channels=CHANNELS,
    )
    table = pa.table({"x_um": [10.0], "y_um": [10.0], "gene": ["A"], "qv": [30.0]})
    pq.write_table(table, folder / "t.parquet")
    return Study(folder, [{"sample": "slide", "image": "slide.ome.zarr", "transcripts": "t.parquet"}])


def test_its_plan_takes_seconds_and_is_written(slide: Study) -> None:
    machine = machine_of_site("lumi_c")
    began = time.process_time()
    made = Run.from_files([slide.config], overrides={}, cwd=slide.folder, machine=machine).plan
    assert time.process_time() - began < 5  # of CPU: other programs do not count
    ended = command([*ISTHMUS, "plan", str(slide.config), "--site", "lumi_c"], slide.folder)
    assert ended.code == 0, ended.text
    assert "625 blocks of 4096 x 4096 pixels" in ended.out, ended.text
    plan = json.loads((slide.results / "plan.json").read_text())
    assert plan["machine"]["name"] == made.machine.name == "LUMI-C"
    assert sum(rule["jobs"] for rule in plan["rules"].values()) < 100
    files = sum(rule["files"] for rule in plan["rules"].values())
    assert files == sum(rule.files for rule in made.rules.values())
    assert files < 10_000
    assert f"{files:,}" in ended.out


def test_its_workflow_has_few_jobs(slide: Study) -> None:
    words = [*SNAKEMAKE, "-n", "--cores", "8", "--default-resources", "isthmus_site=lumi_c"]
    ended = command([*words, "--configfile", str(slide.config)], slide.folder)
    assert ended.code == 0, ended.text
    total = re.search(r"^total\s+(\d+)$", ended.out + ended.err, flags=re.MULTILINE)
    assert total, ended.text
    assert int(total[1]) < 100
    plan = json.loads((slide.results / "plan.json").read_text())
    assert plan["machine"]["name"] == "LUMI-C"
    assert int(total[1]) == sum(rule["jobs"] for rule in plan["rules"].values()) + 1  # and `all`
    assert Path(slide.results / "work").exists() is False


def test_a_plan_that_breaks_a_limit_says_which_and_ends_with_1(slide: Study) -> None:
    sites = Path(__file__).parents[2] / "resources" / "sites"
    few = slide.folder / "few_files.yaml"
    few.write_text(
        re.sub(
            r"max_files: \{value: 2000000,", "max_files: {value: 2000,", (sites / "lumi_c.yaml").read_text()
        )
    )
    fine = command([*ISTHMUS, "plan", str(slide.config), "--site", "lumi_c"], slide.folder)
    assert fine.code == 0, fine.text
    assert "for LUMI-C: 128 cores a job, 128 billed" in fine.out
    ended = command([*ISTHMUS, "plan", str(slide.config), "--site", str(few)], slide.folder)
    assert ended.code == 1, ended.text
    (line,) = [line for line in ended.out.splitlines() if line.startswith("limit broken: ")]
    assert "allows 2,000; set execution.block_px" in line


def test_a_site_that_there_is_not_is_told(slide: Study) -> None:
    ended = command([*ISTHMUS, "plan", str(slide.config), "--site", "elsewhere"], slide.folder)
    assert ended.code == 1
    assert "there is no site 'elsewhere'" in ended.err


def test_a_plan_binds_its_machine_and_once_a_run_has_begun_every_other(slide: Study) -> None:
    def packs(**options: Any) -> int:
        return (
            Run.from_files([slide.config], overrides={}, cwd=slide.folder, **options)
            .plan.sample("slide")
            .packs
        )

    explicit = {"execution.packs": 9}
    first = Run.from_files([slide.config], overrides=explicit, cwd=slide.folder, machine=LUMI)
    write_plan(first.plan, first.paths.plan)
    assert packs(machine=LUMI) == 9
    assert packs(cores=2) == 1
    first.paths.jobs.mkdir(parents=True)
    assert packs(cores=2) == 9
    shutil.rmtree(first.paths.work)


def test_what_a_head_has_started_takes_its_machine(slide: Study) -> None:
    run = Run.from_files([slide.config], overrides={}, cwd=slide.folder, machine=LUMI)
    code = (
        "import sys; from isthmus.launch.run import Run;"
        "print(Run.from_files([sys.argv[1]], overrides={}).plan.machine.name)"
    )
    words = [sys.executable, "-P", "-c", code, str(slide.config)]
    run.begin()
    try:
        below = command(words, slide.folder)
        assert below.out.strip() == "LUMI-C", below.text
        assert (
            Run.from_files([slide.config], overrides={}, cwd=slide.folder).plan.machine.name == "this machine"
        )
    finally:
        run.end()
    assert command(words, slide.folder).out.strip() == "this machine"
    shutil.rmtree(run.paths.work)
