import numpy as np
import pandas as pd
import pytest
from analyse_cells import table_of
from scipy import sparse
from scipy.special import gammaln
from test_analyse_evidence import generated_reference

from isthmus.analyse.annotate import annotate_cells
from isthmus.analyse.likelihood import CONCENTRATION, _Occurrences
from isthmus.analyse.reference import Reference, read_reference
from isthmus.errors import UserError

GENES = [f"G{number}" for number in range(24)]


def distinct_reference() -> Reference:
    """Three types, each with 8 genes that the others hardly have."""
    level = np.full((3, 24), 0.2)
    for kind in range(3):
        level[kind, kind * 8 : kind * 8 + 8] = 5.0
    return Reference(tuple(GENES), ("A", "B", "C"), level / level.sum(axis=1, keepdims=True))


def drawn(shares, *, depth=100, n_each=20, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.multinomial(depth, share, size=n_each) for share in shares])


def frame_of(**columns) -> pd.DataFrame:
    genes = {gene: [1.0, 2.0] for gene in GENES}
    return pd.DataFrame({"cell_type": ["A", "B"], **genes, **columns})


def written(tmp_path, frame, name="reference.csv"):
    path = tmp_path / name
    frame.to_csv(path, sep="\t" if ".tsv" in name else ",")
    return path


def test_cells_of_distinct_types_are_told_apart():
    reference = distinct_reference()
    table = table_of(drawn(reference.shares))
    annotate_cells(table, reference)
    assert table.obs["cell_type"].tolist() == ["A"] * 20 + ["B"] * 20 + ["C"] * 20
    assert list(table.obs["cell_type"].cat.categories) == ["A", "B", "C", "unassigned"]
    assert table.obs["cell_type_confidence"].min() > 0.9
    assert table.obs["cell_type_fit"].between(0, 1).all()


def test_a_cell_unlike_every_profile_is_unassigned_and_its_best_type_still_named():
    reference = distinct_reference()
    known = Reference(reference.genes, ("A", "B"), reference.shares[:2])
    table = table_of(drawn(reference.shares))
    annotate_cells(table, known)
    assert table.obs["cell_type"].tolist()[40:] == ["unassigned"] * 20
    assert set(table.obs["cell_type_best"][40:]) <= {"A", "B"}
    assert (table.obs["cell_type"][:40] != "unassigned").all()


def test_a_cell_between_two_types_is_unassigned_for_lack_of_confidence():
    reference = distinct_reference()
    between = reference.shares[0] + reference.shares[1]
    table = table_of(np.concatenate([drawn(reference.shares), [np.round(30 * between)]]).astype(int))
    annotate_cells(table, reference, min_confidence=0.7)
    assert table.obs["cell_type"].iloc[-1] == "unassigned"
    assert table.obs["cell_type_confidence"].iloc[-1] == pytest.approx(0.5, abs=0.15)


def test_a_cell_without_counts_is_unassigned_with_no_confidence():
    table = table_of(np.concatenate([drawn(distinct_reference().shares, n_each=2), np.zeros((1, 24), int)]))
    annotate_cells(table, distinct_reference(), min_confidence=0, min_fit=0)
    last = table.obs.iloc[-1]
    assert (last["cell_type"], last["cell_type_confidence"]) == ("unassigned", 0.0)


def test_thresholds_of_zero_assign_every_cell_with_counts():
    table = table_of(np.random.default_rng(0).poisson(2, (30, 24)))
    annotate_cells(table, distinct_reference(), min_confidence=0, min_fit=0)
    assert (table.obs["cell_type"] != "unassigned").all()


def test_few_transcripts_mean_less_confidence():
    reference = distinct_reference()
    confidence = []
    for depth in (3, 100):
        table = table_of(drawn(reference.shares, depth=depth))
        annotate_cells(table, reference)
        confidence.append(table.obs["cell_type_confidence"].mean())
    assert confidence[0] < confidence[1]


def test_fit_does_not_depend_on_the_number_of_transcripts():
    reference = distinct_reference()
    for depth in (12, 50, 400):
        table = table_of(drawn(reference.shares, depth=depth, n_each=60))
        annotate_cells(table, reference)
        assert table.obs["cell_type_fit"].mean() == pytest.approx(0.98, abs=0.05)


def test_the_order_of_genes_and_genes_without_reference_do_not_matter():
    reference = distinct_reference()
    counts = drawn(reference.shares)
    plain, mixed = (
        table_of(counts),
        table_of(np.column_stack([counts, counts[:, 0]])[:, ::-1], genes=["X", *GENES[::-1]]),
    )
    annotate_cells(plain, reference)
    annotate_cells(mixed, reference)
    assert plain.obs["cell_type"].tolist() == mixed.obs["cell_type"].tolist()
    np.testing.assert_allclose(
        plain.obs["cell_type_confidence"], mixed.obs["cell_type_confidence"], rtol=1e-9
    )


