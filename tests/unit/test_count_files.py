"""Tables of counts by whatever file they come in; loom follows the format's description, the others have real files."""

import gzip

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import io, sparse
from shared_data import shared

from isthmus.analyse.count_files import read_counts
from isthmus.counts.gene_names import gene_names
from isthmus.counts.headers import read_header
from isthmus.errors import UserError

GENES, IDS, CELLS = ["Actb", "Gad1", "Sst"], ["E1", "E2", "E3"], ["AAA-1", "CCC-1", "GGG-1", "TTT-1"]
COUNTS = np.array([[1, 0, 5], [0, 0, 2], [7, 3, 0], [0, 1, 0]])


def check(table, *, ids=True):
    assert table.obs_names.tolist() == CELLS
    assert table.var_names.tolist() == GENES
    assert table.X.dtype == np.int32
    assert table.X.toarray().tolist() == COUNTS.tolist()
    if ids:
        assert table.var["gene_id"].tolist() == IDS


def folder_of(path, *, new=True):
    path.mkdir()
    io.mmwrite(path / "matrix.mtx", sparse.coo_matrix(COUNTS.T))
    rows = zip(IDS, GENES, strict=True)
    extra = "\tGene Expression" if new else ""
    name = "features.tsv" if new else "genes.tsv"
    (path / name).write_text("".join(f"{i}\t{g}{extra}\n" for i, g in rows))
    (path / "barcodes.tsv").write_text("".join(f"{cell}\n" for cell in CELLS))
    if new:
        for file in list(path.iterdir()):
            (path / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
            file.unlink()
    return path


def hdf5_of(path, *, version):
    matrix = sparse.csr_matrix(COUNTS)
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix" if version == 3 else "mm10")
        group["data"], group["indices"], group["indptr"] = matrix.data, matrix.indices, matrix.indptr
        group["shape"] = np.array([3, 4])
        group["barcodes"] = np.array(CELLS, dtype="S")
        if version == 3:
            features = group.create_group("features")
            features["id"], features["name"] = np.array(IDS, dtype="S"), np.array(GENES, dtype="S")
            features["feature_type"] = np.array(["Gene Expression"] * 3, dtype="S")
        else:
            group["genes"], group["gene_names"] = np.array(IDS, dtype="S"), np.array(GENES, dtype="S")
    return path


def loom_of(path, **but):
    with h5py.File(path, "w") as file:
        file["matrix"] = COUNTS.T.astype(np.float32)
        file["row_attrs/Gene"] = np.array(GENES, dtype="S")
        file["row_attrs/Accession"] = np.array(IDS, dtype="S")
        file["col_attrs/CellID"] = np.array(CELLS, dtype="S")
        file["col_attrs/ClusterName"] = np.array(["a", "a", "b", "b"], dtype="S")
        for name in but.get("without", ()):
            del file[name]
    return path


@pytest.mark.parametrize("new", [True, False], ids=["features.tsv.gz", "genes.tsv"])
def test_matrix_folders_old_and_new(tmp_path, new):
    check(read_counts(folder_of(tmp_path / "m", new=new)))


@pytest.mark.parametrize("version", [2, 3])
def test_10x_hdf5_of_both_versions(tmp_path, version):
    check(read_counts(hdf5_of(tmp_path / "counts.h5", version=version)))


def test_loom(tmp_path):
    table = read_counts(loom_of(tmp_path / "counts.loom"))
    check(table)
    assert table.obs["ClusterName"].tolist() == ["a", "a", "b", "b"]


@pytest.mark.parametrize("place", ["X", "raw", "counts"])
def test_h5ad_counts_lie_in_a_layer_in_raw_or_in_x(tmp_path, place):
    table = anndata.AnnData(
        X=sparse.csr_matrix(COUNTS.astype(np.float32)),
        obs=pd.DataFrame(index=CELLS),
        var=pd.DataFrame(index=GENES),
    )
    if place == "raw":
        table.raw = table.copy()
    if place == "counts":
        table.layers["counts"] = table.X.copy()
    if place != "X":
        table.X = sparse.csr_matrix(np.log1p(COUNTS))
    table.write_h5ad(tmp_path / "c.h5ad")
    check(read_counts(tmp_path / "c.h5ad"), ids=False)


@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".tsv", "\t"), (".csv.gz", ",")])
def test_text_with_genes_in_rows_or_cells_in_rows(tmp_path, suffix, separator):
    frame = pd.DataFrame(COUNTS, index=CELLS, columns=GENES)
    frame.T.to_csv(tmp_path / f"genes{suffix}", sep=separator)
    frame.to_csv(tmp_path / f"cells{suffix}", sep=separator, index_label="cell")
    check(read_counts(tmp_path / f"genes{suffix}"), ids=False)
    check(read_counts(tmp_path / f"cells{suffix}"), ids=False)


