"""`isthmus check` looks at the tables of counts, the reference and the plate map, without reading counts through."""

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml

from isthmus.cli.plan_text import plan_lines
from isthmus.errors import UserError
from isthmus.launch.analysis_inputs import analysis_faults
from isthmus.launch.check import check_run
from isthmus.launch.run import Run
from isthmus.plan.model import ImagePlan

GENES = [f"GENE{n}" for n in range(12)]
COUNTS = np.arange(240).reshape(20, 12) % 4


def h5ad(path: Path, *, column: str = "cell_type", genes: list[str] = GENES) -> Path:
    obs = pd.DataFrame({column: ["T cell", "B cell"] * 10}, index=[f"c{n}" for n in range(20)])
    anndata.AnnData(X=COUNTS, obs=obs, var=pd.DataFrame(index=genes)).write_h5ad(path)
    return path


@pytest.fixture
def run_of(tmp_path: Path):
    """A run of one sample without an image."""
    h5ad(tmp_path / "good.h5ad")

    def make(
        *, counts: str = "good.h5ad", use_case: str = "single_cell", columns: str = "counts", **annotation
    ):
        (tmp_path / "samples.tsv").write_text(f"sample\t{columns}\na\t{counts}\n")
        tree = {"use_case": use_case, "samples": "samples.tsv", "analysis": {"annotation": annotation}}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(tree))
        return Run.from_files([tmp_path / "config.yaml"], overrides={}, cwd=tmp_path)

    return make


def faults_of(run: Run) -> str:
    with pytest.raises(UserError) as caught:
        check_run(run)
    return str(caught.value)


def test_a_whole_table_is_fine_and_tells_its_size(run_of):
    run = run_of()
    check_run(run)
    plan = run.plan.sample("a")
    assert (plan.n_instances, plan.n_values) == (20, 240)
    assert not plan.tested_on_real_files
    assert not run.paths.root.exists()


def test_a_damaged_table_is_told_with_its_row(run_of, tmp_path):
    (tmp_path / "cut.h5ad").write_bytes((tmp_path / "good.h5ad").read_bytes()[:3000])
    line = faults_of(run_of(counts="cut.h5ad"))
    assert "row 2 (sample a), counts" in line
    assert "'cut.h5ad' is not a readable table of counts" in line


def test_a_column_that_the_use_case_does_not_read_is_told(run_of, tmp_path):
    (tmp_path / "t.csv").write_text("x_um,y_um,gene\n1,1,A\n")
    line = faults_of(run_of(counts="good.h5ad\tt.csv", columns="counts\ttranscripts"))
    assert "column transcripts: use case single_cell reads no transcripts" in line


def test_a_reference_of_cells_needs_their_types(run_of, tmp_path):
    check_run(run_of(reference="good.h5ad"))
    h5ad(tmp_path / "other.h5ad", column="celltype")
    line = faults_of(run_of(reference="other.h5ad"))
    assert "no column 'cell_type' that names the cells' types" in line
    assert "did you mean 'celltype'?" in line
    check_run(run_of(reference="other.h5ad", type_column="celltype"))


