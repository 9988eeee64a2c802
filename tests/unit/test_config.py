"""The configuration: layers, paths, and that every fault is one line with file, key, value and cure."""

from dataclasses import asdict
from inspect import signature
from pathlib import Path

import pytest
from pydantic import ValidationError

from isthmus.analyse.cluster import cluster_cells
from isthmus.analyse.describe import annotate
from isthmus.analyse.steps import assess_quality
from isthmus.config.load import load_settings, parse_override, path_keys
from isthmus.config.models import (
    AnnotationOptions,
    BasinsOptions,
    ClusteringOptions,
    NeighbourhoodOptions,
    QualityOptions,
    Settings,
)
from isthmus.errors import UserError, n_of
from isthmus.segment.basins_parameters import BasinsSettings


@pytest.fixture
def write(tmp_path: Path):
    """Writes configuration files beside an empty sample sheet."""
    (tmp_path / "s.tsv").touch()

    def write(text: str, name: str = "c.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def faults(*files: Path, cwd: Path | None = None, **overrides: object) -> list[str]:
    """Lines of the error, with the folder of the files cut off."""
    with pytest.raises(UserError) as caught:
        load_settings(list(files), overrides, cwd)
    text = str(caught.value)
    for file in files:
        text = text.replace(f"{file.parent}/", "")
    return text.splitlines()


def test_defaults_are_valid_and_survive_json():
    settings = Settings.model_validate(
        {
            "samples": "s.tsv",
            "image": {"region_um": [0, 0, 10, 20.5]},
            "execution": {"block_px": [4, 256, 512]},
            "metadata": {"authors": [{"name": "A", "orcid": "https://orcid.org/0000-0002-1694-233X"}]},
        }
    )
    assert settings.image.region_um == (0.0, 0.0, 10.0, 20.5)
    assert settings.metadata.authors[0].orcid == "0000-0002-1694-233X"
    assert Settings.model_validate(settings.model_dump(mode="json")) == settings
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_the_method_basins_has_the_defaults_of_its_options():
    """The method's own defaults serve its tests; the user's are these, and they must not drift apart."""
    options = BasinsOptions().model_dump()
    assert {name: options[name] for name in asdict(BasinsSettings())} == asdict(BasinsSettings())


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (assess_quality, QualityOptions()),
        (cluster_cells, ClusteringOptions()),
        (annotate, AnnotationOptions()),
        (annotate, NeighbourhoodOptions()),
    ],
)
def test_the_analysis_has_the_defaults_of_its_options(function, options):
    parameters = signature(function).parameters
    given = {name: value for name, value in options.model_dump().items() if name != "reference"}
    assert {name: parameters[name].default for name in given} == given


def test_settings_never_change():
    settings = Settings(samples=Path("s.tsv"))
    with pytest.raises(ValidationError, match="frozen"):
        settings.cells.expand_um = 3


def test_later_layers_win_and_sections_merge(write, tmp_path):
    low = write(
        "samples: s.tsv\ncells: {expand_um: 3}\nanalysis: {seed: 1, quality: {min_counts: 7}}\n", "low.yaml"
    )
    high = write(
        "analysis: {quality: {min_genes: 2}}\nquantification: {control_patterns: [X_]}\ncells:\n", "high.yaml"
    )
    settings = load_settings(
        [low, high], {"analysis.seed": 5, "analysis": {"clustering": {"n_components": 9}}}, tmp_path
    )
    assert settings.cells.expand_um == 3
    assert (settings.analysis.quality.min_counts, settings.analysis.quality.min_genes) == (7, 2)
    assert (settings.analysis.seed, settings.analysis.clustering.n_components) == (5, 9)
    assert settings.quantification.control_patterns == ("X_",)


def test_paths_start_from_their_file_and_results_from_the_working_directory(write, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "ref.csv").touch()
    config = write("samples: ../s.tsv\nresults: out\n", "conf/c.yaml")
    settings = load_settings([config], {"analysis.annotation.reference": "ref.csv"}, tmp_path / "here")
    assert settings.samples == tmp_path / "s.tsv"
    assert settings.results == tmp_path / "here" / "out"
    assert settings.analysis.annotation.reference == tmp_path / "here" / "ref.csv"


def test_results_have_a_default(write, tmp_path):
    settings = load_settings([write("samples: s.tsv")], cwd=tmp_path)
    assert settings.results == tmp_path / "results" / "imaging_transcriptomics"


READ = ("genome", "genes", "index", "transcripts_to_genes", "barcodes")


