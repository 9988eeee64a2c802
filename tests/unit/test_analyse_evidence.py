"""Evidence for the way cells get a type, as reported in docs/annotation.md.

The method of the package is compared with correlation (as in SingleR, doi:10.1038/s41590-018-0276-y) in two
trials: cells generated from an atlas that the reference lacks, and marker genes that the annotation did not
see. Here the trials run small; the whole tables come from

    PYTHONPATH=workflow python tests/unit/test_analyse_evidence.py FOLDER

where FOLDER holds the data set `xenium_breast_small` (`isthmus fetch xenium_breast_small`).
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import rankdata

from isthmus.analyse import annotate
from isthmus.analyse.likelihood import profile_log_likelihood
from isthmus.analyse.reference import Reference

REPOSITORY = Path(__file__).parents[2]
ATLASES = ("EMTAB8107", "GSE114727_inDrop", "GSE148673", "GSE150660", "GSE176078")
# One of these is taken out of the reference with the atlas, so that its cells have no right answer.
REMOVED = ("Endothelial", "Malignant", "Mono/Macro", "Fibroblasts", "B")
MIN_CONFIDENCE, MIN_FIT = 0.5, 0.5


def profiles_of(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Linear shares (rows x genes), types, atlases and genes of a reference table."""
    genes = [name for name in frame.columns if name not in ("ct_idx", "cell_type", "atlas")]
    linear = np.expm1(frame[genes].to_numpy())
    shares = linear / linear.sum(axis=1, keepdims=True)
    return shares, frame["cell_type"].to_numpy(str), frame["atlas"].to_numpy(str), genes


def draw_cells(shares, labels, *, n_cells, depth, rng, spill=0.2):
    """Counts of cells of the given profiles, and their types.

    Each gene has a platform factor (log-normal, sd 0.5), each cell its own level of each gene (gamma, shape
    2), and a share `spill` of the transcripts comes from the mean of all cells.
    """
    frequency = rng.dirichlet(np.full(len(shares), 2.0))
    kind = rng.choice(len(shares), n_cells, p=frequency)
    seen = shares * np.exp(rng.normal(0, 0.5, shares.shape[1]))
    seen /= seen.sum(axis=1, keepdims=True)
    own = seen[kind] * rng.gamma(2.0, 0.5, (n_cells, shares.shape[1]))
    own /= own.sum(axis=1, keepdims=True)
    mixed = (1 - spill) * own + spill * (frequency @ seen)
    return np.stack([rng.multinomial(depth, share) for share in mixed]), labels[kind]


def by_likelihood(counts, reference):
    """Best type, confidence and fit by the method of the package."""
    counts = sparse.csr_matrix(counts)
    posterior, profile = annotate._posterior(
        profile_log_likelihood(counts, reference), reference, np.asarray(counts.sum(axis=1), float).ravel()
    )
    fit = annotate._Fit(reference).of(counts, profile)
    return np.array(reference.types)[posterior.argmax(axis=1)], posterior.max(axis=1), fit


