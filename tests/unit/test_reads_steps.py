"""The steps build_index and count_reads with a program in the place of kb-python, from the plan to the 10x folder."""

import gzip
import json
import stat
from pathlib import Path

import pytest
import yaml

from isthmus.counts.ten_x import read_ten_x
from isthmus.errors import UserError
from isthmus.launch import reads as launch_reads
from isthmus.launch.run import Run
from isthmus.plan.model import write_plan
from isthmus.steps import build_index as step_of_index
from isthmus.steps import count_reads as step_of_reads
from isthmus.steps.job import Job

KB = """#!{python}
import json, sys
from pathlib import Path
words = sys.argv[1:]
(Path(__file__).parent / "asked.json").write_text(json.dumps(words))
if words[0] == "ref":
    Path(words[words.index("-i") + 1]).write_text("index")
    Path(words[words.index("-g") + 1]).write_text("t\\tg\\n")
else:
    part = Path(words[words.index("-o") + 1]) / "counts_unfiltered"
    part.mkdir(parents=True)
    (part.parent / "run_info.json").write_text('{{"n_processed": 3, "n_pseudoaligned": 3}}')
    (part.parent / "kb_info.json").write_text("{{}}")
    (part / "cells_x_genes.barcodes.txt").write_text("AC\\n")
    for name in ("genes", "genes.names"):
        (part / f"cells_x_genes.{{name}}.txt").write_text("G\\n")
    head = "%%MatrixMarket matrix coordinate real general"
    (part / "cells_x_genes.mtx").write_text(f"{{head}}\\n1 1 1\\n1 1 3\\n")
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A run of one sample of reads; `job(rule)` is a job of it that has its plan."""
    import sys

    program = tmp_path / "kb"
    program.write_text(KB.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for module in (launch_reads, step_of_index, step_of_reads):
        monkeypatch.setattr(module, "find_kb", lambda: program)
    (tmp_path / "fastq").mkdir()
    for read, bases in ((1, "A" * 28), (2, "C" * 40)):
        record = f"@r\n{bases}\n+\n{'I' * len(bases)}\n"
        (tmp_path / "fastq" / f"a_{read}.fastq.gz").write_bytes(gzip.compress(3 * record.encode()))
    (tmp_path / "samples.tsv").write_text("sample\treads\na\tfastq\n")
    files = {
        "genome": b">c\nACGT\n",
        "genes": b"gtf",
        "index": (13).to_bytes(8, "little"),
        "table": b"t\tg\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def job(rule: str, **reads: str) -> Job:
        tree = {"use_case": "single_cell", "samples": "samples.tsv"}
        tree |= {"quantification": {"reads": {"min_molecules": 2, **reads}}}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(tree))
        run = Run.from_files([tmp_path / "config.yaml"], overrides={}, cwd=tmp_path)
        write_plan(run.plan, run.paths.plan)
        sample = "a" if rule == "count_reads" else ""
        return Job(
            rule, results=str(run.paths.root), sample=sample, log_file=str(tmp_path / "log"), outputs=[]
        )

    return tmp_path, job


def asked(folder: Path) -> list[str]:
    return json.loads((folder / "asked.json").read_text())


def test_a_genome_is_indexed_once_and_reads_are_looked_up_in_that(study):
    folder, job = study
    index = job("build_index", genome="genome", genes="genes")
    assert set(index.plan.rules) > {"build_index", "count_reads", "import_counts"}
    (index.paths.cohort / ".index.left").mkdir(parents=True)
    step_of_index.build_index(index)
    assert asked(folder)[-2:] == [str(folder / "genome"), str(folder / "genes")]
    assert sorted(path.name for path in index.paths.cohort.iterdir()) == ["index"]
    counted = job("count_reads", genome="genome", genes="genes")
    step_of_reads.count_reads(counted)
    words = asked(folder)
    assert words[words.index("-i") + 1] == str(index.paths.index / "transcripts.idx")


def test_an_index_that_is_there_is_used_and_nothing_is_left_beside_the_counts(study):
    folder, job = study
    counted = job("count_reads", index="index", transcripts_to_genes="table", strand="forward")
    assert "build_index" not in counted.plan.rules
    (counted.sample_paths.work / ".reads.left").mkdir(parents=True)
    step_of_reads.count_reads(counted)
    words = asked(folder)
    assert words[words.index("-i") + 1 : words.index("-x")] == [
        str(folder / "index"),
        "-g",
        str(folder / "table"),
    ]
    assert sorted(path.name for path in counted.sample_paths.work.iterdir()) == ["count_reads.json", "counts"]
    matrix = read_ten_x(counted.sample_paths.counted_reads, where="row 1")
    assert (matrix.barcodes.tolist(), matrix.counts.toarray().tolist()) == (["AC"], [[3]])
    record = json.loads(counted.sample_paths.record("count_reads").read_text())
    assert (record["n_reads"], record["n_kept"], record["n_molecules"]) == (3, 1, 3)


def test_reads_that_are_cut_are_told_before_anything_is_counted(study):
    folder, job = study
    counted = job("count_reads", index="index", transcripts_to_genes="table")
    file = folder / "fastq" / "a_2.fastq.gz"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(UserError, match="a_2.fastq.gz': it is damaged or not whole"):
        step_of_reads.count_reads(counted)
    assert not (folder / "asked.json").exists()
    assert not counted.sample_paths.counted_reads.exists()


def test_a_plan_of_reads_is_as_large_as_they_are(study):
    _, job = study
    plan = job("count_reads", index="index", transcripts_to_genes="table").plan
    rule = plan.rules["count_reads"]
    assert (rule.jobs, rule.workers) == (1, 1)
    assert rule.memory_mb > 1200
    assert not plan.sample("a").tested_on_real_files
    assert plan.sample("a").reads_mb > 0