def test_the_options_that_are_paths_are_known():
    annotation = ("analysis", "annotation")
    assert path_keys() == [
        ("samples",),
        ("results",),
        ("image", "panel"),
        *(("quantification", "reads", name) for name in READ),
        ("analysis", "profiles", "plate_map"),
        ("analysis", "gating", "gates"),
        (*annotation, "reference"),
        (*annotation, "reference_types"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "segmentation: {basins: {nucleus_diamter_um: 7}}",
            "c.yaml: segmentation.basins.nucleus_diamter_um: unknown option (got 7);"
            " did you mean 'nucleus_diameter_um'?",
        ),
        ("segmentaton: {}", "c.yaml: segmentaton: unknown option (got {}); did you mean 'segmentation'?"),
        ("cells: {expand_um: 77}", "c.yaml: cells.expand_um: found 77; expected a number from 0 to 50 (um)"),
        (
            "cells: {expand_um: null}",
            "c.yaml: cells.expand_um: found null; expected a number from 0 to 50 (um)",
        ),
        (
            "cells: {expand_um: true}",
            "c.yaml: cells.expand_um: found true; expected a number from 0 to 50 (um)",
        ),
        (
            "cells: {expand_um: .nan}",
            "c.yaml: cells.expand_um: found NaN; expected a number from 0 to 50 (um)",
        ),
        (
            "cells: {expand_um: '5'}",
            "c.yaml: cells.expand_um: found '5' (a text, because of its quotes);"
            " expected a number from 0 to 50 (um)",
        ),
        ("cells: 5", "c.yaml: cells: found 5; expected a section with the options expand_um"),
        ("analysis: {seed: 1.5}", "c.yaml: analysis.seed: found 1.5; expected a whole number"),
        (
            "segmentation: {method: basin}",
            "c.yaml: segmentation.method: found 'basin'; did you mean 'basins'?",
        ),
        (
            "segmentation: {method: 3}",
            "c.yaml: segmentation.method: found 3; expected 'basins' or 'blobs' or 'labels'",
        ),
        ("use_case: visium", "c.yaml: use_case: found 'visium'; known are imaging_transcriptomics"),
        ("execution: {block_px: 300}", "c.yaml: execution.block_px: found 300; must be a power of two"),
        ("execution: {block_px: 128}", "c.yaml: execution.block_px: found 128; must be a power of two"),
        ("execution: {block_px: [3, 256, 256]}", "c.yaml: execution.block_px: found [3, 256, 256]; must be"),
        (
            "execution: {block_px: [256, 256]}",
            "c.yaml: execution.block_px: found [256, 256];"
            " expected a whole number (px), or a list of 3 whole numbers (px)",
        ),
        ("execution: {packs: 0}", "c.yaml: execution.packs: found 0; expected a whole number from 1"),
        (
            "image: {region_um: [1, 2, 3]}",
            "c.yaml: image.region_um: found [1, 2, 3]; expected a list of 4 numbers",
        ),
        (
            "image: {region_um: [5, 0, 5, 9]}",
            "c.yaml: image.region_um: found [5, 0, 5, 9]; the window is empty",
        ),
        (
            "quantification: {channels: DAPI}",
            "c.yaml: quantification.channels: found 'DAPI'; expected a list of",
        ),
        ("quantification: {control_patterns: ['(']}", 'c.yaml: quantification.control_patterns: found ["("]'),
        (
            "quantification: {control_patterns: ['.*']}",
            'c.yaml: quantification.control_patterns: found [".*"]',
        ),
        ("analysis: {quality: {max_counts: 3}}", "c.yaml: analysis.quality: found"),
        (
            "metadata: {authors: [{orcid: x}]}",
            "c.yaml: metadata.authors[0].name: is missing; give a text: Full name",
        ),
        (
            "metadata: {authors: [{name: A, orcid: 0000-0002-1825-0098}]}",
            "c.yaml: metadata.authors[0].orcid: found '0000-0002-1825-0098'; the last digit",
        ),
    ],
)
def test_each_fault_in_one_line(write, text, line):
    assert faults(write(f"samples: s.tsv\n{text}\n"))[0].startswith(line)


