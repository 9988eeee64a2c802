"""Tables of other omics: every format gives the same values, every fault is one line, keys are held against the run."""

import gzip

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from isthmus.analyse.omics import assess_table, match_keys, normalise, passing, spread_rows, well_name
from isthmus.config.load import load_settings
from isthmus.config.omics import OmicsTable, joint_units
from isthmus.errors import UserError
from isthmus.launch.omics import omics_faults, omics_inputs
from isthmus.readers.omics_table import fault_of_keys, read_header, read_values

VALUES = pd.DataFrame(
    {"Actin": [1.5, 2.0, np.nan], "CD3E": [0.0, 4.0, 8.0], "007": [3.0, 3.0, 3.0]},
    index=pd.Index(["a", "b", "c"], name="sample"),
)


def options(path, **more):
    return OmicsTable(name="prot", path=path, **more)


def write(folder, kind, frame=VALUES):
    path = folder / f"t.{kind}"
    if kind == "csv":
        frame.to_csv(path)
    elif kind == "tsv":
        path.write_text("\ufeff" + frame.to_csv(sep="\t", na_rep="NA", lineterminator="\r\n"))
    elif kind == "csv.gz":
        path.write_bytes(gzip.compress(frame.to_csv(sep=";").encode()))
    elif kind == "parquet":
        frame.reset_index().to_parquet(path)
    else:
        table = anndata.AnnData(
            frame.to_numpy(), pd.DataFrame(index=frame.index), pd.DataFrame(index=frame.columns)
        )
        table.write_h5ad(path)
    return path


KINDS = ("csv", "tsv", "csv.gz", "parquet", "h5ad")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keys_in", ["rows", "columns"])
def test_every_format_gives_the_same(tmp_path, kind, keys_in):
    frame = VALUES if keys_in == "rows" else VALUES.T.rename_axis("molecule")
    path = write(tmp_path, kind, frame)
    header = read_header(options(path, keys_in=keys_in))
    assert header.keys == ["a", "b", "c"]
    assert header.molecules == ["Actin", "CD3E", "007"]
    assert header.n_values > 0
    values = read_values(options(path, keys_in=keys_in))
    pd.testing.assert_frame_equal(values, VALUES.rename_axis(None))


