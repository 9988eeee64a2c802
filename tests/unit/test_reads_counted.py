"""Reads to counts: options, what reads are looked up in, kb-python's failures, and its counts as a 10x folder."""

import json
import stat
from types import SimpleNamespace

import numpy as np
import pytest

from isthmus.config.reads import ReadsOptions
from isthmus.counts.ten_x import read_ten_x
from isthmus.counts.write import write_ten_x
from isthmus.errors import UserError
from isthmus.launch import reads as launch_reads
from isthmus.launch.reads import reference_of
from isthmus.reads import kb
from isthmus.reads.fastq import ReadPair
from isthmus.reads.kb import Index, build_index, count_molecules, find_kb
from isthmus.reads.matrix import convert

KALLISTO = (13).to_bytes(8, "little") + b"graph"


@pytest.mark.parametrize(
    ("technology", "least"),
    [
        ("10XV2", (26, 0)),
        ("10XV3", (28, 0)),
        ("DROPSEQ", (20, 0)),
        ("0,0,16:0,16,26:1,0,0", (26, 0)),
        ("1,0,8,1,20,28:0,0,6:0,6,0", (6, 28)),
    ],
)
def test_what_barcode_and_tag_take(technology, least):
    assert ReadsOptions(technology=technology).least_bases == least


