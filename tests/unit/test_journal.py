"""The journal trusts whole entries of the present digest whose files are intact, and nothing else."""

from __future__ import annotations

import threading

import pytest

from isthmus.packs.journal import Journal, WrittenFile, file_crc

USAGE = (0.1, 0.2, 30.0)


def _journal(root):
    return Journal(root / "work" / "journal", root)


def _shard(root, block, content=b"labels"):
    path = root / "labels" / f"{block}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content + str(block).encode())
    return WrittenFile.of(root, path)


def _add(journal, writer, block, *, digest="now", files=None, record=None, absent=()):
    files = (_shard(journal.root, block),) if files is None else files
    record = f"record {block}".encode() if record is None else record
    return journal.append(
        writer, block=block, digest=digest, record=record, files=files, usage=USAGE, absent=absent
    )


def test_a_journal_that_is_not_there_has_no_entries(tmp_path):
    assert _journal(tmp_path).finished("now") == {}


def test_what_is_appended_is_found_by_any_reader(tmp_path):
    for block in (4, 0, 7):
        _add(_journal(tmp_path), "1-of-1", block)
    found = _journal(tmp_path).finished("now")
    assert sorted(found) == [0, 4, 7]
    assert _journal(tmp_path).record(found[7]) == b"record 7"
    assert found[0].cpu_s == 0.1
    assert found[0].files[0].path == "labels/0"


def test_only_the_present_digest_counts(tmp_path):
    journal = _journal(tmp_path)
    _add(journal, "1-of-1", 0, digest="before")
    _add(journal, "1-of-1", 1, digest="now")
    assert list(journal.finished("now")) == [1]
    assert journal.finished("") == {}


def test_an_empty_record_without_files_is_a_result(tmp_path):
    journal = _journal(tmp_path)
    _add(journal, "1-of-1", 3, files=(), record=b"")
    assert journal.record(journal.finished("now")[3]) == b""


@pytest.mark.parametrize("harm", ["missing", "truncated", "altered", "longer", "folder"])
def test_a_harmed_shard_drops_its_block(tmp_path, harm):
    journal = _journal(tmp_path)
    _add(journal, "1-of-1", 0)
    _add(journal, "1-of-1", 1)
    path = tmp_path / "labels" / "1"
    whole = path.read_bytes()
    path.unlink()
    if harm == "folder":
        path.mkdir()
    elif harm != "missing":
        made = {"truncated": whole[:-1], "altered": b"X" + whole[1:], "longer": whole + b"0"}
        path.write_bytes(made[harm])
    assert list(journal.finished("now")) == [0]


def test_a_file_where_there_should_be_none_drops_the_block(tmp_path):
    journal = _journal(tmp_path)
    _add(journal, "1-of-1", 0, files=(), absent=("labels/0",))
    assert list(journal.finished("now")) == [0]
    # Another configuration found something there; the earlier result is not what is on disk now.
    _add(journal, "1-of-1", 0, digest="other")
    assert journal.finished("now") == {}


def test_who_needs_records_only_reads_no_files_but_trusts_no_harmed_record(tmp_path):
    journal = _journal(tmp_path)
    for block in range(3):
        _add(journal, "1-of-1", block)
    (tmp_path / "labels" / "1").unlink()
    assert sorted(journal.finished("now", look_at_files=False)) == [0, 1, 2]
    assert sorted(journal.finished("now", {1, 2})) == [2]
    path = journal.folder / "1-of-1.bin"
    path.write_bytes(path.read_bytes()[:-1])
    assert sorted(journal.finished("now", look_at_files=False)) == [0, 1]


@pytest.mark.parametrize("harm", ["missing", "truncated", "altered"])
def test_a_harmed_record_drops_its_block(tmp_path, harm):
    journal = _journal(tmp_path)
    for block in range(3):
        _add(journal, "1-of-1", block)
    path = journal.folder / "1-of-1.bin"
    whole = path.read_bytes()
    if harm == "missing":
        path.unlink()
        assert journal.finished("now") == {}
        return
    path.write_bytes(whole[:-1] if harm == "truncated" else whole[:-1] + b"?")
    assert sorted(journal.finished("now")) == [0, 1]


def test_a_block_done_again_by_another_writer_counts(tmp_path):
    journal = _journal(tmp_path)
    _add(journal, "2-of-2", 5)
    (journal.folder / "2-of-2.bin").write_bytes(b"")
    assert journal.finished("now") == {}
    # Packs were cut anew; the name of this writer sorts before that of the damaged one.
    _add(journal, "1-of-1", 5)
    assert journal.finished("now")[5].writer == "1-of-1"
    (journal.folder / "1-of-1.bin").write_bytes(b"")
    _add(journal, "3-of-9", 5)
    assert journal.finished("now")[5].writer == "3-of-9"