def test_keys_may_stand_in_any_column_and_look_like_numbers(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("Actin,id,CD3E\n1,007,2\n3,010,4\n")
    values = read_values(options(path, key_column="id"))
    assert values.index.tolist() == ["007", "010"]
    assert values["Actin"].tolist() == [1, 3]


def test_sparse_tables_are_read(tmp_path):
    path = tmp_path / "t.h5ad"
    anndata.AnnData(
        csr_matrix(np.eye(3)), pd.DataFrame(index=list("abc")), pd.DataFrame(index=list("xyz"))
    ).write_h5ad(path)
    np.testing.assert_array_equal(read_values(options(path)), np.eye(3))


@pytest.mark.parametrize(
    ("text", "more", "found"),
    [
        ("sample,A\na,1\na,2\n", {}, "sample key 'a' is there twice; keep one of them"),
        ("sample,A,A\na,1,2\n", {}, "molecule 'A' is there twice"),
        ("sample,A\na,1\n,2\n", {}, "1 sample key without a name"),
        ("sample,A\na,high\n", {}, "CSV conversion error to double: invalid value 'high'"),
        ("sample,A\na,1,2\n", {}, "it cannot be read as a table of text"),
        ("sample\na\n", {}, "its first line has no columns"),
        ("", {}, "its first line has no columns"),
        ("sample,A\n", {}, "there is no sample key"),
        ("sample,A\na,inf\n", {}, "the value of A in a is infinite"),
        ("sample,A\na,1\n", {"key_column": "smaple"}, "there is no column 'smaple'; did you mean 'sample'?"),
        ('"sample",A\na,"1,5"\n', {}, "invalid value '1,5'"),
    ],
)
def test_a_fault_of_the_table_is_one_line(tmp_path, text, more, found):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(UserError) as told:
        read_values(options(path, **more))
    assert found in str(told.value)
    assert str(told.value).startswith(f"{path} (analysis.omics 'prot'): ")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(("name", "what"), [("t.h5ad", "an h5ad file"), ("t.parquet", "a Parquet file")])
def test_a_file_that_is_not_what_its_name_says(tmp_path, name, what):
    (tmp_path / name).write_text("sample,A\na,1\n")
    with pytest.raises(UserError, match=f"it cannot be read as {what}"):
        read_header(options(tmp_path / name))


def test_text_in_a_parquet_column_is_named(tmp_path):
    VALUES.assign(note="x").reset_index().to_parquet(tmp_path / "t.parquet")
    with pytest.raises(UserError, match="column 'note' holds (large_)?string, not numbers"):
        read_values(options(tmp_path / "t.parquet"))


def test_keys_are_held_against_the_run(tmp_path):
    of = options(tmp_path / "t.csv")
    assert fault_of_keys(["a1", "b1"], ["a1", "b1", "c1"], of) is None
    assert fault_of_keys(["a1", "elsewhere"], ["a1", "b1"], of) is None
    slip = fault_of_keys(["tumour_1", "tumor_2"], ["tumour_1", "tumour_2"], of)
    assert "key 'tumor_2' is no sample of this run; did you mean 'tumour_2'?" in str(slip)
    none = fault_of_keys(["x", "y"], ["tumour_1", "tumour_2"], of)
    assert "no key is a sample of this run (the first are 'x', 'y'); known are tumour_1, tumour_2" in str(
        none
    )
    assert "did you mean 'S-1'?" in str(fault_of_keys(["s1"], ["S-1", "S-2"], of))
    assert fault_of_keys(["s1", "s15"], ["s1", "s5"], of) is None
    # A key is not mistaken for a name that another key has.
    assert fault_of_keys(["tumour_1", "tumour_11"], ["tumour_1", "b"], of) is None


def test_check_reads_headers_and_names_every_fault(tmp_path):
    (tmp_path / "p.csv").write_text("sample,A\nleft,1\nrigt,2\n")
    (tmp_path / "c.csv").write_text("cell,A\nleft-1,1\nrihgt-2,2\n")
    tables = [options(tmp_path / "p.csv"), options(tmp_path / "c.csv", key="cell")]
    faults = [str(fault) for fault in omics_faults(tables, ["left", "right"])]
    assert len(faults) == 2
    assert all("did you mean 'right'?" in fault for fault in faults)
    assert list(omics_faults(tables[:0], ["left"])) == []
    assert list(omics_faults([options(tmp_path / "c.csv", key="cell")], ["anything"])) == []


def test_check_holds_what_a_table_is_by_against_plate_map_and_sheet(tmp_path):
    (tmp_path / "b.csv").write_text("compound,A\ntoxin,1\n")
    (tmp_path / "map.tsv").write_text("well\tcompound\tdose\nA1\ttoxin\t1\n")
    (tmp_path / "slip.tsv").write_text("well\tcompound\nA1\ttoxine\n")
    of_wells = options(tmp_path / "b.csv", key="well", by="compound")
    of_samples = options(tmp_path / "b.csv", by="condition")
    sheet = {"p": {"condition": "toxin"}, "q": {"condition": "DMSO"}}

    def told(table, sheet=sheet, plate_map="map.tsv"):
        path = tmp_path / plate_map if plate_map else None
        return "".join(
            str(fault) for fault in omics_faults([table], list(sheet), sheet=sheet, plate_map=path)
        )

    assert told(of_wells) == told(of_samples) == ""
    assert "there is no plate map with 'compound'; give analysis.profiles.plate_map" in told(
        of_wells, plate_map=""
    )
    assert "key 'toxin' is no compound of this run; did you mean 'toxine'?" in told(
        of_wells, plate_map="slip.tsv"
    )
    misspelt = options(tmp_path / "b.csv", key="well", by="compond")
    assert "has no column 'compond'; did you mean 'compound'?" in told(misspelt)
    assert "the sample sheet has no column 'condition'" in told(of_samples, sheet={"p": {"batch": "1"}})
    assert "no key is a condition of this run" in told(of_samples, sheet={"p": {"condition": "x"}})


def test_rows_are_spread_to_what_they_describe():
    values = pd.DataFrame({"MX1": [6.8, 2.0, 1.0]}, index=["inducer", "DMSO", "elsewhere"])
    described = pd.Series(["DMSO", "inducer", "inert", "DMSO"], index=["p-A1", "p-A2", "p-A3", "p-B1"])
    found = spread_rows(values, described)
    assert found["MX1"].to_dict() == {"p-A1": 2.0, "p-A2": 6.8, "p-B1": 2.0}


def test_rows_that_are_shared_are_not_tested():
    shared, own = options("b.csv", key="well", by="compound"), options("c.csv", key="well")
    assert not shared.is_joint
    assert joint_units([shared]) == []
    assert joint_units([shared, own]) == ["well"]


def test_configuration_of_tables(tmp_path):
    (tmp_path / "samples.tsv").write_text("sample\timage\n")
    (tmp_path / "p.csv").write_text("sample,A,B\na,1,2\n")
    config = tmp_path / "c.yaml"
    config.write_text("samples: samples.tsv\nanalysis:\n  omics:\n    - {name: prot, path: p.csv}\n")
    settings = load_settings([config])
    assert settings.analysis.omics[0].path == tmp_path / "p.csv"
    found = omics_inputs(settings)
    assert found["prot"].n_values > 0
    (tmp_path / "p.csv").write_text("sample,A,B\na,1,3000\n")
    assert omics_inputs(settings)["prot"].digest != found["prot"].digest
    assert joint_units(settings.analysis.omics) == ["sample"]


@pytest.mark.parametrize(
    ("omics", "found"),
    [
        ("[{name: prot, path: gone.csv}]", "analysis.omics[0].path: no such file"),
        ("[{name: cells, path: p.csv}]", "'cells' is what Isthmus calls a result of its own"),
        ("[{name: a, path: p.csv}, {name: a, path: p.csv}]", "two tables are called 'a'"),
        ("[{name: Prot-1, path: p.csv}]", "analysis.omics[0].name: found 'Prot-1'"),
        ("[{name: prot, path: p.csv, key: smaple}]", "did you mean 'sample'?"),
        ("[{name: prot, path: p.csv, normalisation: clrr}]", "did you mean 'clr'?"),
        ("[{name: prot, path: p.csv, keyy: sample}]", "unknown option (got 'sample'); did you mean 'key'?"),
        (
            "[{name: prot, path: p.csv, key: cell, by: kind}]",
            "by goes with key sample or well, not with cell",
        ),
        ("[{path: p.csv}]", "analysis.omics[0].name: is missing"),
        ("{name: prot}", "expected a list of sections with name, path"),
        ("[prot]", "analysis.omics[0]"),
    ],
)
def test_a_fault_of_the_configuration_is_one_line(tmp_path, omics, found):
    (tmp_path / "samples.tsv").write_text("sample\timage\n")
    (tmp_path / "p.csv").write_text("sample,A\na,1\n")
    config = tmp_path / "c.yaml"
    config.write_text(f"samples: samples.tsv\nanalysis:\n  omics: {omics}\n")
    with pytest.raises(UserError) as told:
        load_settings([config])
    (line,) = str(told.value).splitlines()
    assert found in line


def test_keys_find_their_units():
    assert match_keys(["a", "x"], ["a", "b"], "sample", ["a", "b"]) == ["a", "x"]
    wells = ["p1-A1", "p1-B12", "p2-A1"]
    assert match_keys(["p1-A01", "p1-b12", "p2-A1"], wells, "well", ["p1", "p2"]) == wells
    assert match_keys(["A01", "b/12", "H9"], ["p1-A1", "p1-B12"], "well", ["p1"]) == ["p1-A1", "p1-B12", "H9"]
    assert match_keys(["p1-A1", "a/01"], ["p1-A01"], "well", ["p1"]) == ["p1-A01", "p1-A01"]
    assert match_keys(["7", "s-8"], ["s-7", "s-8"], "cell", ["s"]) == ["s-7", "s-8"]
    assert match_keys(["7"], ["s-7", "t-7"], "cell", ["s", "t"]) == ["7"]
    assert [well_name(name) for name in ("a1", "A01", "B/02", "AA_7", "left")] == [
        "A1",
        "A1",
        "B2",
        "AA7",
        "left",
    ]


UNITS = pd.DataFrame({"sample": ["a", "b", "c", "d"]}, index=["a", "b", "c", "d"])


def test_quality_of_a_table_is_told():
    values = VALUES.assign(rare=[1.0, np.nan, np.nan], none=np.nan)
    values.loc["z"] = 1.0
    values.loc["b"] = np.nan
    table, summary = assess_table(values, UNITS, name="p", normalisation="none", max_missing=0.5)
    assert table.obs_names.tolist() == ["a", "b", "c"]
    assert summary["rows"] == 3
    assert summary["without_row"] == {"n": 1, "first": ["d"]}
    assert summary["not_in_run"] == {"n": 1, "first": ["z"]}
    assert summary["empty_rows"] == {"n": 1, "first": ["b"]}
    assert summary["too_often_missing"]["first"] == ["Actin", "rare", "none"]
    assert summary["constant"]["first"] == ["007"]
    assert summary["usable"] == 1
    assert passing(table).columns.tolist() == ["CD3E"]
    assert table.obs["n_missing"].tolist() == [1, 5, 3]
    np.testing.assert_array_equal(table.layers["raw"], values.loc[["a", "b", "c"]])
    assert table.var["qc_reason"].tolist() == ["missing", "", "constant", "missing", "missing"]


def test_two_keys_of_one_unit_are_refused():
    values = pd.DataFrame({"m": [1.0, 2.0]}, index=["a", "a"])
    with pytest.raises(UserError, match="two keys are 'a'"):
        assess_table(values, UNITS, name="p", normalisation="none", max_missing=0.5)


def test_normalisations_by_their_definition():
    rng = np.random.default_rng(0)
    raw = rng.lognormal(3, 1, (6, 30)) * rng.lognormal(0, 1, (6, 1))
    raw[1, 4] = np.nan
    there = np.isfinite(raw)
    np.testing.assert_array_equal(normalise(raw, "none", where=""), raw)
    np.testing.assert_allclose(normalise(raw, "log1p", where=""), np.log1p(raw))
    clr = normalise(raw, "clr", where="")
    np.testing.assert_allclose(np.nansum(clr, axis=1), 0, atol=1e-9)
    z = normalise(raw, "z", where="")
    np.testing.assert_allclose(np.nanmean(z, axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.nanstd(z, axis=0, ddof=1), 1)
    median = normalise(raw, "median", where="")
    middles = np.nanmedian(median, axis=1)
    np.testing.assert_allclose(middles, middles[0])
    # A key measured twice as strongly is the same afterwards.
    double = raw.copy()
    double[2] *= 2
    np.testing.assert_allclose(np.diff(normalise(double, "median", where="")[2]), np.diff(median[2]))
    for how in ("log1p", "clr", "z", "median"):
        np.testing.assert_array_equal(np.isfinite(normalise(raw, how, where="")), there)


def test_what_cannot_be_normalised_is_told_or_missing():
    raw = np.array([[1.0, -2.0], [3.0, 4.0]])
    for how in ("log1p", "clr", "median"):
        with pytest.raises(UserError, match="takes no negative values, but value 2 of row 1 is -2; choose"):
            normalise(raw, how, where="analysis.omics 'p'")
    assert np.isnan(normalise(np.array([[0.0, 2.0, 4.0]]), "median", where="")[0, 0])
    assert np.isnan(normalise(np.full((2, 3), np.nan), "median", where="")).all()
    np.testing.assert_array_equal(normalise(np.ones((3, 1)), "z", where=""), 0)
