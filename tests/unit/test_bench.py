"""The pure parts of the benchmark: scores, phases, tables, figures, and the page of results that are not whole."""

import importlib
import operator
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bench import about, page
from bench.clock import Phases
from bench.figures import IN_MEMORY, STAGES, Figures, at_least, at_most
from bench.ours import PHASES
from bench.ours_memory import counted_blocks
from bench.ours_transcripts import read_stages
from bench.rows import QUICK, REPEATS, Sizes, rows, select
from bench.score import drop_small, f1_score, matched, wrong_objects
from bench.text import number, table
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isthmus.blocks.grid import Grid

ROOT = Path(__file__).parents[2]
LABELS = hnp.arrays(np.int32, (6, 7), elements=st.integers(0, 5))


@given(LABELS, st.permutations(range(1, 6)))
def test_names_of_objects_do_not_matter(labels, order):
    renamed = np.array([0, *order])[labels]
    assert wrong_objects(renamed, labels) == 0
    assert f1_score(renamed, labels) == 1.0


@given(LABELS, LABELS)
def test_scores_are_what_pixels_say(one, other):
    pieces = [[one == k for k in range(1, 6) if (one == k).any()], [other == k for k in range(1, 6)]]
    pieces[1] = [piece for piece in pieces[1] if piece.any()]
    same = sum(any(np.array_equal(a, b) for a in pieces[0]) for b in pieces[1])
    assert wrong_objects(one, other) == len(pieces[1]) - same
    hits = sum((a & b).sum() / (a | b).sum() > 0.5 for a in pieces[0] for b in pieces[1])
    assert matched(one, other) == (hits, len(pieces[0]), len(pieces[1]))


def test_a_cut_object_is_wrong():
    whole = np.zeros((4, 8), dtype=np.int32)
    whole[1:3, 1:7] = 1
    whole[0, 0] = 2
    cut = whole.copy()
    cut[:, 4:][cut[:, 4:] > 0] = 3
    assert wrong_objects(cut, whole) == 1
    assert f1_score(cut, whole) == pytest.approx(2 / 5)


def test_images_of_other_shapes_and_low_overlaps_are_refused():
    with pytest.raises(ValueError, match="different shapes"):
        wrong_objects(np.zeros((2, 3), int), np.zeros((3, 2), int))
    with pytest.raises(ValueError, match="may match two"):
        f1_score(np.zeros((2, 2), int), np.zeros((2, 2), int), overlap=0.4)


def test_small_objects_are_dropped_and_nothing_else():
    labels = np.array([[1, 1, 2], [0, 1, 3], [3, 3, 3]])
    assert drop_small(labels, 3).tolist() == [[1, 1, 0], [0, 1, 3], [3, 3, 3]]


def test_inner_phases_do_not_count_for_outer_ones(monkeypatch):
    ticks = iter([0.0, 1.0, 4.0, 10.0])
    monkeypatch.setattr("bench.clock.own_cpu_s", lambda: next(ticks))
    phases = Phases()
    with phases.phase("outer"), phases.phase("inner"):
        pass
    assert phases.seconds == {"inner": 3.0, "outer": 7.0}


@pytest.mark.parametrize(
    "place", ["no.such.module:f", "bench.score:nothing", "bench.clock:Phases.nothing", "bench.clock:No.f"]
)
def test_what_is_not_there_cannot_be_watched(place):
    with pytest.raises(LookupError, match="is not there any more"):
        Phases().watch(place, "never")


def test_the_parts_of_both_passes_are_where_the_benchmark_looks():
    for places in PHASES.values():
        for place in places:
            module, _, path = place.partition(":")
            assert operator.attrgetter(path)(importlib.import_module(module))


def test_tables_hold_their_columns():
    made = table(["a", "b"], [["1", "x|y"]])
    assert made.splitlines() == ["| a | b |", "| --- | --- |", "| 1 | x/y |"]
    with pytest.raises(ValueError, match="1 cells under 2 headings"):
        table(["a", "b"], [["1"]])


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0"), (0.1234, "0.12"), (12.34, "12.3"), (1234.5, "1,234"), (27, "27")],
)
def test_numbers_have_the_digits_they_deserve(value, text):
    assert number(value) == text


