import json
import os
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from analyse_cells import table_of, three_populations

from isthmus.analyse import files
from isthmus.analyse.describe import annotate
from isthmus.analyse.files import read_table, write_table
from isthmus.analyse.steps import analyse, assess_quality, integrate_cohort
from isthmus.errors import UserError


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """All steps for two samples of three populations, with a reference that knows two of them."""
    folder = tmp_path_factory.mktemp("steps")
    for name, seed in (("a", 0), ("b", 1)):
        write_table(three_populations(seed=seed, sample=name), folder / f"{name}.h5ad")
        assess_quality(folder / f"{name}.h5ad", folder / f"{name}-qc.h5ad", folder / f"{name}.json")
    integrate_cohort(
        [folder / "a-qc.h5ad", folder / "b-qc.h5ad"],
        folder / "joined.h5ad",
        columns={"a": {"donor": "d1"}, "b": {"donor": "d2"}},
    )
    analyse(folder / "joined.h5ad", folder / "clusters.h5ad", folder / "markers.tsv", n_components=10)
    reference_table().to_csv(folder / "reference.csv")
    annotate(
        folder / "clusters.h5ad",
        folder / "reference.csv",
        folder / "cells.h5ad",
        folder / "neighbourhood.tsv",
        n_permutations=20,
    )
    return folder


def reference_table():
    """Profiles of the first two of the three populations."""
    level = np.full((2, 30), 1.0)
    level[0, :6] = level[1, 6:12] = 12.0
    frame = pd.DataFrame(np.log1p(level), columns=[f"G{number}" for number in range(30)])
    return frame.assign(cell_type=["first", "second"], atlas="x")


def test_the_cohort_holds_everything_that_was_promised(finished):
    table = anndata.read_h5ad(finished / "cells.h5ad")
    assert {"leiden", "cell_type", "cell_type_confidence", "qc_pass", "donor"} <= set(table.obs)
    assert {"X_umap", "spatial", "controls", "intensity"} <= set(table.obsm)
    assert {"counts", "nucleus_counts"} <= set(table.layers)
    record = table.uns["isthmus"]
    assert record["clustering"]["n_components"] == 10
    assert record["annotation"]["reference"] == "reference.csv"
    assert record["neighbourhood"]["by"] == "cell_type"
    assert record["samples"]["a"]["version"] == "0.1.0"


def test_known_types_are_found_and_the_unknown_is_unassigned(finished):
    obs = anndata.read_h5ad(finished / "cells.h5ad").obs
    share = pd.crosstab(obs["truth"], obs["cell_type"], normalize="index")
    assert share.loc[0, "first"] > 0.9
    assert share.loc[1, "second"] > 0.9
    assert share.loc[2, "unassigned"] > 0.9


def test_the_text_files_say_the_same_as_the_table(finished):
    table = anndata.read_h5ad(finished / "cells.h5ad")
    neighbourhood = pd.read_csv(finished / "neighbourhood.tsv", sep="\t")
    assert neighbourhood["observed"].tolist() == table.uns["neighbourhood"]["observed"].tolist()
    markers = pd.read_csv(finished / "markers.tsv", sep="\t", dtype={"cluster": str})
    assert markers["gene"].tolist() == table.uns["markers"]["gene"].tolist()
    summary = json.loads((finished / "a.json").read_text())
    assert summary["cells"] == summary["passed"] == 90


def test_nothing_but_the_outputs_is_left(finished):
    assert not list(finished.glob("*.part")) + list(finished.glob(".*"))


def test_without_a_reference_neighbourhoods_are_those_of_clusters(finished, tmp_path):
    annotate(finished / "clusters.h5ad", None, tmp_path / "cells.h5ad", tmp_path / "n.tsv", n_permutations=5)
    table = anndata.read_h5ad(tmp_path / "cells.h5ad")
    assert "cell_type" not in table.obs
    assert table.uns["isthmus"]["neighbourhood"]["by"] == "leiden"
    assert set(table.uns["neighbourhood"]["type_a"]) == set(table.obs["leiden"])


def test_no_passing_cell_stops_the_cohort_and_writes_nothing(tmp_path):
    write_table(table_of([[1, 1], [0, 2]]), tmp_path / "a.h5ad")
    assess_quality(tmp_path / "a.h5ad", tmp_path / "qc.h5ad", tmp_path / "qc.json")
    with pytest.raises(UserError, match=r"none of 2 cells passed .*2 by min_counts"):
        integrate_cohort([tmp_path / "qc.h5ad"], tmp_path / "joined.h5ad")
    assert not (tmp_path / "joined.h5ad").exists()


def test_too_few_cells_still_run_to_the_end(tmp_path):
    write_table(table_of(np.full((3, 6), 5)), tmp_path / "a.h5ad")
    assess_quality(tmp_path / "a.h5ad", tmp_path / "qc.h5ad", tmp_path / "qc.json")
    integrate_cohort([tmp_path / "qc.h5ad"], tmp_path / "joined.h5ad")
    analyse(tmp_path / "joined.h5ad", tmp_path / "clusters.h5ad", tmp_path / "markers.tsv")
    annotate(tmp_path / "clusters.h5ad", None, tmp_path / "cells.h5ad", tmp_path / "n.tsv", n_permutations=5)
    assert anndata.read_h5ad(tmp_path / "cells.h5ad").n_obs == 3
    assert (tmp_path / "markers.tsv").read_text() == "cluster\tgene\tscore\tlogfoldchange\tpval_adj\n"


@pytest.mark.parametrize("content", [None, b"", b"not hdf5 at all"], ids=["missing", "empty", "other"])
def test_a_table_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "cells.h5ad"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"cells\.h5ad"):
        read_table(path)


def test_a_truncated_table_is_named(tmp_path):
    path = tmp_path / "cells.h5ad"
    write_table(three_populations(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match="not a readable h5ad file"):
        read_table(path)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "cells.h5ad"
    path.write_text("old")
    monkeypatch.setattr(files, "_write_h5ad", lambda table, part: part.write_text("half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_table(three_populations(), path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["cells.h5ad"]
    assert path.read_text() == "old"


RUN = """
import sys
from pathlib import Path
from isthmus.analyse.describe import annotate
from isthmus.analyse.steps import analyse
source, out = Path(sys.argv[1]), Path(sys.argv[2])
analyse(source / "joined.h5ad", out / "clusters.h5ad", out / "markers.tsv")
annotate(out / "clusters.h5ad", source / "reference.csv", out / "cells.h5ad", out / "n.tsv")
"""


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(finished, tmp_path):
    """Also with different numbers of threads allowed and different hash seeds."""
    workflow = Path(__file__).parents[2] / "workflow"
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
        settings = {"PYTHONPATH": str(workflow), "PYTHONHASHSEED": number, "OMP_NUM_THREADS": number}
        command = [sys.executable, "-c", RUN, str(finished), str(tmp_path / number)]
        subprocess.run(command, check=True, env=os.environ | settings)
    for path in sorted((tmp_path / "1").iterdir()):
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes(), path.name