def by_correlation(counts, reference, *, ranks):
    """Best type, confidence from the margin to the next, and the correlation with the best profile."""
    cells = np.log1p(100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    profiles = np.log1p(100 * reference.shares)
    if ranks:
        cells, profiles = rankdata(cells, axis=1), rankdata(profiles, axis=1)
    correlation = annotate._standardised(cells) @ annotate._standardised(profiles).T
    labels, types = np.array(reference.labels), np.array(reference.types)
    score = np.stack([correlation[:, labels == name].max(axis=1) for name in types], axis=1)
    ordered = np.sort(score, axis=1)
    return types[score.argmax(axis=1)], ordered[:, -1] - ordered[:, -2], ordered[:, -1]


METHODS = {
    "likelihood": by_likelihood,
    "correlation (Spearman)": lambda counts, reference: by_correlation(counts, reference, ranks=True),
    "correlation (Pearson)": lambda counts, reference: by_correlation(counts, reference, ranks=False),
}


def area_under_curve(high, low) -> float:
    """Probability that a value of `high` is above one of `low`."""
    rank = rankdata(np.concatenate([high, low]))[: len(high)]
    return (rank.sum() - len(high) * (len(high) + 1) / 2) / (len(high) * len(low))


def trial_of_atlases(
    frame, *, atlases=ATLASES, depths=(20, 50, 100, 200), n_cells=300, seeds=3, methods=METHODS
):
    """One row a method and generated cell; the reference lacks the cell's atlas and one type besides."""
    shares, labels, atlas_of, genes = profiles_of(frame)
    parts = []
    for seed in range(seeds):
        for depth in depths:
            for number, atlas in enumerate(atlases):
                rng = np.random.default_rng([seed, depth, number])
                own = atlas_of == atlas
                present = [name for name in REMOVED if name in labels[own]]
                removed = present[(number + seed) % len(present)]
                counts, truth = draw_cells(shares[own], labels[own], n_cells=n_cells, depth=depth, rng=rng)
                kept = ~own & (labels != removed)
                reference = Reference(tuple(genes), tuple(labels[kept]), shares[kept])
                for name, method in methods.items():
                    best, confidence, fit = method(counts, reference)
                    columns = {"method": name, "depth": depth, "truth": truth, "best": best}
                    known = np.isin(truth, labels[kept])
                    parts.append(
                        pd.DataFrame({**columns, "confidence": confidence, "fit": fit, "known": known})
                    )
    cells = pd.concat(parts, ignore_index=True)
    cells["right"] = cells["best"] == cells["truth"]
    return cells


def summarise(cells):
    """A row for each method and depth: how many are right, and how well new types are noticed."""
    rows = []
    for (method, depth), part in cells.groupby(["method", "depth"], sort=False):
        known, new = part[part["known"]], part[~part["known"]]
        rows.append(
            {
                "method": method,
                "depth": depth,
                "right": known["right"].mean(),
                "right, mean of types": known.groupby("truth")["right"].mean().mean(),
                "new noticed by confidence (AUC)": area_under_curve(known["confidence"], new["confidence"]),
                "new noticed by fit (AUC)": area_under_curve(known["fit"], new["fit"]),
            }
        )
    return pd.DataFrame(rows)


def trial_of_thresholds(cells):
    """For each depth, at the default thresholds: who is assigned, rightly or not, and who refused."""
    cells = cells[cells["method"] == "likelihood"]
    rows = []
    for depth, part in cells.groupby("depth"):
        kept = (part["confidence"] >= MIN_CONFIDENCE) & (part["fit"] >= MIN_FIT)
        known = part["known"]
        rows.append(
            {
                "depth": depth,
                "known assigned": kept[known].mean(),
                "right of them": part.loc[kept & known, "right"].mean(),
                "new refused": 1 - kept[~known].mean(),
            }
        )
    return pd.DataFrame(rows)


def calibration(cells):
    """Share that is right for each band of confidence, cells of known types."""
    cells = cells[(cells["method"] == "likelihood") & cells["known"]]
    band = pd.cut(cells["confidence"], [0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1])
    return cells.groupby(band, observed=True).agg(cells=("right", "size"), right=("right", "mean"))


def trial_of_markers(counts, reference, markers, *, splits=4, smallest=10):
    """Do cells of a type show its markers? Annotated with one half of the genes, judged with the other.

    Parameters
    ----------
    counts
        Cells x genes.
    markers
        {'positive': types x genes of 0 and 1, 'negative': the same}, over the reference's genes.
    """
    found = {name: {"positive": [], "negative": [], "same": []} for name in METHODS}
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(counts.shape[1])
        for seen, kept_back in (
            np.split(order, 2 * [len(order) // 2])[::2],
            np.split(order, [len(order) // 2])[::-1],
        ):
            shares = reference.shares[:, seen]
            half = Reference(tuple(seen), reference.labels, shares / shares.sum(axis=1, keepdims=True))
            best = {name: method(counts[:, seen], half)[0] for name, method in METHODS.items()}
            sizes = pd.DataFrame(
                {name: pd.Series(types).value_counts() for name, types in best.items()}
            ).fillna(0)
            for kind, table in markers.items():
                part = table.iloc[:, kept_back]
                useful = [t for t in sizes.index[(sizes >= smallest).all(axis=1)] if part.loc[t].sum() > 0]
                total = np.maximum(counts[:, kept_back].sum(axis=1), 1)
                for name, types in best.items():
                    for label in useful:
                        share = counts[:, kept_back] @ part.loc[label].to_numpy() / total
                        area = area_under_curve(share[types == label], share[types != label])
                        found[name][kind].append(area if kind == "positive" else 1 - area)
    for name, method in METHODS.items():
        first = np.random.default_rng(splits).binomial(counts, 0.5)
        found[name]["same"].append(
            (method(first, reference)[0] == method(counts - first, reference)[0]).mean()
        )
    return pd.DataFrame(
        {name: {kind: np.mean(values) for kind, values in row.items()} for name, row in found.items()}
    ).T


def generated_reference(seed=0) -> pd.DataFrame:
    """A reference table of 8 types in 3 atlases over 120 genes, 8 genes of each type its own."""
    rng = np.random.default_rng(seed)
    base = rng.gamma(0.5, 1.0, 120)
    rows = []
    for _ in range(3):
        for number in range(8):
            level = base.copy()
            level[number * 8 : number * 8 + 8] += 4.0
            rows.append(np.log1p(level * np.exp(rng.normal(0, 0.4, 120))))
    frame = pd.DataFrame(rows, columns=[f"G{gene}" for gene in range(120)])
    frame["cell_type"] = [*REMOVED, "NK", "Mast", "Plasma"] * 3
    frame["atlas"] = np.repeat(["a0", "a1", "a2"], 8)
    return frame


def small_trial(frame, atlases):
    few = {name: METHODS[name] for name in ("likelihood", "correlation (Spearman)")}
    return trial_of_atlases(frame, atlases=atlases, depths=(50,), n_cells=120, seeds=1, methods=few)


def demo_folder() -> Path:
    return REPOSITORY / ".cache" / "isthmus" / "data" / "xenium_breast_small"


def demo_reference(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "reference" / "sc_breast.csv", index_col=0)


def demo_counts(folder: Path, genes: list[str]) -> np.ndarray:
    """The vendor's cells with 10 transcripts (qv >= 20) or more, cells x genes."""
    rows = pd.read_csv(folder / "transcripts.csv", usecols=["cell_id", "feature_name", "qv"])
    rows = rows[(rows["cell_id"] != -1) & (rows["qv"] >= 20)]
    counts = (
        pd.crosstab(rows["cell_id"], rows["feature_name"]).reindex(columns=genes, fill_value=0).to_numpy()
    )
    return counts[counts.sum(axis=1) >= 10]


def demo_markers(folder: Path, genes: list[str]) -> dict[str, pd.DataFrame]:
    files = {"positive": "sc_breast_markers_pos.csv", "negative": "sc_breast_markers_neg.csv"}
    return {
        kind: pd.read_csv(folder / "reference" / name, index_col=0)[genes] for kind, name in files.items()
    }


def test_the_likelihood_is_right_at_least_as_often_as_correlation():
    table = summarise(small_trial(generated_reference(), ("a0", "a1"))).set_index("method")
    assert table.loc["likelihood", "right"] > 0.8
    assert table.loc["likelihood", "right"] >= table.loc["correlation (Spearman)", "right"]


def test_a_type_that_the_reference_lacks_is_noticed_by_its_fit_not_by_its_confidence():
    table = summarise(small_trial(generated_reference(), ("a0", "a1"))).set_index("method")
    assert table.loc["likelihood", "new noticed by fit (AUC)"] > 0.8


def test_confidence_means_what_it_says():
    cells = trial_of_atlases(
        generated_reference(),
        atlases=("a0", "a1"),
        depths=(20,),
        seeds=1,
        methods={"likelihood": by_likelihood},
    )
    known = cells[cells["known"]]
    sure, unsure = known[known["confidence"] >= 0.8], known[known["confidence"] < 0.5]
    assert sure["right"].mean() > 0.8 > unsure["right"].mean()


def test_on_the_real_reference_the_likelihood_wins_over_correlation():
    if not (demo_folder() / "reference").is_dir():
        pytest.skip("needs the data set xenium_breast_small; `isthmus fetch xenium_breast_small` brings it")
    table = summarise(small_trial(demo_reference(demo_folder()), ATLASES)).set_index("method")
    assert table.loc["likelihood", "right"] > table.loc["correlation (Spearman)", "right"]
    assert table.loc["likelihood", "new noticed by fit (AUC)"] > 0.7


def main(folder: Path) -> None:
    frame = demo_reference(folder)
    shares, labels, _, genes = profiles_of(frame)
    cells = trial_of_atlases(frame)
    reference = Reference(tuple(genes), tuple(labels), shares)
    markers = trial_of_markers(demo_counts(folder, genes), reference, demo_markers(folder, genes))
    for table in (summarise(cells), trial_of_thresholds(cells), calibration(cells), markers):
        sys.stdout.write(table.round(3).to_string() + "\n\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
