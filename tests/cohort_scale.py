"""Memory and time of a cohort of any size from generated tables: every step after the samples' own, each a process.

    python tests/cohort_scale.py --samples 16 --cells 125000 --genes 300 --folder /tmp

prints a row a step: CPU seconds, largest resident memory, size of what it wrote. Needs `workflow` on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

N_TYPES = 12
STEPS = {
    "integrate_cohort": "integrate_cohort([*sorted(f.glob('s*.h5ad'))], f / 'joined.h5ad')",
    "analyse": "analyse(f / 'joined.h5ad', f / 'analysed.h5ad', f / 'markers.tsv', method={method!r})",
    "annotate": (
        "annotate(f / 'analysed.h5ad', f / 'reference.csv', f / 'cells.h5ad', f / 'n.tsv',"
        " reference_scale='linear', n_permutations={permutations}, pseudobulk_h5ad=f / 'sums.h5ad',"
        " composition_tsv=f / 'shares.tsv', spatial=dict(n_niches=8, co_occurrence_um=(20.0, 40.0, 80.0, 160.0),"
        " spatial_genes=True))"
    ),
}


def profiles(n_genes: int) -> np.ndarray:
    """Types x genes: shares that differ in a third of the genes."""
    rng = np.random.default_rng(0)
    level = rng.gamma(0.5, 1.0, (1, n_genes)) * np.exp(rng.normal(0, 1.2, (N_TYPES, n_genes)))
    return level / level.sum(axis=1, keepdims=True)


def generated(number: int, n_cells: int, shares: np.ndarray, *, depth: float = 120.0) -> AnnData:
    """A sample as `assess_quality` leaves it: cells 10 um apart, types in patches, a batch effect on genes."""
    rng = np.random.default_rng(number + 1)
    side = int(np.ceil(np.sqrt(n_cells)))
    place = np.stack(np.divmod(np.arange(n_cells), side), axis=1) * 10.0
    patches = rng.integers(0, N_TYPES, (side // 20 + 1, side // 20 + 1))
    kind = patches[(place[:, 0] // 200).astype(int), (place[:, 1] // 200).astype(int)]
    kind = np.where(rng.random(n_cells) < 0.3, rng.integers(0, N_TYPES, n_cells), kind)
    effect = np.exp(rng.normal(0, 0.3, shares.shape[1]))
    parts = []
    for start in range(0, n_cells, 20_000):
        mean = shares[kind[start : start + 20_000]] * effect
        mean *= depth / mean.sum(axis=1, keepdims=True)
        parts.append(sparse.csr_matrix(rng.poisson(mean).astype(np.int32)))
    counts = sparse.vstack(parts, format="csr")
    names = [f"s{number:02d}-{instance}" for instance in range(1, n_cells + 1)]
    obs = pd.DataFrame({"instance_id": np.arange(1, n_cells + 1, dtype=np.int32)}, index=names)
    obs["sample"], obs["batch"] = f"s{number:02d}", f"b{number % 4}"
    obs["condition"] = "ill" if number % 2 else "well"
    obs["qc_pass"], obs["qc_reason"] = True, pd.Categorical([""] * n_cells)
    obs["n_counts"] = np.asarray(counts.sum(axis=1)).ravel().astype(np.int32)
    genes = pd.DataFrame(index=[f"G{gene}" for gene in range(shares.shape[1])])
    table = AnnData(X=counts, obs=obs, var=genes, layers={"counts": counts.copy()})
    table.obsm["spatial"] = place
    return table


def main(words: Sequence[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--cells", type=int, default=5000, help="of each sample")
    parser.add_argument("--genes", type=int, default=300)
    parser.add_argument("--method", choices=("none", "harmony"), default="harmony")
    parser.add_argument("--permutations", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=None, help="where to work; deleted in the end")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder, shares = Path(name), profiles(given.genes)
        frame = pd.DataFrame(shares, columns=[f"G{gene}" for gene in range(given.genes)])
        frame.insert(0, "cell_type", [f"T{kind}" for kind in range(N_TYPES)])
        frame.to_csv(folder / "reference.csv", index=False)
        for number in range(given.samples):
            # lzf, because the generated tables are only read once
            generated(number, given.cells, shares).write_h5ad(
                folder / f"s{number:02d}.h5ad", compression="lzf"
            )
        _say(f"{given.samples * given.cells:,} cells, {given.genes} genes")
        _say("step               CPU s   peak MB   written MB")
        for step, call in STEPS.items():
            _run(folder, step, call.format(method=given.method, permutations=given.permutations))
    return 0


def _run(folder: Path, step: str, call: str) -> None:
    module = "describe" if step == "annotate" else "steps"
    code = f"from pathlib import Path\nfrom isthmus.analyse.{module} import {step}\nf = Path({str(folder)!r})\n{call}\n"
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    process = subprocess.Popen([sys.executable, "-P", "-c", code])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    made = [path for path in folder.iterdir() if before.get(path) != path.stat().st_mtime_ns]
    size = sum(path.stat().st_size for path in made) / 1e6
    said = "" if process.returncode == 0 else f"  FAILED ({process.returncode})"
    seconds = used.ru_utime + used.ru_stime
    _say(f"{step:16} {seconds:8.1f} {used.ru_maxrss / 1024:9.0f} {size:12.0f}{said}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
