"""What surrounds a job: its log, its record of use, its errors in one line each, its exit code."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isthmus.config.models import Settings
from isthmus.errors import UserError, UserErrors
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader
from isthmus.plan.machine import Machine
from isthmus.plan.make import SampleInput, make_plan
from isthmus.plan.model import write_plan
from isthmus.steps import job as job_module
from isthmus.steps.job import Job, read_json, write_json


@pytest.fixture(autouse=True)
def _own_logging(monkeypatch):
    """A job takes over logging and watches its parent; neither may outlive the test."""
    monkeypatch.setattr(job_module, "die_with_parent", lambda: None)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    yield
    logging.captureWarnings(False)
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def results(tmp_path):
    header = ImageHeader((1, 1, 300, 300), "uint16", ("DAPI",), Affine.from_size(0.5))
    sample = SampleInput(
        sheet={"sample": "a"}, where="row 2", header=header, inputs={"image": "i"}, reader="generic"
    )
    settings = Settings(samples=Path("s.tsv")).model_dump(mode="json")
    write_plan(
        make_plan(settings, {"a": sample}, reference=None, machine=Machine()),
        tmp_path / "results" / "plan.json",
    )
    return tmp_path / "results"


def _job(results, rule="segment_pack", pack="1-of-1", outputs=(), sample="a"):
    return Job(
        rule,
        results=str(results),
        log_file=str(results / "logs" / "x.log"),
        outputs=[str(o) for o in outputs],
        sample=sample,
        pack=pack,
    )


def _notes(results, name="segment_pack.a.1-of-1"):
    lines = (results / "work" / "jobs" / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def _error(results, name="segment_pack.a.1-of-1"):
    return json.loads((results / "work" / "errors" / f"{name}.json").read_text())


def test_a_job_that_ends_well(results):
    output = results / "work" / "a" / "record.json"
    with _job(results, outputs=[output]) as job:
        logging.getLogger("isthmus.test").info("some words")
        job.n_files = 4
        job.write_record(output, {"blocks": [0]})
    running, done = _notes(results)
    assert (running["status"], running["pid"]) == ("running", os.getpid())
    assert (done["status"], done["files"]) == ("done", 5)
    assert done["outputs"] == {"work/a/record.json": output.stat().st_size}
    assert done["digest"] == job.plan.digest("segment_pack", "a")
    assert done["max_rss_mb"] > 10
    assert done["wall_s"] >= 0
    assert json.loads(output.read_text()) == {"rule": "segment_pack", "digest": done["digest"], "blocks": [0]}
    assert "some words" in (results / "logs" / "x.log").read_text()
    assert not (results / "work" / "errors").exists() or not list((results / "work" / "errors").iterdir())


def _fail(results, error):
    with pytest.raises(SystemExit) as caught, _job(results):
        raise error
    return caught.value.code


def test_a_fault_of_the_user_is_one_line_and_code_1(results, capsys):
    assert _fail(results, UserError(where="row 2", found="no channel 'X'", do="name another")) == 1
    told = _error(results)
    assert told["lines"] == ["row 2: no channel 'X'; name another"]
    assert told["ours"] is False
    assert Path(told["log"]).is_file()
    assert (
        "error: segment_pack, sample a, pack 1-of-1: row 2: no channel 'X'; name another\n"
        in capsys.readouterr().err
    )
    assert _notes(results)[-1]["status"] == "failed"


def test_several_faults_are_a_line_each(results, capsys):
    faults = [UserError(where=f"row {n}", found="empty") for n in (2, 3)]
    assert _fail(results, UserErrors(faults)) == 1
    assert _error(results)["lines"] == ["row 2: empty", "row 3: empty"]
    assert capsys.readouterr().err.count("error: segment_pack, sample a, pack 1-of-1: row") == 2


def test_a_fault_of_ours_is_code_2(results):
    assert _fail(results, KeyError("missing")) == 2
    assert _error(results)["ours"] is True
    assert _error(results)["lines"] == ["KeyError: 'missing'"]
    assert "Traceback" in (results / "logs" / "x.log").read_text()


def test_a_job_that_leaves_nothing_has_failed(results):
    with pytest.raises(SystemExit) as caught, _job(results, outputs=[results / "work" / "a" / "record.json"]):
        pass
    assert caught.value.code == 2
    assert _error(results)["lines"] == ["RuntimeError: the job left no record.json"]
    assert _notes(results)[-1]["status"] == "failed"


def test_an_interrupt_is_no_fault(results):
    with pytest.raises(KeyboardInterrupt), _job(results):
        raise KeyboardInterrupt
    assert not (results / "work" / "errors" / "segment_pack.a.1-of-1.json").exists()
    assert _notes(results)[-1]["status"] == "failed"


def test_a_new_attempt_forgets_the_old_error(results):
    _fail(results, KeyError("missing"))
    with _job(results):
        assert not (results / "work" / "errors" / "segment_pack.a.1-of-1.json").exists()
    assert [note["status"] for note in _notes(results)] == ["running", "failed", "running", "done"]


def test_without_a_plan_it_says_what_to_do(tmp_path):
    with pytest.raises(SystemExit) as caught, _job(tmp_path / "results") as job:
        _ = job.plan
    assert caught.value.code == 1
    assert "start the run with `isthmus run`" in _error(tmp_path / "results")["lines"][0]


def test_jobs_of_the_whole_run_have_no_sample(results):
    with _job(results, rule="analyse", sample="", pack="") as job:
        assert job.name == "analyse"
        assert job.digest == job.plan.cohort["analyse"]


def test_use_counts_processes_below(results):
    with _job(results):
        child = subprocess.Popen(
            [sys.executable, "-c", "import time; end = time.time() + 0.8\nwhile time.time() < end: pass"]
        )
        while child.poll() is None:
            time.sleep(0.05)
    done = _notes(results)[-1]
    assert done["cpu_s"] >= 0.2


def test_records_are_written_whole(tmp_path):
    path = tmp_path / "deep" / "record.json"
    write_json(path, {"a": 1})
    write_json(path, {"a": 2})
    assert read_json(path) == {"a": 2}
    assert [p.name for p in path.parent.iterdir()] == ["record.json"]


@pytest.mark.parametrize("text", ["", "{", '{"a": 1', "\x00", "7", "null", '["a"]', None])
def test_a_torn_record_says_what_to_do(tmp_path, text):
    path = tmp_path / "record.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match="record cannot be read.*; run again with `isthmus run`"):
        read_json(path)