def test_genes_of_one_name_are_told_apart_by_their_ids(tmp_path):
    folder = folder_of(tmp_path / "m", new=False)
    (folder / "genes.tsv").write_text("E1\tActb\nE2\tActb\nE3\tSst\n")
    assert read_counts(folder).var_names.tolist() == ["Actb-E1", "Actb-E2", "Sst"]


def broken_folder(change):
    def make(tmp_path):
        folder = folder_of(tmp_path / "m", new=False)
        change(folder)
        return folder

    return make


def h5ad_of(values):
    def make(tmp_path):
        obs, var = pd.DataFrame(index=CELLS), pd.DataFrame(index=GENES)
        anndata.AnnData(X=values, obs=obs, var=var).write_h5ad(tmp_path / "c.h5ad")
        return tmp_path / "c.h5ad"

    return make


def cut(name):
    """A whole file without its last part."""

    def make(tmp_path):
        path = tmp_path / name
        if name.endswith(".h5"):
            hdf5_of(path, version=3)
        elif name.endswith(".loom"):
            loom_of(path)
        elif name.endswith(".h5ad"):
            h5ad_of(COUNTS)(tmp_path)
        else:
            pd.DataFrame(COUNTS, index=CELLS, columns=GENES).to_csv(path)
        path.write_bytes(path.read_bytes()[: -max(12, path.stat().st_size // 3)])
        return path

    return make


def file_of(name, content):
    def make(tmp_path):
        (tmp_path / name).write_text(content)
        return tmp_path / name

    return make


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            broken_folder(lambda f: (f / "matrix.mtx").unlink()),
            "no matrix.mtx .or .gz. in the folder, only barcodes.tsv",
        ),
        (
            broken_folder(lambda f: (f / "genes.tsv").unlink()),
            "no features.tsv .or .gz.",
        ),
        (
            broken_folder(lambda f: (f / "barcodes.tsv").write_text("A\n")),
            "3 features and 4 barcodes, but 3 features and 1 barcodes are named",
        ),
        (
            broken_folder(lambda f: (f / "matrix.mtx").write_text((f / "matrix.mtx").read_text()[:-8])),
            "matrix.mtx cannot be read",
        ),
        (file_of("c.csv", ""), "the file is empty"),
        (file_of("c.csv", ",a,b\n"), "a header without rows"),
        (file_of("c.csv", ",a,b\nx,1,two\n"), "'two' where a count is expected"),
        (file_of("c.csv", ",a,b\nx,1,\n"), "column 'b': an empty field"),
        (file_of("c.csv", ",a,b\nx,1,1.5\n"), "the value 1.5 where counts are expected"),
        (file_of("c.csv", ",a,b\nx,1,-2\n"), "the value -2 where counts are expected"),
        (file_of("c.csv", "cell,a,b\nx,1,2\nx,1,2\n"), "cell 'x' occurs twice"),
        (file_of("c.rds", "x"), "no table of counts that is known"),
        (file_of("c.h5", "x"), "it is no HDF5 file"),
        (file_of("c.h5ad", "x"), "not a readable h5ad file"),
        (file_of("c.loom", "x"), "it cannot be read"),
        (file_of("c.csv.gz", "x"), "it cannot be read .Not a gzipped file"),
        (cut("c.csv.gz"), "it cannot be read .Compressed file ended"),
        (cut("c.h5ad"), "not a readable h5ad file"),
        (cut("c.loom"), "it cannot be read"),
        (cut("c.h5"), "it cannot be read"),
        (h5ad_of(None), "no matrix X"),
        (h5ad_of(np.log1p(COUNTS)), "the value 0.69.* where counts are expected"),
        (h5ad_of(-COUNTS), "the value -1 where counts are expected"),
        (lambda p: loom_of(p / "c.loom", without=["row_attrs/Gene"]), "none of Gene, .*only Accession"),
        (lambda p: loom_of(p / "c.loom", without=["matrix"]), "no matrix with row_attrs and col_attrs"),
    ],
)
def test_what_is_no_table_of_counts_is_told(tmp_path, make, told):
    with pytest.raises(UserError, match=told):
        read_counts(make(tmp_path))


