"""Every rule says what it needs, in the same way."""

import re
from pathlib import Path

import pytest
from repo_files import ROOT

WORKFLOW = ROOT / "workflow"
RULE_FILES = sorted((WORKFLOW / "rules").glob("*.smk"))


def rules_of(path: Path) -> dict[str, str]:
    """Text of each rule of a file by its name."""
    parts = re.split(r"^rule (\w+):\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    bodies = (re.split(r"^\S", body, maxsplit=1, flags=re.MULTILINE)[0] for body in parts[2::2])
    return dict(zip(parts[1::2], bodies, strict=True))


def items_of(body: str, directive: str) -> list[str]:
    """The items under a directive of a rule, each on a line of its own as snakefmt writes them."""
    block = re.search(rf"^    {directive}:\n((?:        .*\n|\n)+)", body, flags=re.MULTILINE)
    lines = block[1].splitlines() if block else []
    return [line.strip() for line in lines if re.match(r" {8}[^ )\]}#]", line)]


RULES = {name: body for path in RULE_FILES for name, body in rules_of(path).items()}


def test_rules_are_found():
    assert RULES
    assert rules_of(WORKFLOW / "Snakefile").keys() == {"all"}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_complete(name):
    body = RULES[name]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
    assert items_of(body, "log"), "no log"
    assert items_of(body, "output"), "no output"
    assert "mem_mb=" in body, "no memory"
    assert "runtime=" in body, "no minutes"
    for directive in ("input", "output"):
        for item in items_of(body, directive):
            assert re.match(r"\w+=", item), f"{directive} '{item}' has no name"
    assert "lambda" not in body


@pytest.mark.parametrize("name", RULES)
def test_what_a_rule_names_exists(name):
    for directive in ("conda", "script"):
        (item,) = items_of(RULES[name], directive)
        assert (WORKFLOW / "rules" / item.strip('",')).resolve().is_file(), item


def test_each_script_belongs_to_a_rule():
    scripts = {path.stem for path in (WORKFLOW / "scripts").glob("*.py")}
    assert scripts == set(RULES)


def test_the_folder_of_rules_holds_no_modules():
    """Snakemake puts it on the path before the package."""
    assert list((WORKFLOW / "rules").glob("*.py")) == []
