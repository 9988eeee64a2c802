"""Types learned from a reference of single cells."""

import anndata
import numpy as np
import pandas as pd
import pytest
from analyse_cells import table_of
from scipy import sparse
from shared_data import shared
from transfer_evidence import ASSAYS, Assay, judge, read_spacexr, seen_by

from isthmus.analyse.annotate import transfer_types
from isthmus.analyse.describe import annotate
from isthmus.analyse.reference_cells import CellReference, read_cell_reference
from isthmus.analyse.reference_types import holds_cells
from isthmus.errors import UserError

N_GENES = 40


def shares():
    level = np.full((3, N_GENES), 0.3)
    for kind in range(3):
        level[kind, kind * 10 : kind * 10 + 10] = 3.0
    return level / level.sum(axis=1, keepdims=True)


def drawn(rng, n_each, depth):
    return np.concatenate([rng.multinomial(depth, share, size=n_each) for share in shares()])


@pytest.fixture
def reference():
    counts = drawn(np.random.default_rng(0), 30, 300)
    labels = np.repeat(["A", "B", "C"], 30)
    ids = {"A": "CL:0000001", "B": "CL:0000002"}
    return CellReference(sparse.csr_matrix(counts), tuple(f"G{i}" for i in range(N_GENES)), labels, ids)


def test_cells_of_fewer_counts_get_their_types_and_ids(reference):
    table = table_of(drawn(np.random.default_rng(1), 20, 60))
    learned = transfer_types(table, reference)
    assert (table.obs["cell_type"].astype(str) == np.repeat(["A", "B", "C"], 20)).mean() > 0.95
    assert set(learned.scores) == {"likelihood", "logistic", "both"}
    ids = table.obs["cell_type_ontology_term_id"].astype(str)
    assert set(ids[table.obs["cell_type"] == "A"]) == {"CL:0000001"}
    assert set(ids[table.obs["cell_type"] == "C"]) == {"unknown"}
    assert table.obs["cell_type_confidence"].between(0, 1).all()


def test_a_type_unlike_all_of_the_reference_is_unassigned(reference):
    strange = np.full(N_GENES, 0.2)
    strange[30:] = 4.0
    counts = np.random.default_rng(2).multinomial(100, strange / strange.sum(), size=20)
    table = table_of(np.concatenate([drawn(np.random.default_rng(1), 20, 60), counts]))
    transfer_types(table, reference)
    assert (table.obs["cell_type"][60:] == "unassigned").mean() > 0.9
    assert (table.obs["cell_type_ontology_term_id"][60:] == "unknown").mean() > 0.9


@pytest.mark.parametrize("method", ["likelihood", "logistic", "both"])
def test_a_method_that_is_asked_for_is_taken_and_repeats(reference, method):
    tables = [table_of(drawn(np.random.default_rng(1), 20, 60)) for _ in range(2)]
    learned = [transfer_types(table, reference, method=method) for table in tables]
    assert learned[0].method == method
    pd.testing.assert_frame_equal(tables[0].obs, tables[1].obs)


def test_a_cell_without_counts_and_genes_the_panel_lacks_are_no_obstacle(reference):
    counts = drawn(np.random.default_rng(1), 20, 80)[:, :25]
    counts[0] = 0
    table = table_of(counts, genes=[f"G{i}" for i in range(25)])
    transfer_types(table, reference)
    assert table.obs["cell_type"].iloc[0] == "unassigned"
    assert table.obs["cell_type_confidence"].iloc[0] == 0
    assert (table.obs["cell_type_best"].iloc[20:40] == "B").mean() > 0.9


def test_too_few_shared_genes_are_told(reference):
    table = table_of(np.ones((5, 12)), genes=[f"x{i}" for i in range(12)])
    with pytest.raises(UserError, match="0 of 12 genes are in the reference"):
        transfer_types(table, reference, where="ref.h5ad")


def written(tmp_path, reference, **columns):
    obs = pd.DataFrame({"cell_type": reference.labels, **columns}, index=[f"c{i}" for i in range(90)])
    var = pd.DataFrame(index=list(reference.genes))
    anndata.AnnData(X=reference.counts.astype(np.float32), obs=obs, var=var).write_h5ad(tmp_path / "r.h5ad")
    return tmp_path / "r.h5ad"


def test_a_reference_is_read_from_h5ad_with_its_ids(tmp_path, reference):
    path = written(tmp_path, reference, cell_type_ontology_term_id=np.repeat(["CL:1", "CL:2", ""], 30))
    found = read_cell_reference(path)
    assert (found.counts != reference.counts).nnz == 0
    assert found.ontology == {"A": "CL:1", "B": "CL:2"}
    assert found.types == ["A", "B", "C"]
    assert holds_cells(path, None)


