"""Pages link to what exists, and the index knows them all."""

import re

import pytest
import yaml
from repo_files import ROOT, texts

PAGES = [path for path, _ in texts() if path.suffix == ".md"]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [target for target in targets if target and not (ROOT / page.parent / target).exists()] == []


def test_the_index_lists_every_page():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = [
        path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md") if path.name != "README.md"
    ]
    assert [str(page) for page in pages if f"({page})" not in index] == []


def test_pages_that_texts_name_exist():
    named = {name for _, text in texts() for name in re.findall(r"\bdocs/[a-z_/]+\.md\b", text)}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_data_set_has_its_licence_told():
    entries = yaml.safe_load((ROOT / "resources" / "datasets.yaml").read_text(encoding="utf-8"))
    page = (ROOT / "resources" / "README.md").read_text(encoding="utf-8")
    assert [name for name in entries if f"| `{name}` |" not in page] == []