def test_many_profiles_are_no_advantage_to_a_type():
    reference = distinct_reference()
    often = Reference(reference.genes, ("A", "B", "C", "C"), reference.shares[[0, 1, 2, 2]])
    one, other = table_of(drawn(reference.shares, depth=6)), table_of(drawn(reference.shares, depth=6))
    annotate_cells(one, Reference(reference.genes, ("A", "B", "C"), reference.shares))
    annotate_cells(other, often)
    difference = one.obs["cell_type_confidence"] - other.obs["cell_type_confidence"]
    assert difference.abs().max() < 0.05


def test_the_likelihood_is_the_dirichlet_multinomial():
    counts = np.array([[0, 3, 1], [2, 0, 0]])
    mixture = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
    scores = _Occurrences(sparse.csr_matrix(counts)).score(mixture)
    prior = CONCENTRATION * mixture
    for cell in range(2):
        for profile in range(2):
            expected = (gammaln(counts[cell] + prior[profile]) - gammaln(prior[profile])).sum()
            assert scores[cell, profile] == pytest.approx(expected)


def test_one_cell_alone_can_be_annotated():
    reference = distinct_reference()
    table = table_of(drawn(reference.shares[:1], n_each=1))
    annotate_cells(table, reference)
    assert table.obs["cell_type"].tolist() == ["A"]


def test_genes_that_are_not_shared_are_told():
    with pytest.raises(UserError, match=r"ref\.csv: 0 of 24 genes are in the reference, 10 are needed"):
        annotate_cells(
            table_of(np.ones((2, 24), int), genes=[f"x{n}" for n in range(24)]),
            distinct_reference(),
            where="ref.csv",
        )


def test_genes_of_another_species_are_guessed():
    with pytest.raises(UserError, match="upper and lower case"):
        annotate_cells(
            table_of(np.ones((2, 24), int), genes=[g.lower() for g in GENES]), distinct_reference()
        )


@pytest.mark.parametrize("name", ["reference.csv", "reference.tsv", "reference.csv.gz"])
def test_a_reference_is_read_with_types_and_genes(tmp_path, name):
    frame = generated_reference()
    reference = read_reference(written(tmp_path, frame, name))
    assert reference.labels == tuple(frame["cell_type"])
    assert reference.genes == tuple(f"G{number}" for number in range(120))
    np.testing.assert_allclose(reference.shares.sum(axis=1), 1)
    linear = np.expm1(frame[["G0", "G1"]].iloc[0])
    assert reference.shares[0, 0] / reference.shares[0, 1] == pytest.approx(linear["G0"] / linear["G1"])


def test_a_linear_reference_is_taken_as_it_is(tmp_path):
    reference = read_reference(written(tmp_path, frame_of(G0=[100.0, 1.0])), scale="linear")
    assert reference.shares[0, 0] == pytest.approx(100 / 123)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell_type": None, "Cell_Type": ["A", "B"]}, r"no column 'cell_type'.*did you mean 'Cell_Type'\?"),
        ({"cell_type": ["A", None]}, r"reference.csv, line 3: no value in column 'cell_type'"),
        ({"cell_type": ["A", "A"]}, "a single cell type"),
        ({"cell_type": ["A", "unassigned"]}, "a type called 'unassigned'"),
        ({"G3": [1.0, -0.5]}, r"line 3, column 'G3': '-0.5' where expression is expected"),
        ({"G3": [1.0, None]}, r"line 3, column 'G3': 'nan' where"),
        ({"G3": ["high", 1.0]}, r"line 2, column 'G3': 'high' where"),
        ({"G3": [1.0, np.inf]}, r"line 3, column 'G3': 'inf' where"),
        ({"G3": [1.0, 950.0]}, "a value of 950, too large for a mean of log1p expression"),
        ({gene: [0.0, 1.0] for gene in GENES}, r"profile 1 \('A'\) is 0 in all 24 genes"),
        (dict.fromkeys(GENES), "no column of a gene"),
    ],
)
def test_each_fault_of_a_reference_is_told(tmp_path, change, message):
    frame = frame_of()
    for column, values in change.items():
        if values is None:
            del frame[column]
        else:
            frame[column] = values
    with pytest.raises(UserError, match=message):
        read_reference(written(tmp_path, frame))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("cell_type,G1,G2\n", "a header without rows"),
        ("cell_type,G1,G1\nA,1,2\nB,2,3\n", "column 'G1' occurs twice"),
        ("cell_type,G1\nA,1\nB,2,3,4\n", "not a table"),
    ],
)
def test_a_broken_file_is_told(tmp_path, text, message):
    path = tmp_path / "reference.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_reference(path)


def test_binary_content_is_told(tmp_path):
    path = tmp_path / "reference.csv"
    path.write_bytes(b"\x89PNG\r\n\xff\xfe\x00")
    with pytest.raises(UserError, match="not a table"):
        read_reference(path)


def test_a_missing_reference_is_told(tmp_path):
    with pytest.raises(UserError, match="no such reference table"):
        read_reference(tmp_path / "nowhere.csv")
