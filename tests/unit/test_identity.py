"""What an input is: names, sizes and times of its files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from isthmus.plan.identity import digest_of, files_digest


def test_equal_values_have_equal_digests_whatever_their_order():
    assert digest_of({"a": 1, "b": [2.5, None]}) == digest_of({"b": (2.5, None), "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": "1"})
    assert digest_of([1, [2]]) != digest_of([[1], 2])
    with pytest.raises(ValueError, match="JSON"):
        digest_of(float("nan"))
    with pytest.raises(TypeError):
        digest_of(Path("x"))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "store"
    (root / "c" / "0").mkdir(parents=True)
    (root / "zarr.json").write_text("{}")
    (root / "c" / "0" / "0").write_bytes(b"chunk")
    for path in root.rglob("*"):
        os.utime(path, ns=(0, 10**18))
    return root


def _rename(folder):
    (folder / "c" / "0" / "0").rename(folder / "c" / "0" / "1")


def _move_up(folder):
    (folder / "c" / "0" / "0").rename(folder / "c" / "0.0")


def _grow(folder):
    (folder / "zarr.json").write_text("{} ")
    os.utime(folder / "zarr.json", ns=(0, 10**18))


def _touch(folder):
    os.utime(folder / "zarr.json", ns=(0, 10**18 + 1))


def _add(folder):
    (folder / "c" / "0" / "new").touch()


def _remove(folder):
    (folder / "zarr.json").unlink()


@pytest.mark.parametrize("change", [_rename, _move_up, _grow, _touch, _add, _remove])
def test_a_folder_is_the_files_in_it(folder, change):
    before = files_digest([folder])
    assert files_digest([folder]) == before
    change(folder)
    assert files_digest([folder]) != before


def test_an_empty_folder_inside_is_nothing(folder):
    before = files_digest([folder])
    (folder / "empty" / "deeper").mkdir(parents=True)
    assert files_digest([folder]) == before


def test_single_files_in_any_order(folder, tmp_path):
    files = [folder / "zarr.json", folder / "c" / "0" / "0"]
    assert files_digest(files) == files_digest(files[::-1])
    assert files_digest(files) != files_digest(files[:1])
    assert files_digest([]) == files_digest([])


def test_a_link_is_the_file_it_leads_to(folder, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(folder / "zarr.json")
    before = files_digest([link])
    _grow(folder)
    assert files_digest([link]) != before