def test_an_hdf5_of_two_genomes_is_told(tmp_path):
    path = hdf5_of(tmp_path / "c.h5", version=2)
    with h5py.File(path, "a") as file:
        file.copy("mm10", "hg38")
    with pytest.raises(UserError, match="2 groups that hold a matrix .hg38, mm10."):
        read_counts(path)


@pytest.mark.parametrize("section", ["section1", "section2"])
def test_a_real_matrix_folder(section):
    folder = shared("visium_spatialexperiment") / "10xVisium" / section / "outs" / "raw_feature_bc_matrix"
    table = read_counts(folder)
    head = (folder / "matrix.mtx").read_text().splitlines()[1].split()
    assert [table.n_vars, table.n_obs, table.X.nnz] == [int(word) for word in head]
    assert table.var["gene_id"].str.startswith("ENSMUSG").all()


def test_a_real_table_of_text():
    table = read_counts(shared("spacexr_visium_ref") / "counts.csv")
    assert (table.shape, int(table.X.max())) == ((510, 307), 3713)


MAKERS = {
    "folder": lambda p: folder_of(p / "m"),
    "folder by its file": lambda p: folder_of(p / "m", new=False) / "matrix.mtx",
    "hdf5 3": lambda p: hdf5_of(p / "c.h5", version=3),
    "hdf5 2": lambda p: hdf5_of(p / "c.h5", version=2),
    "h5ad": h5ad_of(sparse.csr_matrix(COUNTS)),
    "h5ad dense": h5ad_of(COUNTS),
    "loom": lambda p: loom_of(p / "c.loom"),
    "genes in rows": lambda p: text_of(p / "c.csv", genes_in_rows=True),
    "cells in rows": lambda p: text_of(p / "c.tsv.gz", genes_in_rows=False),
}


def text_of(path, *, genes_in_rows):
    frame = pd.DataFrame(COUNTS, index=CELLS, columns=GENES)
    separator = "\t" if ".tsv" in path.suffixes else ","
    (frame.T if genes_in_rows else frame).to_csv(
        path, sep=separator, index_label="gene" if genes_in_rows else "cell"
    )
    return path


@pytest.mark.parametrize("kind", MAKERS)
def test_headers_tell_the_size_without_reading_on(tmp_path, kind):
    header = read_header(MAKERS[kind](tmp_path), where="row 1")
    if header.is_exact:
        assert (header.n_cells, header.n_genes, header.n_values) == (4, 3, 6)
    else:
        assert 1 <= header.n_cells <= 12
        assert 1 <= header.n_values <= 12
    assert header.tested_on_real_files == ("folder" in kind or "in rows" in kind)
    assert ("ClusterName" in header.columns) == (kind == "loom")


def without(name):
    def make(tmp_path):
        path = hdf5_of(tmp_path / "c.h5", version=3)
        with h5py.File(path, "a") as file:
            del file[name]
        return path

    return make


def one_barcode(folder):
    (folder / "barcodes.tsv").write_text("A\n")


def one_feature(folder):
    (folder / "genes.tsv").write_text("E1\tActb\n")