def test_the_step_takes_cells_and_notes_what_it_learned(tmp_path, reference):
    table = table_of(drawn(np.random.default_rng(1), 20, 60))
    table.obs["condition"] = "x"
    table.write_h5ad(tmp_path / "in.h5ad")
    path = written(tmp_path, reference)
    sums = {"pseudobulk_h5ad": tmp_path / "sums.h5ad", "composition_tsv": tmp_path / "shares.tsv"}
    annotate(tmp_path / "in.h5ad", path, tmp_path / "out.h5ad", tmp_path / "n.tsv", n_permutations=3, **sums)
    made = anndata.read_h5ad(tmp_path / "out.h5ad")
    noted = made.uns["isthmus"]["annotation"]
    assert noted["n_reference_cells"] == 90
    assert noted["method"] in ("likelihood", "logistic", "both")
    assert set(noted["macro_f1"]) == {"likelihood", "logistic", "both"}
    assert anndata.read_h5ad(tmp_path / "sums.h5ad").X.sum() == made.layers["counts"].sum()
    assert pd.read_csv(tmp_path / "shares.tsv", sep="\t")["p_value"].isna().all()


def test_types_may_stand_in_a_table_of_their_own_in_any_order(tmp_path, reference):
    names = [f"c{i}" for i in range(90)]
    counts = pd.DataFrame(reference.counts.toarray().T, index=reference.genes, columns=names)
    counts.to_csv(tmp_path / "counts.csv")
    pd.DataFrame({"x": reference.labels}, index=names)[::-1].to_csv(tmp_path / "types.csv")
    found = read_cell_reference(tmp_path / "counts.csv", types=tmp_path / "types.csv")
    assert found.labels.tolist() == reference.labels.tolist()
    assert (found.counts != reference.counts).nnz == 0
    assert not holds_cells(tmp_path / "profiles.csv", None)


def test_types_of_a_handful_of_cells_are_left_out_and_told(tmp_path, reference):
    labels = reference.labels.astype(object)
    labels[:3] = "rare"
    found = read_cell_reference(
        written(tmp_path, CellReference(reference.counts, reference.genes, labels, {}))
    )
    assert found.dropped == ("rare",)
    assert len(found.labels) == 87


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"cell_type": np.repeat("A", 90)}, "1 types of 5 cells or more"),
        ({"cell_type": np.repeat(["A", "unassigned"], 45)}, "1 types of 5 cells or more"),
        ({"cell_type_ontology_term_id": np.repeat("neuron", 90)}, "'neuron' for type 'A'"),
        (
            {"cell_type_ontology_term_id": np.tile(["CL:1", "CL:2"], 45)},
            "several ids for type 'A' .CL:1, CL:2.",
        ),
    ],
)
def test_a_reference_that_cannot_serve_is_told(tmp_path, reference, columns, told):
    with pytest.raises(UserError, match=told):
        read_cell_reference(written(tmp_path, reference, **columns))


def test_a_column_of_another_name_is_hinted_at(tmp_path, reference):
    path = written(tmp_path, reference)
    with pytest.raises(UserError, match="no column 'celltype'.*did you mean 'cell_type'"):
        read_cell_reference(path, column="celltype")


def test_types_of_other_cells_are_told(tmp_path, reference):
    path = written(tmp_path, reference)
    pd.DataFrame({"x": ["A", "B"]}, index=["y1", "y2"]).to_csv(tmp_path / "types.csv")
    with pytest.raises(UserError, match="none of its 2 cells .first: y1. is in r.h5ad .first: c0."):
        read_cell_reference(path, types=tmp_path / "types.csv")


def test_held_back_cells_of_a_real_reference_beat_both_baselines():
    """Five folds by cell of 17 types x 30 cells; the choice of the method is made within each training set."""
    cells = read_spacexr(shared("spacexr_visium_ref"))
    assert (cells.counts.shape, len(cells.types)) == ((510, 307), 17)
    found = judge(cells, None, ("majority", "nearest mean", "auto"))
    assert found["majority"][1] < 0.01
    assert 0.89 < found["nearest mean"][1] < 0.92
    assert found["auto"][1] > found["nearest mean"][1] + 0.01
    assert found["auto"][0] > 0.92


@pytest.mark.slow
def test_a_panel_of_few_genes_and_counts_is_named_no_worse_than_by_the_nearest_profile():
    cells = read_spacexr(shared("spacexr_visium_ref"))
    for name in ("150 genes, 150 counts", "100 genes, 25 counts"):
        found = judge(cells, ASSAYS[name], ("nearest mean", "auto"))
        assert found["auto"][1] > found["nearest mean"][1] + 0.01, name


def test_the_simulated_assay_has_the_genes_and_counts_it_is_asked_for(reference):
    genes, counts = seen_by(reference, Assay(20, 25, 0.5, 0.2), np.random.default_rng(0))
    assert counts.shape == (90, 20)
    assert set(genes) < set(reference.genes)
    assert 15 < np.median(counts.sum(axis=1)) < 40
