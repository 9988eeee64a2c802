"""10x count matrices: the same numbers from every layout, and faults by name."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from isthmus.counts.ten_x import is_ten_x, read_ten_x
from isthmus.errors import UserError

REAL = (
    Path(__file__).parents[2].resolve().parent
    / "shared/data/visium_spatialexperiment/10xVisium/section1/outs/raw_feature_bc_matrix"
)
COUNTS = np.array([[0, 3, 0], [1, 0, 0], [0, 0, 7], [2, 0, 1]])  # barcodes x features
BARCODES = ["AAAC-1", "AAAG-1", "AACC-1", "AAGG-1"]
IDS, NAMES = ["ENSG1", "ENSG2", "ENSG3"], ["A", "B", "A"]
TYPES = ["Gene Expression", "Gene Expression", "Antibody Capture"]


def write_mtx(folder: Path, *, old: bool = False, zipped: bool = False) -> Path:
    """A matrix folder; `old` without types and with genes.tsv."""
    folder.mkdir(parents=True)
    entries = [(f + 1, b + 1, COUNTS[b, f]) for b in range(4) for f in range(3) if COUNTS[b, f]]
    body = "".join(f"{f} {b} {n}\n" for f, b, n in entries)
    features = zip(IDS, NAMES, strict=True) if old else zip(IDS, NAMES, TYPES, strict=True)
    files = {
        "matrix.mtx": f"%%MatrixMarket matrix coordinate integer general\n%made\n3 4 {len(entries)}\n{body}",
        "barcodes.tsv": "".join(f"{name}\n" for name in BARCODES),
        "genes.tsv" if old else "features.tsv": "".join("\t".join(row) + "\n" for row in features),
    }
    for name, text in files.items():
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / name).write_text(text)
    return folder


def write_hdf5(path: Path, *, old: bool = False) -> Path:
    """A matrix file; `old` with a group a genome."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, indptr = [], [0]
    for barcode in COUNTS:
        rows += [(f, n) for f, n in enumerate(barcode) if n]
        indptr.append(len(rows))
    with h5py.File(path, "w") as file:
        group = file.create_group("GRCh38" if old else "matrix")
        group["data"] = np.array([n for _, n in rows], np.int32)
        group["indices"] = np.array([f for f, _ in rows], np.int64)
        group["indptr"] = np.array(indptr, np.int64)
        group["shape"] = np.array([3, 4], np.int32)
        group["barcodes"] = np.array(BARCODES, "S")
        if old:
            group["genes"], group["gene_names"] = np.array(IDS, "S"), np.array(NAMES, "S")
        else:
            for name, values in (("id", IDS), ("name", NAMES), ("feature_type", TYPES)):
                group[f"features/{name}"] = np.array(values, "S")
    return path


MAKERS: dict[str, Callable[[Path], Path]] = {
    "mtx": lambda folder: write_mtx(folder / "m"),
    "mtx zipped": lambda folder: write_mtx(folder / "m", zipped=True),
    "mtx old": lambda folder: write_mtx(folder / "m", old=True),
    "hdf5": lambda folder: write_hdf5(folder / "m.h5"),
    "hdf5 old": lambda folder: write_hdf5(folder / "m.h5", old=True),
}


@pytest.mark.parametrize("layout", MAKERS)
def test_every_layout_gives_the_same_matrix(layout: str, tmp_path: Path) -> None:
    path = MAKERS[layout](tmp_path)
    assert is_ten_x(path)
    matrix = read_ten_x(path, where="row 1")
    assert matrix.counts.dtype == np.int32
    np.testing.assert_array_equal(matrix.counts.toarray(), COUNTS)
    assert (matrix.barcodes.tolist(), matrix.feature_ids.tolist()) == (BARCODES, IDS)
    assert matrix.feature_names.tolist() == NAMES
    assert matrix.feature_types.tolist() == ([*TYPES[:1]] * 3 if "old" in layout else TYPES)