@pytest.mark.parametrize("technology", ["10xv9", "10X3", "0,0,16:0,16,28", "2,0,16:0,16,28:1,0,0"])
def test_an_unknown_technology_is_told(technology):
    with pytest.raises(ValueError, match="is no technology that is known"):
        ReadsOptions(technology=technology)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Options by name whose files are there, and a kb that is there."""
    contents = {
        "genome": b">a\nACGT\n",
        "genes": b"gtf\n",
        "transcripts_to_genes": b"t\tg\n",
        "barcodes": b"A\n",
    }
    for name, content in {**contents, "index": KALLISTO}.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(launch_reads, "find_kb", lambda: tmp_path)
    return lambda *names: ReadsOptions(**{name: tmp_path / name for name in names})


def test_a_genome_is_to_be_indexed_and_an_index_is_not(files, tmp_path):
    built, ready = (
        reference_of(files("genome", "genes")),
        reference_of(files("index", "transcripts_to_genes")),
    )
    assert built.genome is not None
    assert ready.genome is None
    assert built.digest != ready.digest
    listed = reference_of(files("genome", "genes", "barcodes"))
    assert (listed.genome, listed.digest != built.digest) == (built.genome, True)
    (tmp_path / "genes").write_bytes(b"other\n")
    assert reference_of(files("genome", "genes")).genome != built.genome


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), "nothing to look them up in; give genome .FASTA. and genes"),
        (("genome",), "quantification.reads.genes: only genome is given"),
        (("transcripts_to_genes",), "quantification.reads.index: only transcripts_to_genes is given"),
        (("genome", "genes", "index", "transcripts_to_genes"), "both genome and index are given"),
    ],
)
def test_what_reads_are_looked_up_in_is_given_once_and_whole(files, names, told):
    with pytest.raises(UserError, match=told):
        reference_of(files(*names))


@pytest.mark.parametrize("content", [b"", b">a\nACGTACGTACGT\n", bytes(20)])
def test_what_is_no_index_is_told(files, tmp_path, content):
    (tmp_path / "index").write_bytes(content)
    with pytest.raises(UserError, match="it is no index of kallisto; give the file that `kb ref -i` wrote"):
        reference_of(files("index", "transcripts_to_genes"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "its first line is '', no barcode"),
        (b"AAAC-1\n", "its first line is 'AAAC-1', no barcode"),
        (b"\x1f\x8b\x08\x00", "it is no plain text"),
    ],
)
def test_what_is_no_list_of_barcodes_is_told(files, tmp_path, content, told):
    (tmp_path / "barcodes").write_bytes(content)
    with pytest.raises(UserError, match=told):
        reference_of(files("genome", "genes", "barcodes"))


def test_without_kb_the_command_that_makes_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(kb, "ENVIRONMENT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="kb-python, which is not set up; run `make kb` once"):
        find_kb()
    program(tmp_path / "bin" / "kb", "")
    with pytest.raises(UserError, match="run `make kb` once"):
        find_kb()  # half made
    program(tmp_path / "kb", "")
    assert find_kb() == tmp_path / "kb"
    (tmp_path / "ready.txt").touch()
    assert find_kb() == tmp_path / "bin" / "kb"


def program(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


SAID = """[2026-01-01 00:00:00,000]    INFO [count] Using index
[2026-01-01 00:00:00,000]   ERROR [count] 
Warning: something small
Error: incompatible indices. Found version 12, expected version 13
[2026-01-01 00:00:00,000]   ERROR [main] An exception occurred
Traceback (most recent call last):
  File "main.py", line 1"""  # noqa: W291 - kb leaves a space there


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (f"cat <<'END'\n{SAID}\nEND", r"kb count failed \(Error: incompatible indices. Found version 12"),
        ("exit 3", r"kb count failed \(it did not say why\)"),
        ("echo killed; exit 137", r"kb count failed \(killed\)"),
    ],
)
def test_kb_that_fails_is_told_though_it_ends_with_0(tmp_path, script, told):
    fake = program(tmp_path / "kb", script)
    pairs = [ReadPair(tmp_path / "a", tmp_path / "b")]
    index = Index(tmp_path / "i", tmp_path / "t")
    with pytest.raises(UserError, match=told) as caught:
        count_molecules(fake, pairs, ReadsOptions(), index, scratch=tmp_path / "s", where="row 1, reads")
    assert "\n" not in str(caught.value)


def test_what_kb_is_asked_for(tmp_path):
    """A program that notes its words and leaves what kb leaves."""
    leave = 'echo "$*" > asked; mkdir -p s/kb/counts_unfiltered; cd s/kb'
    leave += "; for name in run_info.json kb_info.json counts_unfiltered/cells_x_genes.mtx; do echo 1 > $name; done"
    fake = program(tmp_path / "kb", f'cd "$(dirname "$0")"; {leave}')
    pairs = [ReadPair(tmp_path / f"{n}_1", tmp_path / f"{n}_2") for n in "ab"]
    options = ReadsOptions(technology="10XV2", barcodes=tmp_path / "list", strand="forward")
    index = Index(tmp_path / "i", tmp_path / "t")
    made = count_molecules(fake, pairs, options, index, scratch=tmp_path / "s", where="row 1")
    assert made == tmp_path / "s" / "kb"
    asked = (tmp_path / "asked").read_text().replace(f"{tmp_path}/", "").split()
    assert asked[:7] == ["count", "-i", "i", "-g", "t", "-x", "10XV2"]
    assert asked[-8:] == ["-w", "list", "--strand", "forward", "a_1", "a_2", "b_1", "b_2"]


def test_an_index_that_is_empty_is_no_index(tmp_path):
    fake = program(tmp_path / "kb", 'cd "$(dirname "$0")"; : > s/index; : > s/genes.tsv')
    index = Index(tmp_path / "made" / "i", tmp_path / "made" / "t")
    with pytest.raises(UserError, match="genome 'g.fa' with genes 'g.gtf': kb ref failed"):
        build_index(
            fake, genome=tmp_path / "g.fa", genes=tmp_path / "g.gtf", index=index, scratch=tmp_path / "s"
        )
    assert not index.index.exists()


@pytest.fixture
def counted(tmp_path):
    """What kb leaves of three barcodes and three genes."""

    def make(*, aligned=9):
        made = tmp_path / "kb"
        (made / "counts_unfiltered").mkdir(parents=True, exist_ok=True)
        versions = {"version": "0.30.2", "kallisto": {"version": "0.52.0"}, "bustools": {"version": "0.45.1"}}
        (made / "kb_info.json").write_text(json.dumps(versions))
        (made / "run_info.json").write_text(json.dumps({"n_processed": 12, "n_pseudoaligned": aligned}))
        part = made / "counts_unfiltered" / "cells_x_genes"
        part.with_name("cells_x_genes.barcodes.txt").write_text("CC\nAA\nGG\n")
        part.with_name("cells_x_genes.genes.txt").write_text("E1\nE2\nE3\n")
        part.with_name("cells_x_genes.genes.names.txt").write_text("Actb\n\nSst\n")
        part.with_name("cells_x_genes.mtx").write_text(
            "%%MatrixMarket matrix coordinate real general\n%\n3 3 4\n1 1 2\n1 3 1\n2 2 5\n3 1 1\n"
        )
        return SimpleNamespace(made=made, folder=tmp_path / "out")

    return make


def test_barcodes_with_enough_molecules_become_a_10x_folder(counted):
    of = counted()
    told = convert(of.made, of.folder, min_molecules=3, where="row 1")
    assert (told.n_reads, told.n_aligned, told.n_barcodes, told.n_kept, told.n_molecules) == (12, 9, 3, 2, 8)
    assert told.software == {"kb-python": "0.30.2", "kallisto": "0.52.0", "bustools": "0.45.1"}
    matrix = read_ten_x(of.folder, where="row 1")
    assert matrix.barcodes.tolist() == ["AA", "CC"]
    assert matrix.feature_names.tolist() == ["Actb", "E2", "Sst"]
    assert matrix.counts.toarray().tolist() == [[0, 5, 0], [2, 0, 1]]


def test_equal_counts_are_equal_bytes(counted):
    of = counted()
    contents = []
    for name in ("a", "b"):
        convert(of.made, of.folder / name, min_molecules=1, where="row 1")
        contents.append([path.read_bytes() for path in sorted((of.folder / name).iterdir())])
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    ("aligned", "least", "told"),
    [
        (0, 1, "none of 12 reads is of a transcript"),
        (9, 6, "no barcode has 6 molecules; of 3 .* more than 5"),
    ],
)
def test_reads_of_something_else_are_told(counted, aligned, least, told):
    of = counted(aligned=aligned)
    with pytest.raises(UserError, match=told):
        convert(of.made, of.folder, min_molecules=least, where="row 1")
    assert not of.folder.exists()


def test_a_large_matrix_is_written_in_parts(tmp_path, monkeypatch):
    from scipy.sparse import random as draw

    monkeypatch.setattr("isthmus.counts.write._AT_ONCE", 7)
    counts = draw(20, 9, density=0.4, format="csr", random_state=1, data_rvs=np.ones).astype("int32")
    write_ten_x(
        tmp_path / "m",
        counts,
        barcodes=[f"B{n}" for n in range(20)],
        ids=[*"abcdefghi"],
        names=[*"ABCDEFGHI"],
    )
    read = read_ten_x(tmp_path / "m", where="row 1")
    assert (read.counts != counts).nnz == 0
