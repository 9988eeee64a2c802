"""Lock, environments, versions, Makefile and texts agree with each other."""

import re
import runpy
import tomllib

import pytest
import yaml
from repo_files import ROOT, texts

import isthmus

CONDA = runpy.run_path(str(ROOT / "envs" / "conda.py"))
LOCKS = sorted((ROOT / "envs").glob("*.txt"))

# put together here, so that this file does not hold what it looks for
HOSTS = ["".join(parts) for parts in (("pypi", ".org"), ("python", "hosted.org"), ("ana", "conda.org"))]
MACHINE_PATH = re.compile(r"(?<![\w.<>{}()/~*-])/(?:work|root|home|mnt|scratch|Users)/\w")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_hold_hashes_and_no_place(lock):
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"://|^-|\s/|file:|--index|--find-links", text, flags=re.MULTILINE)
    packages = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert packages
    assert [package.splitlines()[0] for package in packages if "--hash=sha256:" not in package] == []


def test_the_lock_holds_what_the_project_asks_for():
    versions = CONDA["locked_versions"](read("envs/requirements.txt"))
    asked = CONDA["direct_dependencies"](read("pyproject.toml"))
    assert [name for name in asked if name not in versions] == []


@pytest.mark.parametrize("name", CONDA["WITHOUT"])
def test_the_conda_environments_agree_with_the_lock(name):
    text = read(f"envs/{name}")
    assert text == CONDA["environment"](name), "run `make lock`"
    versions = CONDA["locked_versions"](read("envs/requirements.txt"))
    names = {conda: name for name, conda in CONDA["CONDA_NAMES"].items()}
    *channels, from_pip = yaml.safe_load(text)["dependencies"][1:]
    for item in channels[:-1]:
        conda, _, version = item.partition(" =")
        assert version == versions[names.get(conda, conda)]
    assert channels[-1] == "pip"
    for item in from_pip["pip"]:
        package, _, version = item.partition("==")
        assert version == versions[package]


def test_locked_versions_heed_markers():
    lock = "a==1 ; python_full_version < '3.12' \\\n    --hash=x\n"
    lock += "a==2 ; python_full_version >= '3.12' \\\nb-c==3 \\\n"
    assert CONDA["locked_versions"](lock) == {"a": "1", "b-c": "3"}


def test_the_container_is_made_from_the_lock():
    recipe = read("envs/Containerfile")
    assert "COPY envs envs" in recipe
    assert "RUN make setup" in recipe
    assert "pip install" not in recipe


def test_the_recipe_for_apptainer_is_that_of_the_container():
    recipe, container = read("envs/isthmus.def"), read("envs/Containerfile")
    assert f"From: {re.search(r'^FROM (.*)$', container, re.MULTILINE)[1]}\n" in recipe
    packages = re.search(r"--no-install-recommends (.*?) *\\?$", container, re.MULTILINE)[1]
    assert f"--no-install-recommends {packages}\n" in recipe
    copied = {
        name.rstrip("/")
        for line in re.findall(r"^COPY (.*) \S+$", container, re.MULTILINE)
        for name in line.split()
    }
    taken = dict(re.findall(r"^    (\S+) /opt/isthmus/(\S+)$", recipe, re.MULTILINE))
    assert taken == {name: name for name in copied}
    assert "make -C /opt/isthmus setup" in recipe
    assert "pip install" not in recipe


def test_versions_agree():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    citation = yaml.safe_load(read("CITATION.cff"))
    assert isthmus.__version__ == project["version"] == citation["version"]
    assert project["version"] in read("CHANGELOG.md")
    assert project["license"] == citation["license"] == "BSD-3-Clause"
    assert read("LICENSE").startswith("BSD 3-Clause License")


def test_every_target_has_help():
    text = read("Makefile")
    targets = set(re.findall(r"^([a-z][a-z-]*):(?!=)", text, flags=re.MULTILINE))
    helped = set(re.findall(r"^([a-z][a-z-]*):.*  ## \S", text, flags=re.MULTILINE))
    phony = set(re.search(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)[1].split())
    assert targets == helped == phony


def test_no_text_names_a_machine_or_a_package_server():
    wrong = []
    for path, text in texts():
        if path.name == ".gitignore":
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if MACHINE_PATH.search(line) or any(host in line for host in HOSTS):
                wrong.append(f"{path}:{number}: {line.strip()}")
    assert wrong == []


def test_no_text_is_left_unfinished():
    marks = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r"\b")
    assert [str(path) for path, text in texts() if marks.search(text)] == []


def test_the_container_holds_what_a_run_needs():
    copied = set(re.findall(r"^COPY (\S+) ", (ROOT / "envs" / "Containerfile").read_text(), re.MULTILINE))
    assert {"workflow", "profiles", "config", "resources", "envs"} <= copied