def test_rows_keeps_names_with_counts(tmp_path: Path) -> None:
    matrix = read_ten_x(write_mtx(tmp_path / "m"), where="row 1")
    part = matrix.rows(np.array([False, True, False, True]))
    assert part.barcodes.tolist() == BARCODES[1::2]
    np.testing.assert_array_equal(part.counts.toarray(), COUNTS[1::2])


def test_features_keeps_names_with_counts(tmp_path: Path) -> None:
    part = read_ten_x(write_mtx(tmp_path / "m"), where="row 1").features(np.array([False, True, True]))
    assert (part.feature_ids.tolist(), part.feature_names.tolist()) == (IDS[1:], NAMES[1:])
    np.testing.assert_array_equal(part.counts.toarray(), np.array(COUNTS)[:, 1:])


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared real data are not there")
def test_a_real_folder() -> None:
    matrix = read_ten_x(REAL, where="row 1")
    assert matrix.counts.shape == (50, 50)
    assert (matrix.counts.nnz, int(matrix.counts.sum())) == (338, 682)
    assert matrix.barcodes[0] == "AAACAACGAATAGTTC-1"


@pytest.mark.parametrize("missing", ["matrix.mtx", "barcodes.tsv", "features.tsv"])
def test_a_missing_file_is_named(missing: str, tmp_path: Path) -> None:
    folder = write_mtx(tmp_path / "m")
    (folder / missing).unlink()
    with pytest.raises(UserError, match="there is no (genes.tsv|" + missing + ")"):
        read_ten_x(folder, where="row 1")


def damage_short(folder: Path) -> None:
    (folder / "barcodes.tsv").write_text("AAAC-1\n")


def damage_twice(folder: Path) -> None:
    (folder / "barcodes.tsv").write_text("\n".join([BARCODES[0]] * 4) + "\n")


def damage_matrix(folder: Path) -> None:
    text = (folder / "matrix.mtx").read_text()
    (folder / "matrix.mtx").write_text(text[: len(text) - 8])


def damage_values(folder: Path) -> None:
    text = (folder / "matrix.mtx").read_text().replace("integer", "real").replace(" 7\n", " 0.5\n")
    (folder / "matrix.mtx").write_text(text)


def damage_infinite(folder: Path) -> None:
    text = (folder / "matrix.mtx").read_text().replace("integer", "real").replace(" 7\n", " inf\n")
    (folder / "matrix.mtx").write_text(text)


def damage_large(folder: Path) -> None:
    text = (folder / "matrix.mtx").read_text().replace(" 7\n", " 2147483648\n")
    (folder / "matrix.mtx").write_text(text)


def damage_features(folder: Path) -> None:
    text = (folder / "features.tsv").read_text()
    (folder / "features.tsv").write_text(text.replace("ENSG2\tB\tGene Expression", "ENSG2"))


def damage_ids(folder: Path) -> None:
    text = (folder / "features.tsv").read_text()
    (folder / "features.tsv").write_text(text.replace("ENSG2", "ENSG1"))


def damage_sign(folder: Path) -> None:
    text = (folder / "matrix.mtx").read_text().replace(" 7\n", " -7\n")
    (folder / "matrix.mtx").write_text(text)


def damage_header(folder: Path) -> None:
    text = (folder / "matrix.mtx").read_text().replace("%%MatrixMarket matrix", "matrix")
    (folder / "matrix.mtx").write_text(text)


def damage_size(folder: Path) -> None:
    text = (folder / "matrix.mtx").read_text().replace("3 4 5", "3 4 many")
    (folder / "matrix.mtx").write_text(text)


def damage_type(folder: Path) -> None:
    lines = (folder / "matrix.mtx").read_text().replace("integer", "complex").splitlines()
    entries = [f"{line} 1" for line in lines[3:]]
    (folder / "matrix.mtx").write_text("\n".join([*lines[:3], *entries]) + "\n")


DAMAGES = {
    "1 barcodes are named": damage_short,
    "cell 'AAAC-1' occurs twice": damage_twice,
    "matrix.mtx cannot be read": damage_matrix,
    "the value 0.5 where counts are expected": damage_values,
    "the value -7 where counts are expected": damage_sign,
    "the value inf where counts are expected": damage_infinite,
    "the value 2147483648 where counts are expected": damage_large,
    "features.tsv has 3 columns, but 1 in line 2": damage_features,
    "feature id 'ENSG1' occurs twice": damage_ids,
    "matrix.mtx cannot be read .*Missing banner": damage_header,
    "matrix.mtx cannot be read .*Invalid integer": damage_size,
    "values of type complex128": damage_type,
}