def test_types_may_lie_in_a_table_of_their_own(run_of, tmp_path):
    pd.DataFrame(COUNTS.T, index=GENES, columns=[f"c{n}" for n in range(20)]).to_csv(tmp_path / "counts.csv")
    types = pd.DataFrame({"label": ["x"] * 20, "by": ["me"] * 20}, index=[f"c{n}" for n in range(20)])
    types.to_csv(tmp_path / "types.csv")
    told = {"reference": "counts.csv", "reference_types": "types.csv"}
    check_run(run_of(**told, type_column="label"))
    assert "types.csv': no column 'cell_type' that names" in faults_of(run_of(**told))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("cut.h5ad", b"x", "'cut.h5ad' is not a readable table of counts"),
        ("profiles.csv", b"", "the file is empty"),
        ("profiles.csv", b"type,A\nT cell,1\n", "no column 'cell_type'"),
        ("profiles.csv", b"cell_type,A,B\nT,90,3\nB,1,2\n", "too large for a mean of log1p"),
    ],
)
def test_a_reference_that_cannot_be_read_is_told(run_of, tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    assert told in faults_of(run_of(reference=name))


@pytest.mark.parametrize(
    ("text", "controls", "told"),
    [
        ("well\tdrug\nB02\tA\nB03\tnone\n", "drug=none", ""),
        ("place\tdrug\nB02\tA\n", None, "no column 'well'"),
        ("well\tdrug\nB02\tA\n", None, "no row for well B03"),
        ("well\tdrug\nB02\tA\nB2\tC\n", None, "well B2 is described twice"),
        ("well\tdrug\nB02\tA\nB03\tC\n", "drug=none", "no well has 'none' in column drug"),
        ("well\tdrug\nB02\tA\nB03\tC\n", "dose=1", "no column 'dose'"),
    ],
)
def test_the_plate_map_is_held_against_the_wells(run_of, tmp_path, text, controls, told):
    (tmp_path / "plate.tsv").write_text(text)
    run = run_of()
    profiles = run.settings.analysis.profiles.model_copy(
        update={"plate_map": tmp_path / "plate.tsv", "controls": controls}
    )
    analysis = run.settings.analysis.model_copy(update={"profiles": profiles})
    images = tuple(
        ImagePlan(path=well, name=well, shape=(1, 8, 8), affine=(1, 0, 0, 0, 1, 0), columns={"well": well})
        for well in ("B02", "B03")
    )
    plate = run.plan.sample("a").model_copy(update={"layout": "plate", "images": images})
    plan = run.plan.model_copy(update={"samples": {"a": plate}})
    faults = [
        str(fault) for fault in analysis_faults(run.settings.model_copy(update={"analysis": analysis}), plan)
    ]
    assert len(faults) == bool(told)
    assert all(told in fault for fault in faults)


@pytest.mark.parametrize(
    ("column", "value"), [("reader", "generic"), ("pixel_size_um", "0.5"), ("labels", "l.tif")]
)
def test_what_a_row_says_of_an_image_is_told_where_there_is_none(run_of, tmp_path, column, value):
    (tmp_path / "l.tif").touch()
    line = faults_of(run_of(counts=f"good.h5ad\t{value}", columns=f"counts\t{column}"))
    assert f"column {column}: it is about images, which use case single_cell does not have" in line


def test_a_reference_of_another_species_is_told(run_of, tmp_path):
    h5ad(tmp_path / "mouse.h5ad", genes=[gene.title() for gene in GENES])
    line = faults_of(run_of(reference="mouse.h5ad"))
    assert (
        "0 of 12 genes are in the reference, 10 are needed; the names differ in upper and lower case" in line
    )
    names = ",".join(f"ENSG{n}" for n in range(12))
    (tmp_path / "profiles.csv").write_text(f"cell_type,{names}\nT cell{',1' * 12}\nB cell{',2' * 12}\n")
    line = faults_of(run_of(reference="profiles.csv"))
    assert "use one kind of name; the table has GENE0, GENE1, GENE2, the reference ENSG0" in line


def test_a_plan_without_images_is_printed(run_of):
    lines = list(plan_lines(run_of().plan))
    assert lines[0] == "a: counts without an image, about 20 cells"
    assert "no known limit is broken" in lines


@pytest.mark.parametrize(
    ("batches", "wanted", "told"),
    [
        (("b1", ""), "batch", "sample b: no value in column 'batch'"),
        (("", ""), "run", "no column 'run' is filled in the sample sheet"),
        (("b1", "b2"), "batch", ""),
        (("", ""), "batch", ""),
    ],
)
def test_batches_are_told_for_all_samples_or_for_none(run_of, tmp_path, batches, wanted, told):
    run_of()
    rows = "".join(f"{name}\tgood.h5ad\t{batch}\n" for name, batch in zip("ab", batches, strict=True))
    (tmp_path / "samples.tsv").write_text(f"sample\tcounts\tbatch\n{rows}")
    overrides = {"analysis.integration.batch_column": wanted}
    run = Run.from_files([tmp_path / "config.yaml"], overrides=overrides, cwd=tmp_path)
    if told:
        assert told in faults_of(run)
    else:
        check_run(run)
