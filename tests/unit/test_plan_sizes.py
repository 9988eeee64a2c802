"""Sizes that a plan rests on: pieces, what blocks read, cells, transcripts; and the fit of the constants."""

from __future__ import annotations

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planned import LUMI, PLATE, SLIDE, plan_of

from isthmus.blocks.grid import Grid
from isthmus.cli.plan_text import plan_lines
from isthmus.config.models import Settings
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader, PointsPart
from isthmus.launch.site import machine_of_profile, machine_of_resources, machine_of_site
from isthmus.launch.sizes import borders_of, count_transcripts, this_machine
from isthmus.plan.calibrate import Seen, fit
from isthmus.plan.cost import ALL_TERMS, KINDS, constants, cost, terms
from isthmus.plan.files import files_of
from isthmus.plan.layout import default_piece_px, read_pixels
from isthmus.plan.machine import Machine
from isthmus.plan.rules import PER_RUN, PER_SAMPLE
from isthmus.plan.size import Size


@pytest.mark.parametrize(
    ("shape", "n_images", "piece"),
    [
        ((1, 500, 500), 1, (1, 1024, 1024)),
        ((1, 32_768, 32_768), 1, (1, 1024, 1024)),
        ((1, 32_769, 32_768), 1, (1, 2048, 2048)),
        ((1, 100_000, 100_000), 1, (1, 4096, 4096)),
        ((1, 400_000, 400_000), 1, (1, 4096, 4096)),
        ((1, 2160, 2160), 100, (1, 1024, 1024)),
        ((1, 2160, 2160), 3456, (1, 4096, 4096)),
        ((40, 9_000, 9_000), 1, (64, 512, 512)),
    ],
)
def test_large_images_are_cut_into_larger_pieces(shape, n_images, piece):
    assert default_piece_px(shape, n_images) == piece


@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 40)),
    block=st.tuples(st.integers(1, 3), st.integers(1, 16), st.integers(1, 16)),
    border=st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 9)),
)
def test_what_blocks_read_is_counted_exactly(shape, block, border):
    grid = Grid(shape, block)
    read = [grid.block(index).read(border, shape).size for index in range(grid.n_blocks)]
    total, largest = read_pixels(grid, border)
    assert total == sum(read)
    assert largest >= max(read)
    if grid.n_blocks == 1:
        assert largest == max(read)


def test_wider_borders_and_more_channels_cost_more():
    settings = Settings(samples="samples.tsv")
    narrow, wide = (
        borders_of(
            settings.model_copy(update={"cells": settings.cells.model_copy(update={"expand_um": um})}),
            SLIDE.header,
        )
        for um in (3.0, 20.0)
    )
    assert narrow.halo_px == wide.halo_px
    assert wide.growth_px[1] > narrow.growth_px[1] >= 3.0 / 0.2125
    assert narrow.bin_px == (1, 2, 2)  # 0.2125 um is finer than a nucleus of 8 um needs


def test_blocks_that_read_more_need_more_memory_and_time():
    tissue, large = plan_of(SLIDE).rules, plan_of(SLIDE, preset="uneven_background").rules
    assert large["segment_pack"].worker_mb > tissue["segment_pack"].worker_mb
    assert large["segment_pack"].cpu_hours > tissue["segment_pack"].cpu_hours


def test_cells_are_expected_where_nobody_has_counted_them():
    plan = plan_of(SLIDE)
    area_mm2 = (100_000 * 0.2125e-3) ** 2
    assert plan.samples["a"].n_instances == pytest.approx(area_mm2 * 1e6 / 12**2, rel=1e-3)
    in_dish, crowded = (
        plan_of(PLATE, preset=preset).samples["a"].n_instances for preset in ("culture", "tissue")
    )
    assert in_dish > 1_000_000
    assert crowded == pytest.approx(4 * in_dish, rel=1e-3)


def _points(*files):
    return PointsPart(columns=("x_um", "y_um", "gene"), batches=lambda n: iter(()), files=files)


def test_transcripts_are_counted_without_reading_them(tmp_path):
    n = 50_000
    table = pa.table(
        {"x": np.arange(n) * 0.37, "y": np.arange(n) * 1.21, "gene": [f"G{i % 7}" for i in range(n)]}
    )
    pq.write_table(table, tmp_path / "t.parquet")
    pyarrow.csv.write_csv(table, tmp_path / "t.csv")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    assert count_transcripts(_points(tmp_path / "t.parquet")) == n
    assert count_transcripts(_points(tmp_path / "t.csv")) == pytest.approx(n, rel=0.05)
    assert count_transcripts(_points(tmp_path / "t.csv.gz")) == pytest.approx(n, rel=0.05)
    assert count_transcripts(_points(tmp_path / "t.parquet", tmp_path / "t.parquet")) == 2 * n