def header_of(text):
    return broken_folder(lambda folder: (folder / "matrix.mtx").write_text(text))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (broken_folder(lambda f: (f / "matrix.mtx").unlink()), "there is no matrix.mtx"),
        (broken_folder(one_barcode), "barcodes.tsv names 1 barcodes, matrix.mtx has 4"),
        (broken_folder(one_feature), "genes.tsv names 1 features, matrix.mtx has 3"),
        (header_of(""), "no header of a Matrix Market file"),
        (header_of("3 4 6\n1 1 1\n"), "it does not begin with %%MatrixMarket matrix"),
        (header_of("%%MatrixMarket matrix array integer general\n3 4\n"), "not of the kind 'coordinate'"),
        (
            header_of("%%MatrixMarket matrix coordinate integer general\n%\n3 4\n"),
            "no header of a Matrix Market",
        ),
        (without("matrix/shape"), "not a readable table of counts"),
        (without("matrix/barcodes"), "not a readable table of counts"),
        (without("matrix/data"), "not a readable table of counts"),
        (without("matrix"), "it holds no group 'matrix' .it holds nothing"),
        (cut("c.h5"), "not a readable table of counts"),
        (cut("c.h5ad"), "not a readable table of counts"),
        (cut("c.loom"), "not a readable table of counts"),
        (h5ad_of(None), "it lacks X, obs or var"),
        (lambda p: loom_of(p / "c.loom", without=["row_attrs/Gene"]), "none of Gene"),
        (file_of("c.csv", ""), "the file is empty"),
        (file_of("c.csv", ",a,b\n"), "a header without rows"),
        (file_of("c.csv", "a\tb\n1\t2\n"), "1 columns in the first line"),
        (file_of("c.csv", ",a,b\nx,1\n"), "3 columns in the first line and 2 in the second"),
        (file_of("c.csv.gz", "x"), "not a readable table of counts"),
        (file_of("c.rds", "x"), "no table of counts that is known"),
    ],
)
def test_headers_tell_what_is_wrong(tmp_path, make, told):
    with pytest.raises(UserError, match=told) as caught:
        read_header(make(tmp_path), where="row 1")
    assert str(caught.value).startswith("row 1")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("section", ["section1", "section2"])
def test_the_header_of_a_real_folder_is_that_of_its_matrix(section):
    folder = shared("visium_spatialexperiment") / "10xVisium" / section / "outs" / "raw_feature_bc_matrix"
    header, table = read_header(folder, where="row 1"), read_counts(folder)
    assert (header.n_cells, header.n_genes, header.n_values) == (table.n_obs, table.n_vars, table.X.nnz)


def test_the_header_of_a_real_table_of_text_is_near():
    header = read_header(shared("spacexr_visium_ref") / "counts.csv", where="row 1")
    table = read_counts(shared("spacexr_visium_ref") / "counts.csv")
    assert 0.5 < header.n_cells / table.n_obs < 2
    assert 0.5 < header.n_genes / table.n_vars < 2
    assert 0.3 < header.n_values / table.X.nnz < 3


@pytest.mark.parametrize("kind", MAKERS)
def test_names_of_genes_are_told_without_counts(tmp_path, kind):
    path = MAKERS[kind](tmp_path)
    assert gene_names(path, where="row 1") == (None if "in rows" in kind else GENES)


@pytest.mark.parametrize("place", ["X", "raw", "counts"])
def test_names_of_an_h5ad_are_those_of_the_counts_that_are_read(tmp_path, place):
    """Ids are the index here, symbols a column; raw may have more genes than X."""
    var = pd.DataFrame({"feature_name": pd.Categorical(GENES)}, index=IDS)
    table = anndata.AnnData(X=sparse.csr_matrix(COUNTS), obs=pd.DataFrame(index=CELLS), var=var)
    if place == "raw":
        table.raw = table.copy()
        table = table[:, :1].copy()
    if place == "counts":
        table.layers["counts"] = table.X.copy()
    table.write_h5ad(tmp_path / "c.h5ad")
    assert (
        gene_names(tmp_path / "c.h5ad", where="row 1")
        == GENES
        == read_counts(tmp_path / "c.h5ad").var_names.tolist()
    )


@pytest.mark.parametrize("name", ["c.h5", "c.h5ad", "c.loom"])
def test_names_that_cannot_be_read_are_told(tmp_path, name):
    with pytest.raises(UserError, match="names of genes cannot be read"):
        gene_names(cut(name)(tmp_path), where="row 1")
