"""Isthmus as one file: packed it works from another place; a bundle that came to harm is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ENVS = Path(__file__).resolve().parents[2] / "envs"


def call(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that knows nothing of this Isthmus."""
    own = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    line = [str(word) for word in words]
    return subprocess.run(line, cwd=cwd, env=own, capture_output=True, text=True, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one line, with an environment of its own and a script that knows where it lies."""
    root = tmp_path / "here" / "project"
    (root / "envs").mkdir(parents=True)
    shutil.copy(ENVS / "pack.sh", root / "envs")
    package = root / "workflow" / "isthmus"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("import sys; print('isthmus', __file__, *sys.argv[1:])\n")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / ".venv"], check=True)
    packages = next((root / ".venv" / "lib").glob("python*/site-packages"))
    (packages / "isthmus.pth").write_text(f"{root}/workflow\n")
    script = root / ".venv" / "bin" / "tool"
    script.write_text(f"#!{root}/.venv/bin/python\nimport isthmus.__main__\n")
    script.chmod(0o755)
    return root


@pytest.mark.parametrize("form", ["tar", "tar.gz"])
def test_what_is_packed_works_from_another_place(project: Path, tmp_path: Path, form: str) -> None:
    before = (project / ".venv" / "bin" / "tool").read_text()
    made = call(project / "envs" / "pack.sh", tmp_path / "out" / f"isthmus.{form}")
    assert made.returncode == 0, made.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"isthmus.{form}"]
    assert (project / ".venv" / "bin" / "tool").read_text() == before
    shutil.rmtree(tmp_path / "here")
    there = tmp_path / "there"
    there.mkdir()
    assert call("tar", "-xf", tmp_path / "out" / f"isthmus.{form}", cwd=there).returncode == 0
    tools = there / "isthmus" / ".venv" / "bin"
    (there / "link").symlink_to(tools / "isthmus")
    for command in (tools / "isthmus", there / "link", tools / "tool"):
        said = call(command, "a b", cwd=tmp_path)
        assert said.returncode == 0, said.stderr
        assert said.stdout == f"isthmus {there}/isthmus/workflow/isthmus/__main__.py a b\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "give the file to make"),
        (["x.zip"], "does not end in .tar"),
        (["x.squashfs"], "mksquashfs is not there"),
    ],
)
def test_what_cannot_be_packed_is_told(project: Path, words: list[str], told: str) -> None:
    if words == ["x.squashfs"] and shutil.which("mksquashfs"):
        pytest.skip("tells what is said without mksquashfs, and this machine has it")
    made = call(project / "envs" / "pack.sh", *words, cwd=project)
    assert made.returncode == 1
    assert told in made.stderr
    assert not list(project.glob("x.*")) + list(project.glob("tmp*"))


def test_a_project_without_an_environment_is_told(project: Path) -> None:
    shutil.rmtree(project / ".venv")
    made = call(project / "envs" / "pack.sh", "x.tar", cwd=project)
    assert made.returncode == 1
    assert "make setup" in made.stderr


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """An unpacked bundle whose project only says what it was told."""
    folder, project = tmp_path / "bundle", tmp_path / "project"
    for place in (folder / "wheels", folder / "data" / "demo", project):
        place.mkdir(parents=True)
    (folder / "wheels" / "a.whl").write_text("wheel")
    (folder / "data" / "demo" / "image.tif").write_text("image")
    (project / "Makefile").write_text("setup:\n\t@env | grep -E '^(PIP|UV)_' | sort > told\n")
    assert call("tar", "-cf", folder / "project.tar", "-C", project, ".").returncode == 0
    shutil.copy(ENVS / "install.sh", folder)
    text = (ENVS / "bundle.sh").read_text()
    body = text[text.index("add_manifest() {") : text.index("main() {")]
    assert call("bash", "-c", f"{body}\nadd_manifest {folder}").returncode == 0
    return folder


def test_a_bundle_is_checked_and_set_up_without_internet(bundle: Path, tmp_path: Path) -> None:
    assert len((bundle / "MANIFEST").read_text().splitlines()) == 4
    checked = call(bundle / "install.sh", "--check")
    assert checked.stdout == "fine: 4 files as they were made\n", checked.stderr
    made = call(bundle / "install.sh", tmp_path / "new place")
    assert made.returncode == 0, made.stderr
    told = (tmp_path / "new place" / "told").read_text().splitlines()
    assert {"PIP_NO_INDEX=1", "UV_OFFLINE=1", f"UV_FIND_LINKS={bundle}/wheels"} <= set(told)
    assert (
        tmp_path / "new place" / ".cache" / "isthmus" / "data" / "demo" / "image.tif"
    ).read_text() == "image"


@pytest.mark.parametrize("harm", ["changed", "missing", "too many"])
def test_a_harmed_bundle_is_refused(bundle: Path, tmp_path: Path, harm: str) -> None:
    wheel = bundle / "wheels" / "a.whl"
    if harm == "missing":
        wheel.unlink()
    elif harm == "changed":
        wheel.write_text("whee!")
    else:
        (bundle / "wheels" / "b.whl").write_text("")
    made = call(bundle / "install.sh", tmp_path / "new")
    assert made.returncode == 1
    assert "install.sh: the bundle" in made.stderr
    assert not (tmp_path / "new").exists()
