"""Fetching data sets: what arrives, what is left alone, and what is said when it fails."""

from __future__ import annotations

import hashlib
import os
import sys
import tarfile
import zipfile
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from isthmus.errors import UserError
from isthmus.fetch import data_folder, fetch, list_datasets
from isthmus.fetch.catalogue import CATALOGUE, read_catalogue

FILES = {
    "data/image.tif": b"pixels" * 100,
    "data/deep/table.csv": b"a,b\n1,2\n",
    "data/secret.txt": b"not listed",
}
SHEET = [{"sample": "s1", "image": "image.tif", "pixel_size_um": 0.5}]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def member(name: str, to: str) -> dict:
    return {"from": name, "to": to, "sha256": sha256(FILES[name]), "bytes": len(FILES[name])}


def catalogue(folder: Path, get: dict, **changes) -> Path:
    entry = {
        "title": "Small",
        "description": "Two files.",
        "use": "tests",
        "licence": "CC0",
        "citation": "Nobody (2026)",
        "get": get,
        "members": [member("data/image.tif", "image.tif"), member("data/deep/table.csv", "tables/table.csv")],
        "sample_sheet": SHEET,
        **changes,
    }
    path = folder / "datasets.yaml"
    path.write_text(yaml.safe_dump({"small": entry}, sort_keys=False))
    return path


@pytest.fixture
def archive(tmp_path) -> Path:
    path = tmp_path / "small-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in FILES.items():
            file.writestr(name, content)
    return path


@pytest.fixture
def listed(tmp_path, archive) -> Path:
    return catalogue(tmp_path, {"url": archive.as_uri(), "sha256": sha256(archive.read_bytes())})


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check(folder: Path) -> None:
    found = files_in(folder)
    assert set(found) == {"image.tif", "tables/table.csv", "README.txt", "samples.tsv"}
    assert found["image.tif"] == FILES["data/image.tif"]
    assert found["tables/table.csv"] == FILES["data/deep/table.csv"]


def fault(catalogue: Path, into: Path, name: str = "small") -> str:
    with pytest.raises(UserError) as caught:
        fetch(name, into=into, catalogue=catalogue)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_only_the_listed_members_arrive(tmp_path, listed):
    check(fetch("small", into=tmp_path / "into", catalogue=listed))
    readme = (tmp_path / "into" / "README.txt").read_text()
    assert "Licence: CC0" in readme
    assert "Cite: Nobody (2026)" in readme
    sheet = (tmp_path / "into" / "samples.tsv").read_text()
    assert sheet == "sample\timage\tpixel_size_um\ns1\timage.tif\t0.5\n"


def test_nothing_is_downloaded_twice(tmp_path, listed, archive):
    into = fetch("small", into=tmp_path / "into", catalogue=listed)
    before = {path: path.stat().st_mtime_ns for path in into.rglob("*")}
    archive.unlink()
    check(fetch("small", into=into, catalogue=listed))
    assert {path: path.stat().st_mtime_ns for path in into.rglob("*")} == before


@pytest.mark.parametrize("damage", ["truncate", "alter", "remove"])
def test_damaged_file_is_fetched_again(tmp_path, listed, damage):
    into = fetch("small", into=tmp_path / "into", catalogue=listed)
    image = into / "image.tif"
    if damage == "truncate":
        image.write_bytes(b"pix")
    elif damage == "alter":
        image.write_bytes(FILES["data/image.tif"][::-1])
    else:
        image.unlink()
    check(fetch("small", into=into, catalogue=listed))


def test_tar_single_file_and_folder(tmp_path, archive):
    unpacked = tmp_path / "unpacked"
    for name, content in FILES.items():
        (unpacked / name).parent.mkdir(parents=True, exist_ok=True)
        (unpacked / name).write_bytes(content)
    tar = tmp_path / "small.tar.gz"
    with tarfile.open(tar, "w:gz") as file:
        file.add(unpacked / "data", "data")
    sums = sha256(tar.read_bytes())
    check(
        fetch(
            "small", into=tmp_path / "a", catalogue=catalogue(tmp_path, {"url": tar.as_uri(), "sha256": sums})
        )
    )
    check(fetch("small", into=tmp_path / "b", catalogue=catalogue(tmp_path, {"folder": "unpacked"})))
    single = unpacked / "data" / "image.tif"
    get = {"url": single.as_uri(), "sha256": sha256(single.read_bytes())}
    listed = catalogue(tmp_path, get, members=[member("data/image.tif", "image.tif")], sample_sheet=[])
    assert set(files_in(fetch("small", into=tmp_path / "c", catalogue=listed))) == {"image.tif", "README.txt"}