def test_a_mended_shard_makes_an_old_entry_good_again(tmp_path):
    journal = _journal(tmp_path)
    _add(journal, "1-of-1", 0)
    (tmp_path / "labels" / "0").write_bytes(b"torn")
    assert journal.finished("now") == {}
    _add(journal, "1-of-1", 0)
    assert list(journal.finished("now")) == [0]


@pytest.mark.parametrize(
    "tail", [b'{"block": 9', b"{", b"\x00\x00\x00", b"\xff\xfe", b"[]", b"7", b'{"files": 3}']
)
def test_a_torn_line_costs_itself_only(tmp_path, tail):
    journal = _journal(tmp_path)
    _add(journal, "1-of-1", 0)
    with (journal.folder / "1-of-1.jsonl").open("ab") as file:
        file.write(tail)
    assert list(journal.finished("now")) == [0]
    _add(journal, "1-of-1", 1)
    assert sorted(journal.finished("now")) == [0, 1]


def test_a_torn_record_costs_itself_only(tmp_path):
    journal = _journal(tmp_path)
    _add(journal, "1-of-1", 0)
    with (journal.folder / "1-of-1.bin").open("ab") as file:
        file.write(b"half of a rec")
    _add(journal, "1-of-1", 1)
    found = journal.finished("now")
    assert [journal.record(found[block]) for block in (0, 1)] == [b"record 0", b"record 1"]


@pytest.mark.parametrize("suffix", ["jsonl", "bin"])
def test_cut_anywhere_only_whole_entries_are_trusted(tmp_path, suffix):
    journal = _journal(tmp_path)
    for block in range(3):
        _add(journal, "1-of-1", block, record=b"r" * (block * 5 + 1))
    path = journal.folder / f"1-of-1.{suffix}"
    whole = path.read_bytes()
    separator = b"\n" if suffix == "jsonl" else None
    ends = [i + 1 for i, byte in enumerate(whole) if bytes([byte]) == separator] if separator else [1, 7, 18]
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        # A line without its end of line is whole all the same.
        slack = 1 if separator else 0
        wanted = [block for block, end in enumerate(ends) if length >= end - slack]
        assert sorted(journal.finished("now")) == wanted, length
    assert wanted == [0, 1, 2]


@pytest.mark.parametrize("suffix", ["jsonl", "bin"])
def test_cut_anywhere_and_gone_on_all_is_there(tmp_path, suffix):
    journal = _journal(tmp_path)
    for block in range(2):
        _add(journal, "1-of-1", block)
    path = journal.folder / f"1-of-1.{suffix}"
    files = {p: p.read_bytes() for p in journal.folder.iterdir()}
    for length in range(0, len(files[path]) + 1, 7):
        for other, content in files.items():
            other.write_bytes(content[:length] if other == path else content)
        before = sorted(journal.finished("now"))
        for block in {0, 1, 2} - set(before):
            _add(journal, "1-of-1", block)
        found = journal.finished("now")
        assert sorted(found) == [0, 1, 2], length
        assert all(journal.record(found[block]) == f"record {block}".encode() for block in found)


def test_one_bit_anywhere_in_a_record_is_noticed(tmp_path):
    journal = _journal(tmp_path)
    _add(journal, "1-of-1", 0, record=b"a record")
    path = journal.folder / "1-of-1.bin"
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            harmed = bytearray(whole)
            harmed[place] ^= 1 << bit
            path.write_bytes(bytes(harmed))
            assert journal.finished("now") == {}


def test_writers_and_readers_side_by_side(tmp_path):
    journal = _journal(tmp_path)
    seen: list[int] = []
    errors: list[Exception] = []
    done = threading.Event()

    def write(pack):
        for block in range(pack, 40, 4):
            _add(_journal(tmp_path), f"{pack + 1}-of-4", block)

    def read():
        while not done.is_set():
            try:
                found = _journal(tmp_path).finished("now")
                seen.append(len(found))
                assert all(journal.record(entry) == f"record {b}".encode() for b, entry in found.items())
            except Exception as error:
                errors.append(error)
                return

    writers = [threading.Thread(target=write, args=(pack,)) for pack in range(4)]
    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in writers + readers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert not errors
    assert seen == sorted(seen) or len(readers) > 1
    assert sorted(journal.finished("now")) == list(range(40))


def test_a_second_writer_of_the_same_name_makes_nothing_false(tmp_path):
    # Two jobs of one pack cannot be, but if they are, each entry must be its own or none.
    def write(start):
        for block in range(start, start + 30):
            _add(_journal(tmp_path), "1-of-1", block, files=())

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal = _journal(tmp_path)
    for block, entry in journal.finished("now").items():
        assert journal.record(entry) == f"record {block}".encode()


def test_a_checksum_of_a_large_file(tmp_path):
    from zlib import crc32

    content = bytes(range(256)) * 9000  # longer than one piece
    (tmp_path / "a").write_bytes(content)
    assert file_crc(tmp_path / "a") == crc32(content)