def test_goals_have_a_side():
    assert [at_least(3).met(value) for value in (3, 2.9)] == [True, False]
    assert [at_most(3).met(value) for value in (3, 3.1)] == [True, False]
    assert (at_least(300_000).text, at_most(0.6).text) == (">= 300,000", "<= 0.6")


@pytest.mark.parametrize("sizes", [Sizes(), QUICK])
def test_rows_have_names_of_their_own_and_functions_that_exist(sizes):
    made = rows(sizes)
    keys = [row.key for row in made]
    assert len(set(keys)) == len(keys)
    for target in {row.target for row in made}:
        module, _, function = target.partition(":")
        text = (ROOT / "tests" / "bench" / f"{module}.py").read_text(encoding="utf-8")
        assert f"\ndef {function}(" in text


@pytest.mark.parametrize("sizes", [Sizes(), QUICK])
def test_all_rows_come_after_what_they_need(sizes):
    made, before = rows(sizes), set()
    assert select(made, "") == made
    for row in made:
        assert row.needs <= before, row.key
        before.add(row.key)


def test_some_rows_bring_what_they_need():
    keys = [row.key for row in select(rows(QUICK), "isthmus 512: pass 2")]
    assert keys == [
        "prepare tissue-1024",
        "method tissue-1024",
        "oracle tissue-1024",
        *(f"isthmus 512: {stage}" for stage in STAGES),
    ]
    assert select(rows(QUICK), "no such row") == []


def test_rows_that_count_are_repeated_alike():
    repeated = {
        row.repeats
        for row in rows(Sizes())
        if row.target.startswith(("peers", "measuring", "ours:", "ours_path:"))
    }
    assert repeated == {1, REPEATS}
    once = [row.key for row in rows(Sizes()) if row.repeats == 1]
    assert all(key.startswith(("prepare", "method", "warm", "run", "memory", "transcripts")) for key in once)


def test_the_page_says_where_its_numbers_come_from(tmp_path):
    one = {"cpu_s": 1.0, "peak_mb": 2.0, "files": 0, "values": {"f1": 0.9, "f1_baseline": 0.8}, "reason": ""}
    results = {
        "dsb": one | {"load": 1.25},
        "about": {
            "machine": "a machine",
            "whole": {"date": "2026-01-02", "minutes": 20.5},
            "parts": {"dsb": "2026-01-03"},
        },
    }
    page.write(tmp_path, results, QUICK)
    text = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert (
        "Measured on 2026-01-02 by `make bench` in 20.5 minutes; rows that contain *dsb* on 2026-01-03"
        in text
    )
    assert '`make bench BENCH="--only dsb"`' in text
    assert "1.25 in the median, 1.25 at most" in text
    assert "small images" not in text
    left_out = text.split("## Rows that were not run")[1]
    assert "`codecs`" in left_out
    assert "`dsb`" not in left_out
    assert about.measured_now(results, QUICK).count("\n") == 4  # head, line, and the two figures of that row


def test_the_page_of_a_run_that_was_stopped_says_so(tmp_path):
    page.write(tmp_path, {"about": {"unfinished": {"date": "2026-01-02", "minutes": 3.0}}}, QUICK)
    text = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "Measured on 2026-01-02 by `make bench`, which was stopped after 3 minutes" in text


def test_speed_in_memory_counts_the_parts_that_were_asked_for():
    parts = {
        "landscape": 1.0,
        "forest": 0.5,
        "statistics": 0.5,
        "perimeters": 0.5,
        "hulls": 0.5,
        "other measuring": 1.0,
        "rest": 9.0,
    }
    values = {"mpix": 40.0, "core_cpu_s": 13.0, "phases": parts, "objects": 100, "sums_cpu_s": 0.5}
    results = {f"memory {QUICK.throughput} 1024 sums and shape": {"values": values, "reason": ""}}
    figures = Figures(results, QUICK)
    speeds = [figures.speed_in_memory(QUICK.throughput, 1024, names) for names in IN_MEMORY.values()]
    assert speeds == [20.0, 10.0]
    assert next(figures.given_nuclei())[1] == 200.0
    assert figures.speed_in_memory(QUICK.fine, 1024, ("forest",)) is None


def test_blocks_that_count_have_a_halo_on_all_sides():
    assert counted_blocks(Grid((1, 30, 30), (1, 10, 10))) == [4]
    assert counted_blocks(Grid((1, 20, 20), (1, 10, 10))) == [1, 2, 3]
    assert counted_blocks(Grid((1, 5, 5), (1, 10, 10))) == [0]