def test_all_faults_at_once_each_with_its_source(write, tmp_path):
    low = write("samples: no.tsv\ncells: {expand_um: 99}\n", "low.yaml")
    high = write("segmentation: {metod: labels}\nexecution: {packs: x}\n", "high.yaml")
    lines = faults(low, high, cwd=tmp_path, **{"execution.block_px": 5, "image.region": 1})
    starts = [
        "--set image.region:",
        "high.yaml: segmentation.metod:",
        "low.yaml: cells.expand_um:",
        "--set execution.block_px:",
        "high.yaml: execution.packs:",
        "low.yaml: samples: no such file",
    ]
    assert [any(line.startswith(start) for line in lines) for start in starts] == [True] * 6
    assert len(lines) == 6


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "c.yaml: samples: is missing; give a path: Sample sheet"),
        ("samples: s.tsv\nsamples: s.tsv", "c.yaml, line 2: the key 'samples' stands here a second time"),
        ("samples: s.tsv\ncells: {expand_um: 1, expand_um: 2}", "c.yaml, line 2: the key 'expand_um' stands"),
        ("samples: s.tsv\ncells:\n\texpand_um: 1", "c.yaml, line 3: a tab in the indentation; use spaces"),
        ("- samples", "c.yaml: a list where options are expected"),
        ("samples", "c.yaml: a single value where options are expected"),
        ("samples: [a\ncells: 3", "c.yaml, line 2: expected"),
        ("samples\ncells: 3", "c.yaml, line 2: mapping values are not allowed here"),
        ("samples: &a [*a]", "c.yaml, line 1: found unconstructable recursive node"),
        ("samples: !!python/object:os.system x", "c.yaml, line 1: could not determine a constructor"),
        ("1: 3\nsamples: s.tsv", "c.yaml: 1: unknown option (got 3)"),
        ("samples: .", "c.yaml: samples: "),
        (
            "samples: .cache/isthmus/data/tiny/samples.tsv",
            "c.yaml: samples: no such file .cache/isthmus/data/tiny/samples.tsv;"
            " get it with 'isthmus fetch tiny'",
        ),
    ],
)
def test_files_that_cannot_be_right(write, text, line):
    (found,) = faults(write(text))
    assert found.startswith(line)


def test_files_that_cannot_be_read(tmp_path):
    assert faults(tmp_path / "no.yaml") == ["no.yaml: no such file; check the name and the folder"]
    (tmp_path / "latin.yaml").write_bytes(b"metadata: {title: caf\xe9}")
    assert faults(tmp_path / "latin.yaml") == ["latin.yaml: not a text file in UTF-8; save it as UTF-8 YAML"]
    assert "cannot be read" in str(faults(tmp_path))


def test_only_what_looks_like_a_number_is_one(write, tmp_path):
    text = "samples: s.tsv\nanalysis: {quality: {max_control_fraction: 1e-2}}"
    text += "\nmetadata: {title: 2026-01-01, keywords: [no, 1:30]}"
    settings = load_settings([write(text)], cwd=tmp_path)
    assert settings.analysis.quality.max_control_fraction == 0.01
    assert settings.metadata.title == "2026-01-01"
    assert settings.metadata.keywords == ("no", "1:30")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("execution.block_px=512", {"execution": {"block_px": 512}}),
        ("execution.block_px=[1, 512, 512]", {"execution": {"block_px": [1, 512, 512]}}),
        ("results=out", {"results": "out"}),
        ("cells.expand_um=1e1", {"cells": {"expand_um": 10.0}}),
        ("image.region_um=null", {"image": {"region_um": None}}),
        ("metadata.title=a = b", {"metadata": {"title": "a = b"}}),
    ],
)
def test_overrides_are_read(text, tree):
    assert parse_override(text) == tree


@pytest.mark.parametrize("text", ["results", "=3", "a..b=1", ".=1"])
def test_overrides_of_another_form(text):
    with pytest.raises(UserError, match="not of the form KEY=VALUE"):
        parse_override(text)


def test_an_override_that_is_not_yaml():
    with pytest.raises(UserError, match=r"--set image\.region_um"):
        parse_override("image.region_um=[1, 2")


def test_a_path_starts_where_it_was_given(write, tmp_path):
    path = write("samples: s.tsv\nanalysis: {annotation: {reference: nope.csv}}")
    assert faults(path)[0].endswith("correct the path; it starts from the folder of the file it stands in")
    path = write("samples: s.tsv")
    (line,) = faults(path, cwd=tmp_path, **{"analysis.annotation.reference": "nope.csv"})
    assert line.endswith("correct the path; it starts from the working directory")


def test_percentiles_are_told_as_they_were_given(write):
    (line,) = faults(write("samples: s.tsv\nquantification: {percentiles: [99.99999]}"))
    assert "99.99999 is no percentile; give numbers from 0 to 100 of at most three decimals" in line


@pytest.mark.parametrize(
    ("n", "words"), [(0, "0 blocks"), (1, "1 block"), (2, "2 blocks"), (1024, "1,024 blocks")]
)
def test_numbers_of_things(n, words):
    assert n_of(n, "block") == words
