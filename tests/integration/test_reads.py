"""FASTQ files end to end: generated reads with known counts through kb-python (skipped where `make kb` was not run)."""

from __future__ import annotations

import json
from pathlib import Path

import anndata
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score
from study import ISTHMUS, command

from isthmus.counts.ten_x import read_ten_x
from isthmus.errors import UserError
from isthmus.fetch.made import reads
from isthmus.reads.kb import Index, build_index, find_kb

CONFIG = Path(__file__).parents[2] / "config" / "single_cell_reads.yaml"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        find_kb()
    except UserError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("reads")
    reads.make(folder)
    (folder / "samples.tsv").write_text("sample\treads\nreads\tfastq\n")
    return folder


def options(made: Path, results: Path, **more: str) -> list[str]:
    files = {"genome": "genome.fa", "genes": "genes.gtf", "barcodes": "barcodes.txt"}
    values = {f"quantification.reads.{key}": str(made / name) for key, name in files.items()}
    values |= {"samples": str(made / "samples.tsv"), "results": str(results), **more}
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="session")
def results(made: Path) -> Path:
    folder = made / "out"
    ended = command([*ISTHMUS, "run", str(CONFIG), "--cores", "2", *options(made, folder)], made)
    assert ended.code == 0, ended.text
    return folder


@pytest.mark.slow
def test_every_molecule_is_counted_once(made: Path, results: Path) -> None:
    truth = pd.read_csv(made / "truth.csv")
    cells = pd.read_csv(made / "cells.csv")
    known = truth[truth["barcode"].isin(cells["barcode"])]
    wanted = known.pivot_table(
        index="barcode", columns="gene", values="molecules", fill_value=0, aggfunc="sum"
    )
    matrix = read_ten_x(results / "work" / "reads" / "counts", where="row 1")
    assert matrix.barcodes.tolist() == sorted(cells["barcode"])  # no empty droplet
    assert sorted(matrix.feature_ids) == [reads.gene_id(gene) for gene in range(reads.N_GENES)]
    found = pd.DataFrame(matrix.counts.toarray(), index=matrix.barcodes, columns=matrix.feature_ids)
    wanted = wanted.reindex(index=found.index, columns=found.columns, fill_value=0)
    assert found.to_numpy().tolist() == wanted.to_numpy().tolist()
    told = json.loads((results / "work" / "reads" / "count_reads.json").read_text())
    assert told["n_molecules"] == int(known["molecules"].sum()) == 10586
    assert (told["n_reads"], told["n_aligned"], told["n_barcodes"]) == (20835, 20735, 100)


@pytest.mark.slow
def test_the_cells_are_analysed_and_the_report_tells_of_the_reads(made: Path, results: Path) -> None:
    cells = pd.read_csv(made / "cells.csv").set_index("barcode")["cell_type"]
    cohort = anndata.read_h5ad(results / "cohort" / "cells.h5ad")
    assert cohort.n_obs == 60
    assert adjusted_rand_score(cells[cohort.obs["barcode"].astype(str)], cohort.obs["leiden"]) > 0.95
    page = (results / "report.html").read_text()
    for words in (
        "20,835",
        "99.5 % of a transcript",
        "60 of 100 barcodes are no empty droplets",
        "kb-python 0.",
    ):
        assert words in page
    rules = json.loads((results / "plan.json").read_text())["rules"]
    assert {"build_index", "count_reads", "import_counts"} < set(rules)
    ended = command([*ISTHMUS, "verify", str(results)], made)
    assert ended.code == 0, ended.text


@pytest.mark.slow
def test_nothing_is_counted_twice_and_reads_that_are_cut_are_told(made: Path, results: Path) -> None:
    """The run is complete and stays so; of a sample whose file is cut nothing is published."""
    counted = results / "work" / "reads" / "counts" / "matrix.mtx.gz"
    before = counted.stat().st_mtime_ns
    again = command([*ISTHMUS, "run", str(CONFIG), "--cores", "2", *options(made, results)], made)
    assert again.code == 0, again.text
    assert counted.stat().st_mtime_ns == before
    file = made / "fastq" / "reads_S1_L002_R2_001.fastq.gz"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    try:
        ended = command([*ISTHMUS, "run", str(CONFIG), "--cores", "2", *options(made, made / "cut")], made)
    finally:
        file.write_bytes(whole)
    assert ended.code == 1
    assert "reads_S1_L002_R2_001.fastq.gz': it is damaged or not whole" in ended.text
    assert "Traceback" not in ended.text
    assert not (made / "cut" / "reads" / "cells.h5ad").exists()


@pytest.mark.slow
def test_genes_of_another_genome_are_told(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "genes.gtf"
    other.write_text((made / "genes.gtf").read_text().replace("chr", "NC_"))
    index = Index(tmp_path / "i", tmp_path / "t")
    with pytest.raises(UserError, match="genome 'genome.fa' with genes 'genes.gtf': kb ref failed"):
        build_index(find_kb(), genome=made / "genome.fa", genes=other, index=index, scratch=tmp_path / "s")
