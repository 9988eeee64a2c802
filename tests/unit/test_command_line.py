"""The command line: exit codes, and what counts as a mere look."""

from __future__ import annotations

import subprocess

import pytest

from isthmus.cli.main import main
from isthmus.errors import UserError
from isthmus.launch.execute import _only_looks
from isthmus.launch.overrides import from_snakemake, parse_overrides, to_snakemake


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "COMMAND"),
        (["frobnicate"], "frobnicate"),
        (["run"], "CONFIG.yaml"),
        (["run", "x.yaml", "--cores", "abc"], "'abc' is no number of cores"),
        (["run", "x.yaml", "--cores", "0"], "'0' is no number of cores"),
        (["status", "r", "--", "-n"], "takes no Snakemake arguments"),
    ],
)
def test_a_wrong_command_line_is_the_users_to_mend(words, told, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert told in lines[0]


@pytest.mark.parametrize(
    "words", [["check", "absent.yaml"], ["plan", "absent.yaml"], ["run", "absent.yaml"], ["status", "absent"]]
)
def test_what_is_not_there_is_one_line(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["check", "plan", "run"])
def test_an_unknown_profile_is_told(command, capsys):
    assert main([command, "absent.yaml", "--profile", "nonsense"]) == 1
    assert "there is no profile 'nonsense'" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["-n", "-np", "-nq", "--dry-run", "--dryrun", "--lint", "--unlock", "-l"])
def test_looks(word):
    assert _only_looks([word])


@pytest.mark.parametrize("word", ["", "-p", "out/a/cells.h5ad", "--until", "--keep-incomplete"])
def test_runs(word):
    assert not _only_looks([word])


def test_options_go_through_snakemake_unharmed():
    from snakemake.cli import parse_config
    from snakemake_interface_executor_plugins.utils import format_cli_arg

    texts = [
        "execution.packs=3",
        "quantification.channels=['3', DAPI]",
        "results=out dir/1e3",
        "image.region_um=[1,2.5,3,4]",
    ]
    texts += ["metadata.title='it''s \"x\": \\ {y}'", "segmentation.basins.channel=null", "analysis.seed=7"]
    options = parse_overrides(texts)
    assert from_snakemake(parse_config(to_snakemake(options))) == options
    # jobs on Slurm get the words through a shell, as Snakemake quotes them for it
    line = format_cli_arg("--config", to_snakemake(options))
    told = subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[1:] == to_snakemake(options)
    assert from_snakemake({"execution": {"packs": "3"}, "results": "out"}) == {
        "execution": {"packs": 3},
        "results": "out",
    }


def test_an_option_without_a_value_is_told():
    with pytest.raises(UserError, match="there is no value; give one, or write results=null"):
        parse_overrides(["results="])