def test_what_happens_alone_is_not_added(monkeypatch):
    ticks = iter([0.0, 1.0, 2.0, 5.0])
    monkeypatch.setattr("bench.clock.own_cpu_s", lambda: next(ticks))
    phases = Phases()
    with phases.phase("a"):
        pass
    with phases.alone() as spent, phases.phase("a"):
        pass
    assert (phases.seconds, spent) == ({"a": 1.0}, {"a": 3.0})


def test_a_page_of_nothing_says_that_nothing_was_measured(tmp_path):
    page.write(tmp_path, {}, QUICK)
    text = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "## What was asked" in text
    assert "| yes |" not in text
    assert "| **no** |" not in text


def test_a_failed_row_says_why(tmp_path):
    failed = {"cpu_s": 1.0, "peak_mb": 2.0, "files": 0, "written_mb": 0.0, "values": {}, "reason": "it broke"}
    figures = Figures({"cp_measure": failed}, QUICK)
    assert list(figures.failed()) == [("cp_measure", "it broke")]
    assert figures.cells_per_s("cp_measure") is None
    page.write(tmp_path, {"cp_measure": failed}, QUICK)
    assert "| cp_measure | it broke |" in (tmp_path / "benchmarks.md").read_text(encoding="utf-8")


def test_the_stages_of_a_path_are_added_up():
    def stage(core, peak, **values):
        return {
            "cpu_s": core + 1,
            "peak_mb": peak,
            "files": 0,
            "reason": "",
            "values": {"core_cpu_s": core, **values},
        }

    results = {
        "curve 1024: pass 1": stage(2.0, 300.0),
        "curve 1024: stitching": stage(0.5, 100.0, objects=9),
        "curve 1024: pass 2": stage(3.0, 350.0),
        "curve 1024: table": stage(0.3, 90.0, objects=9, files=7),
        "curve 1024: outlines": stage(0.2, 95.0, objects=9, files=8),
        "prepare tissue-1024": stage(0.0, 1.0, shape=[1000, 3000]),
    }
    figures = Figures(results, QUICK)
    one = figures.curve(1024)
    assert one["speed"] == pytest.approx(0.5)
    assert (one["worker_mb"], one["stitch_mb"], one["files"], one["cells"]) == (350.0, 100.0, 8, 9)
    assert figures.curve(2048) is None
    assert figures.worker_growth() is None


def test_stages_of_transcripts_are_read_from_what_the_script_says():
    lines = [f"    {n}.25 CPU s     {n}00 MB (90)  stage" for n in range(1, 5)]
    text = "\n".join(["1,000,000 transcripts, order tiled, genes as integer", *lines])
    assert read_stages(text, with_output=False)["core_cpu_s"] == 6.75
    assert read_stages(text, with_output=True)["core_cpu_s"] == 11.0
    with pytest.raises(ValueError, match="3 stages"):
        read_stages("\n".join(lines[:3]), with_output=True)


def test_a_row_runs_in_a_process_of_its_own(tmp_path, monkeypatch):
    from bench import measure

    monkeypatch.setattr(measure, "CACHE", tmp_path)
    monkeypatch.setattr(measure, "python_of", lambda name: ROOT / ".venv" / "bin" / "python")
    if not measure.python_of("").exists():
        pytest.skip("needs .venv, which `make setup` makes")
    outcome = measure.run_row("score:nothing", {})
    assert "nothing" in outcome.reason
    assert outcome.values == {}
    assert outcome.cpu_s > 0
    assert outcome.peak_mb > 5
    assert list(tmp_path.iterdir()) == []


def test_an_environment_that_could_not_be_made_says_why(tmp_path, monkeypatch):
    from bench import measure

    python = tmp_path / "bin" / "python"
    monkeypatch.setattr(measure, "python_of", lambda name: python)
    assert "no environment" in measure.run_row("score:f", {}, environment="x").reason
    python.parent.mkdir()
    python.touch()
    (tmp_path / "failed.txt").write_text("no wheel for this system\n")
    assert measure.run_row("score:f", {}, environment="x").reason == "not installed: no wheel for this system"


def test_the_command_line_has_help():
    command = [sys.executable, "-P", "-m", "bench", "--help"]
    path = f"{ROOT / 'tests'}:{ROOT / 'workflow'}"
    done = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout
