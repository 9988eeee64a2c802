"""The configuration's generated files are in step with the models, and the files beside them are valid."""

from pathlib import Path

import pytest
import yaml

from isthmus.config.document import documents
from isthmus.config.load import load_settings
from isthmus.config.models import Settings
from isthmus.config.sheet import read_sheet
from isthmus.config.sheet_words import COLUMNS
from isthmus.errors import UserError

CONFIG = Path(__file__).parents[2] / "config"


def test_generated_files_are_in_step():
    stale = [
        path.name for path, text in documents(CONFIG).items() if path.read_text(encoding="utf-8") != text
    ]
    assert not stale, "run `make config`"


def test_the_commented_configuration_holds_the_defaults():
    written = yaml.safe_load((CONFIG / "config.yaml").read_text(encoding="utf-8"))
    assert Settings.model_validate(written) == Settings(samples=Path("samples.tsv"))


def test_the_demo_names_data_that_can_be_fetched(tmp_path):
    copy = tmp_path / "config" / "demo.yaml"
    copy.parent.mkdir()
    copy.write_text((CONFIG / "imaging_transcriptomics.yaml").read_text(encoding="utf-8"))
    with pytest.raises(UserError) as caught:
        load_settings([copy], cwd=tmp_path)
    lines = str(caught.value).splitlines()
    assert [line.endswith("get it with 'isthmus fetch xenium_breast_small'") for line in lines] == [True] * 2
    data = tmp_path / ".cache" / "isthmus" / "data" / "xenium_breast_small"
    entry = yaml.safe_load((CONFIG.parent / "resources" / "datasets.yaml").read_text(encoding="utf-8"))
    for name in ["samples.tsv", *(member["to"] for member in entry["xenium_breast_small"]["members"])]:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).touch()
    assert load_settings([copy], cwd=tmp_path).samples == data / "samples.tsv"


def test_the_example_sheet_and_its_table_know_the_same_columns():
    sheet = read_sheet(CONFIG / "samples.tsv", "samples.tsv")
    assert not sheet.faults
    assert set(sheet.columns) - {"age"} <= set(COLUMNS)
    table = (
        (CONFIG / "README.md")
        .read_text(encoding="utf-8")
        .partition("## The sample sheet")[2]
        .partition("## ")[0]
    )
    assert [column for column in COLUMNS if f"`{column}`" not in table] == []