@pytest.mark.parametrize("found", DAMAGES)
def test_damage_is_named(found: str, tmp_path: Path) -> None:
    folder = write_mtx(tmp_path / "m")
    DAMAGES[found](folder)
    with pytest.raises(UserError, match=found):
        read_ten_x(folder, where="row 1")


@pytest.mark.parametrize("name", ["matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz"])
@pytest.mark.parametrize("damage", ["cut", "other"])
def test_a_part_that_is_cut_is_named(name: str, damage: str, tmp_path: Path) -> None:
    folder = write_mtx(tmp_path / "m", zipped=True)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-12] if damage == "cut" else b"something else")
    with pytest.raises(UserError, match=f"{name} cannot be read") as caught:
        read_ten_x(folder, where="row 1")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0.98, 0.7, 0.3])
def test_an_hdf5_file_that_is_cut_is_told(keep: float, tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "c.h5")
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(UserError, match="cannot be read|no HDF5 file"):
        read_ten_x(path, where="row 1")


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("shape", np.array([3, 9], np.int32), "it cannot be read"),
        ("indptr", np.array([0, 1], np.int64), "it cannot be read"),
        ("indices", np.array([0, 9, 1, 1, 2], np.int64), "it cannot be read"),
        ("data", np.array([1, -1, 1, 1, 1], np.int32), "the value -1 where counts are expected"),
        ("data", np.array([1, 0.5, 1, 1, 1]), "the value 0.5 where counts are expected"),
        ("data", np.array(["a"] * 5, "S"), "it cannot be read|values of type"),
        (
            "barcodes",
            np.array(["a"], "S"),
            "3 features and 4 barcodes, but 3 features and 1 barcodes are named",
        ),
    ],
)
def test_an_hdf5_file_whose_parts_do_not_fit_is_told(
    name: str, values: object, told: str, tmp_path: Path
) -> None:
    path = write_hdf5(tmp_path / "c.h5")
    with h5py.File(path, "a") as file:
        del file[f"matrix/{name}"]
        file[f"matrix/{name}"] = values
    with pytest.raises(UserError, match=told):
        read_ten_x(path, where="row 1")


def test_columns_beyond_the_type_are_left_out(tmp_path: Path) -> None:
    folder = write_mtx(tmp_path / "m")
    lines = (folder / "features.tsv").read_text().splitlines()
    (folder / "features.tsv").write_text("".join(f"{line}\tchr1\t10\t20\n" for line in lines))
    assert read_ten_x(folder, where="row 1").feature_types.tolist() == TYPES


def test_features_without_names_go_by_their_ids(tmp_path: Path) -> None:
    folder = write_mtx(tmp_path / "m")
    (folder / "features.tsv").write_text("".join(f"{name}\n" for name in IDS))
    assert read_ten_x(folder, where="row 1").feature_names.tolist() == IDS


def test_files_that_are_no_matrix(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("no")
    assert not is_ten_x(tmp_path / "a.h5")
    with pytest.raises(UserError, match="no HDF5 file"):
        read_ten_x(tmp_path / "a.h5", where="row 1")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["raw"] = [1]
    with pytest.raises(UserError, match="no group 'matrix' \\(it holds raw\\)"):
        read_ten_x(tmp_path / "b.h5", where="row 1")
    whole = write_hdf5(tmp_path / "c.h5")
    shutil.copy(whole, tmp_path / "d.h5")
    with h5py.File(tmp_path / "d.h5", "a") as file:
        del file["matrix/indptr"]
    with pytest.raises(UserError, match="lacks a data set"):
        read_ten_x(tmp_path / "d.h5", where="row 1")
    with pytest.raises(UserError, match="no such file"):
        read_ten_x(tmp_path / "e.h5", where="row 1")