def pip_catalogue(tmp_path: Path, archive: Path) -> Path:
    get = {"package": "small", "version": "1.0", "file": archive.name, "sha256": sha256(archive.read_bytes())}
    return catalogue(tmp_path, get)


def pip_environment(monkeypatch, **variables: str) -> None:
    """The ordinary configuration of pip, without that of this machine."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_package_by_pip(tmp_path, archive, monkeypatch):
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("small-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n")
        file.writestr("small-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr("small-1.0.dist-info/RECORD", "")
    pip_environment(monkeypatch, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    check(fetch("small", into=tmp_path / "into", catalogue=pip_catalogue(tmp_path, archive)))


def test_offline_with_pip(tmp_path, archive, monkeypatch):
    # Port 9 of this machine: nothing listens there.
    pip_environment(monkeypatch, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0")
    line = fault(pip_catalogue(tmp_path, archive), tmp_path / "into")
    assert line.startswith(
        "isthmus fetch small: the package index with small 1.0 cannot be reached; fetch on a machine"
    )
    assert files_in(tmp_path / "into") == {}


def test_package_that_is_not_in_the_index(tmp_path, archive, monkeypatch):
    listed = pip_catalogue(tmp_path, archive)
    archive.unlink()
    pip_environment(monkeypatch, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    assert "pip did not get small 1.0 (No matching distribution" in fault(listed, tmp_path / "into")


def test_without_pip(tmp_path, archive, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert "pip is not there to download the data; run" in fault(
        pip_catalogue(tmp_path, archive), tmp_path / "into"
    )


def test_unreachable_url(tmp_path):
    listed = catalogue(tmp_path, {"url": "http://127.0.0.1:9/small.zip", "sha256": "0" * 64})
    assert "http://127.0.0.1:9/small.zip cannot be reached" in fault(listed, tmp_path / "into")


def test_wrong_checksum_of_the_archive(tmp_path, archive):
    listed = catalogue(tmp_path, {"url": archive.as_uri(), "sha256": "0" * 64})
    assert f"what arrived as '{archive.name}' has another checksum" in fault(listed, tmp_path / "into")
    assert files_in(tmp_path / "into") == {}


def test_wrong_checksum_of_a_member(tmp_path):
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "image.tif").write_bytes(FILES["data/image.tif"])
    (tmp_path / "data" / "deep" / "table.csv").write_bytes(b"other")
    listed = catalogue(tmp_path, {"folder": "."})
    assert "'data/deep/table.csv' has another checksum than the catalogue says" in fault(
        listed, tmp_path / "into"
    )
    assert files_in(tmp_path / "into") == {}


def test_member_that_is_not_there(tmp_path, archive):
    members = [{**member("data/image.tif", "image.tif"), "from": "data/none.tif"}]
    get = {"url": archive.as_uri(), "sha256": sha256(archive.read_bytes())}
    line = fault(catalogue(tmp_path, get, members=members), tmp_path / "into")
    assert f"'{archive.name}' has no member 'data/none.tif'" in line


def test_folder_that_cannot_be_written(tmp_path, listed):
    (tmp_path / "file").touch()
    assert "cannot be written" in fault(listed, tmp_path / "file" / "into")


def test_full_disk(tmp_path, listed, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    line = fault(listed, tmp_path / "into")
    assert "No space left on device" in line
    assert files_in(tmp_path / "into") == {}


def test_unknown_name(tmp_path):
    line = fault(CATALOGUE, tmp_path / "into", name="xenium_brest_small")
    assert (
        line
        == "isthmus fetch: there is no data set 'xenium_brest_small'; did you mean 'xenium_breast_small'?"
    )
    assert not (tmp_path / "into").exists()


# Generated data


def generator(monkeypatch, make) -> None:
    module = ModuleType("isthmus.fetch.made.small")
    module.__spec__ = ModuleSpec(module.__name__, None)
    module.make = make
    monkeypatch.setitem(sys.modules, module.__name__, module)


def make_all(folder: Path) -> None:
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_generated_data_arrive_like_others(tmp_path, monkeypatch):
    calls = []
    generator(monkeypatch, lambda folder: (calls.append(folder), make_all(folder)))
    listed = catalogue(tmp_path, {"generated": "small"})
    into = fetch("small", into=tmp_path / "into", catalogue=listed)
    check(into)
    check(fetch("small", into=into, catalogue=listed))
    assert len(calls) == 1
    (into / "image.tif").write_bytes(b"damaged")
    check(fetch("small", into=into, catalogue=listed))
    assert len(calls) == 2


def test_generated_data_without_checksums(tmp_path, monkeypatch):
    generator(monkeypatch, make_all)
    members = [{"from": "data/image.tif", "to": "image.tif", "bytes": 0}]
    listed = catalogue(tmp_path, {"generated": "small"}, members=members, sample_sheet=[])
    into = fetch("small", into=tmp_path / "into", catalogue=listed)
    (into / "image.tif").write_bytes(b"")
    fetch("small", into=into, catalogue=listed)
    assert (into / "image.tif").read_bytes() == FILES["data/image.tif"]


def test_a_generator_that_dies_leaves_nothing(tmp_path, monkeypatch):
    def half(folder: Path) -> None:
        (folder / "data").mkdir()
        (folder / "data" / "image.tif").write_bytes(FILES["data/image.tif"])
        raise RuntimeError("cut off")

    generator(monkeypatch, half)
    with pytest.raises(RuntimeError, match="cut off"):
        fetch("small", into=tmp_path / "into", catalogue=catalogue(tmp_path, {"generated": "small"}))
    assert files_in(tmp_path / "into") == {}


def test_unknown_generator(tmp_path):
    line = fault(catalogue(tmp_path, {"generated": "smal"}), tmp_path / "into")
    assert line == "isthmus fetch small: there is no generator 'smal'; correct the entry"


# The catalogue


def test_catalogue_of_the_repository():
    dataset = read_catalogue()["xenium_breast_small"]
    assert {"morphology_mip.tif", "transcripts.csv", "reference/sc_breast.csv"} <= {
        m.to for m in dataset.members
    }
    (row,) = dataset.sample_sheet
    assert (row["sample"], row["pixel_size_um"], row["origin_x_um"], row["origin_y_um"]) == (
        "breast1",
        0.2125,
        1062,
        212,
    )
    assert {row["image"], row["transcripts"]} <= {m.to for m in dataset.members}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"licences": "CC0"}, "small.licences: Extra inputs are not permitted"),
        ({"members": []}, "small.members: Tuple should have at least 1 item"),
        ({"get": {}}, "give exactly one of package, url, folder, generated"),
        ({"get": {"folder": ".", "generated": "x"}}, "give exactly one of package, url, folder, generated"),
        ({"get": {"generated": "../x"}}, "small.get.generated: String should match"),
        ({"members": [{"from": "a", "to": "a", "bytes": 1}]}, "member 'a' needs sha256"),
        ({"get": {"url": "http://x/y"}}, "package and url need sha256"),
        ({"get": {"package": "a", "sha256": "0" * 64}}, "package needs version and file"),
        (
            {"members": [{**member("data/image.tif", "../image.tif")}]},
            "small.members.0.to: Value error, must",
        ),
        (
            {"members": [{**member("data/image.tif", "a"), "sha256": "x"}]},
            "small.members.0.sha256: String",
        ),
    ],
)
def test_faults_of_a_catalogue(tmp_path, changes, said):
    changes = {"get": {"folder": "."}, **changes}
    path = catalogue(tmp_path, changes.pop("get"), **changes)
    with pytest.raises(UserError) as caught:
        read_catalogue(path)
    assert said in str(caught.value)


def test_all_faults_of_a_catalogue_at_once(tmp_path):
    path = catalogue(tmp_path, {"folder": "."}, members=[], licences="x")
    with pytest.raises(UserError) as caught:
        read_catalogue(path)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("text", ["- a\n", "a: [\n", ""])
def test_file_that_is_no_catalogue(tmp_path, text):
    path = tmp_path / "datasets.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"datasets\.yaml"):
        read_catalogue(path)


def test_place_of_the_data(tmp_path, monkeypatch, listed):
    assert data_folder("small") == CATALOGUE.parents[1] / ".cache" / "isthmus" / "data" / "small"
    monkeypatch.setattr(sys.modules["isthmus.fetch.fetch"], "DATA", tmp_path / "data")
    assert data_folder("small") == tmp_path / "data" / "small"
    (before,) = list_datasets(listed)
    assert not before.present
    assert fetch("small", catalogue=listed) == tmp_path / "data" / "small"
    (after,) = list_datasets(listed)
    assert after.present
    assert after.megabytes == pytest.approx(608 / 1e6)


def test_every_generator_of_the_catalogue_exists():
    names = {entry.get.generated for entry in read_catalogue().values() if entry.get.generated}
    assert names
    assert all(callable(import_module(f"isthmus.fetch.made.{name}").make) for name in names)
