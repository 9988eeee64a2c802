"""One pack: what is done is not done again, what fails stops nothing else."""

from __future__ import annotations

from functools import partial

import pool_tasks
import pytest

from isthmus.errors import UserError
from isthmus.packs.journal import Journal
from isthmus.packs.runner import run_pack


def _run(root, blocks, *, bad=(), digest="now", writer="1-of-1", workers=2):
    journal = Journal(root / "journal", root)
    compute = partial(pool_tasks.write_block, root, tuple(bad))
    return run_pack(compute, blocks, digest=digest, journal=journal, writer=writer, workers=workers)


def _calls(root):
    path = root / "calls"
    made = sorted(int(line) for line in path.read_text().split()) if path.exists() else []
    path.unlink(missing_ok=True)
    return made


def test_a_pack_is_done_once(tmp_path):
    summary = _run(tmp_path, range(6))
    assert _calls(tmp_path) == list(range(6))
    assert summary.computed == tuple(range(6))
    assert summary.skipped == ()
    again = _run(tmp_path, range(6))
    assert _calls(tmp_path) == []
    assert (again.computed, again.skipped) == ((), tuple(range(6)))
    assert again.entries.keys() == summary.entries.keys()


def test_packs_may_be_cut_anew(tmp_path):
    _run(tmp_path, [0, 1, 2], writer="1-of-2")
    summary = _run(tmp_path, range(5), writer="1-of-1")
    assert summary.skipped == (0, 1, 2)
    assert summary.computed == (3, 4)


def test_a_pack_checks_its_own_blocks_only(tmp_path, monkeypatch):
    _run(tmp_path, range(9), writer="1-of-1")
    read = []
    monkeypatch.setattr("isthmus.packs.journal.file_crc", lambda path: read.append(path.name))
    Journal(tmp_path / "journal", tmp_path).finished("now", {4, 5})
    assert sorted(read) == ["4", "5"]


def test_another_digest_is_another_result(tmp_path):
    _run(tmp_path, range(3))
    assert _run(tmp_path, range(3), digest="other").computed == (0, 1, 2)


@pytest.mark.parametrize("block", [1, 3])
def test_a_harmed_block_is_done_again(tmp_path, block):
    _run(tmp_path, range(5))
    # Block 3 has no labels and so no file: one that turns up there is as wrong as a torn one.
    (tmp_path / "labels" / str(block)).write_bytes(b"torn")
    assert _run(tmp_path, range(5)).computed == (block,)
    assert _run(tmp_path, range(5)).computed == ()


def test_a_failure_keeps_all_else(tmp_path):
    with pytest.raises(
        UserError, match=r"2 blocks failed twice .* 1 \(1\), 4 \(4\); RuntimeError: cannot do 1"
    ):
        _run(tmp_path, range(6), bad=(1, 4))
    assert _calls(tmp_path) == [0, 1, 1, 2, 3, 4, 4, 5]
    assert _run(tmp_path, range(6)).computed == (1, 4)


def test_a_fault_of_the_user_is_told_as_it_is(tmp_path):
    with pytest.raises(UserError, match="block 0: a fault; mend it"):
        run_pack(
            pool_tasks.refuse_block,
            [0, 1],
            digest="now",
            journal=Journal(tmp_path / "journal", tmp_path),
            writer="1-of-1",
            workers=1,
        )


def test_a_block_that_kills_its_worker_is_named(tmp_path):
    journal = Journal(tmp_path / "journal", tmp_path)
    with pytest.raises(UserError, match=r"2 \(2\); its worker was killed"):
        run_pack(pool_tasks.kill_worker, range(5), digest="d", journal=journal, writer="1-of-1", workers=2)
    assert sorted(journal.finished("d")) == [0, 1, 3, 4]


def test_usage_is_noted(tmp_path):
    entry = _run(tmp_path, [1]).entries[1]
    assert entry.max_rss_mb > 5
    assert entry.wall_s >= 0
    assert [file.path for file in entry.files] == ["labels/1"]


def test_an_empty_pack_is_no_work(tmp_path):
    assert _run(tmp_path, []).entries == {}