@pytest.mark.parametrize(
    ("name", "content"), [("t.parquet", b"PAR1"), ("t.csv.gz", b"plain"), ("t.zarr.zip", b"x")]
)
def test_transcripts_that_cannot_be_counted_are_unknown(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert count_transcripts(_points(tmp_path / name)) is None


def test_a_short_text_is_counted_to_the_row(tmp_path):
    (tmp_path / "t.csv").write_text("x,y,gene\n1,2,A\n3,4,B\n")
    assert count_transcripts(_points(tmp_path / "t.csv")) == 2


def test_every_rule_has_constants_and_every_term_a_size():
    sizes = terms(Size.of(plan_of(SLIDE).samples["a"], plan_of(SLIDE).settings))
    assert set(sizes) >= ALL_TERMS
    for rule in (*PER_SAMPLE, *PER_RUN):
        assert cost("cpu_s", rule, sizes) > 0, rule
        assert cost("fixed_mb", rule, sizes) + cost("worker_mb", rule, sizes) > 0, rule
    for kind, rules in KINDS.items():
        for rule, factors in constants()[kind].items():
            assert set(factors) <= set(rules[rule])
            assert all(factor > 0 for factor in factors.values())


def test_constants_come_back_from_what_they_make():
    true = {"job": 2.0, "mrows": 0.4}
    seen = [
        Seen("cpu_s", "import_transcripts", {"job": 1.0, "mrows": rows}, true["job"] + true["mrows"] * rows)
        for rows in (0.1, 1.0, 30.0)
    ]
    assert fit(seen)["cpu_s"]["import_transcripts"] == pytest.approx(true)
    assert fit(seen)["cpu_s"]["stitch_labels"] == {}


def test_files_follow_the_geometry():
    plan = plan_of(SLIDE, execution={"packs": 4})
    sample = plan.samples["a"]
    labels = 625 + 25 + 2 + 1  # shards, folders of rows, array and `c`, metadata
    assert files_of("quantify_pack", sample) - files_of("segment_pack", sample) == pytest.approx(
        labels, abs=3
    )
    fewer = plan_of(SLIDE, execution={"packs": 1}).samples["a"]
    assert files_of("segment_pack", sample) - files_of("segment_pack", fewer) == 3 * 7


def test_the_machine_of_a_site_a_profile_or_this_one(tmp_path):
    lumi = machine_of_site("lumi_c")
    assert (lumi.cores, lumi.billed_cores, lumi.max_jobs_submitted) == (128, 128, 120)
    assert lumi.job_start_s == LUMI.job_start_s == 5.0  # one start of Snakemake, not two
    assert machine_of_resources({"isthmus_site": "lumi_c"}) == lumi
    assert machine_of_resources({"isthmus_site": "laptop"}) is None
    assert machine_of_resources({}) is None
    assert machine_of_resources(None) is None
    (tmp_path / "config.yaml").write_text("cores: 2\n")
    assert machine_of_profile(tmp_path) is None
    (tmp_path / "config.yaml").write_text("default-resources:\n  isthmus_site: lumi_c\n")
    assert machine_of_profile(tmp_path) == lumi
    assert this_machine(3).cores == 3


def test_the_text_says_what_is_unknown_and_what_is_idle():
    lines = list(plan_lines(plan_of(SLIDE, machine=LUMI)))
    assert any("of what whole nodes are billed for is work" in line for line in lines)
    assert lines[-1] == "no known limit is broken"
    shared = list(plan_lines(plan_of(SLIDE, machine=Machine(unknown=("max_files",)))))
    assert not any("is work" in line for line in shared)
    assert "unknown limits of this machine: files" in shared
    many = list(plan_lines(plan_of(SLIDE, n=20)))
    assert "... and 8 more samples" in many


def test_blocks_and_packs_stay_when_their_choice_would_change():
    first = plan_of(SLIDE, execution={"block_px": 2048, "packs": 7})
    again = plan_of(SLIDE, previous=first)
    assert again.samples["a"].block_px == (1, 2048, 2048)
    assert again.samples["a"].packs == 7
    header = ImageHeader((4, 1, 90_000, 90_000), "uint16", SLIDE.header.channels, Affine.from_size(0.2125))
    other = plan_of(SLIDE, previous=first, header=header)
    assert other.samples["a"].block_px == (1, 4096, 4096)
    assert other.samples["a"].packs == 1
