"""FASTQ files: which belong together, and that every damage is told with the file's name."""

import gzip

import pytest

from isthmus.errors import UserError
from isthmus.reads.fastq import ReadPair, check_heads, count_records, find_pairs

FIRST, SECOND = "ACGTACGTACGTACGTACGTACGTACGT", "TTTTACGTACGTACGTACGTACGTACGTACGTACGT"


def text_of(bases, *, n=3, names="read{} 1:N:0"):
    return "".join(f"@{names.format(i)}\n{bases}\n+\n{'I' * len(bases)}\n" for i in range(n)).encode()


def write(path, content):
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def pair_of(folder, first=None, second=None, *, suffix=".fastq.gz"):
    one = write(folder / f"a_S1_L001_R1_001{suffix}", text_of(FIRST) if first is None else first)
    two = write(folder / f"a_S1_L001_R2_001{suffix}", text_of(SECOND) if second is None else second)
    return ReadPair(one, two)


def touched(folder, *names):
    for name in names:
        (folder / name).touch()
    return folder


def names_of(pairs):
    return [(pair.first.name, pair.second.name) for pair in pairs]


def test_lanes_are_pairs_in_order_and_index_reads_are_left_out(tmp_path):
    lanes = [f"a_S1_L00{lane}_{read}_001.fastq.gz" for lane in (2, 1) for read in ("R1", "R2", "I1", "I2")]
    pairs = find_pairs(touched(tmp_path, *lanes, "notes.txt"), where="row 1")
    assert names_of(pairs) == [
        ("a_S1_L001_R1_001.fastq.gz", "a_S1_L001_R2_001.fastq.gz"),
        ("a_S1_L002_R1_001.fastq.gz", "a_S1_L002_R2_001.fastq.gz"),
    ]


def test_names_of_archives_and_patterns(tmp_path):
    folder = touched(tmp_path, "ERR1_1.fastq.gz", "ERR1_2.fastq.gz", "ERR2_1.fq", "ERR2_2.fq")
    assert len(find_pairs(folder, where="row 1")) == 2
    assert names_of(find_pairs(folder / "ERR2_*", where="row 1")) == [("ERR2_1.fq", "ERR2_2.fq")]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], "no FASTQ file"),
        (
            ["a_S1_L001_R1_001.fastq.gz"],
            "'a_S1_L001_R1_001.fastq.gz' has no pair: there is no file of read 2",
        ),
        (["ERR1_2.fastq"], "'ERR1_2.fastq' has no pair: there is no file of read 1"),
        (["pbmc.fastq.gz"], "'pbmc.fastq.gz' does not tell which read it holds"),
        (["a_1.fastq", "a_1.fastq.gz", "a_2.fastq"], "'a_1.fastq.gz' and 'a_1.fastq' hold the same read"),
        (
            [f"{name}_L001_R{read}_001.fastq.gz" for name in ("a_S1", "b_S2") for read in (1, 2)],
            "files of 2 samples .a_S1, b_S2.; give each a row of its own with a pattern, such as a_S1_",
        ),
    ],
)
def test_files_that_make_no_sample_are_told(tmp_path, names, told):
    with pytest.raises(UserError, match=told):
        find_pairs(touched(tmp_path, *names), where="row 1")


@pytest.mark.parametrize("suffix", [".fastq.gz", ".fastq"])
def test_whole_files_have_as_many_reads_as_they_have(tmp_path, suffix):
    pair = pair_of(tmp_path, suffix=suffix)
    check_heads([pair], (28, 0), where="row 1")
    assert count_records([pair, pair], where="row 1") == 6


def test_a_last_line_without_its_end_counts(tmp_path):
    pair = pair_of(tmp_path, text_of(FIRST)[:-1], suffix=".fastq")
    assert count_records([pair], where="row 1") == 3


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (b"", None, "it is empty"),
        (b">r\nACGT\n", None, "does not begin with a FASTQ record"),
        (b"@r\nACGT\n+\nII\n", None, "does not begin with a FASTQ record"),
        (text_of("ACGT"), None, "reads of 4 bases, but barcode and tag take 28"),
        (None, text_of(SECOND, names="other{}"), "its first read is 'other0', that of .* is 'read0'"),
    ],
)
def test_a_wrong_beginning_is_told(tmp_path, first, second, told):
    with pytest.raises(UserError, match=told) as caught:
        check_heads([pair_of(tmp_path, first, second)], (28, 0), where="row 1")
    assert "\n" not in str(caught.value)


def test_pairs_may_be_marked_by_1_and_2(tmp_path):
    pair = pair_of(tmp_path, text_of(FIRST, names="r{}/1"), text_of(SECOND, names="r{}/2"))
    check_heads([pair], (28, 0), where="row 1")


def test_a_file_that_is_no_gzip_is_told(tmp_path):
    pair = pair_of(tmp_path)
    pair.first.write_bytes(text_of(FIRST))
    with pytest.raises(UserError, match="R1_001.fastq.gz': it cannot be read .Not a gzipped file"):
        check_heads([pair], (28, 0), where="row 1")


def cut(pair):
    pair.second.write_bytes(pair.second.read_bytes()[:-9])


def flip(pair):
    content = bytearray(pair.second.read_bytes())
    content[-6] ^= 255
    pair.second.write_bytes(bytes(content))


def cut_in_a_record(pair):
    write(pair.second, text_of(SECOND)[:-40])


def one_less(pair):
    write(pair.second, text_of(SECOND, n=2))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (cut, "damaged or not whole .Compressed file ended"),
        (flip, "damaged or not whole .CRC check failed"),
        (cut_in_a_record, "it ends within a record .line 10."),
        (one_less, "2 reads, but 'a_S1_L001_R1_001.fastq.gz' has 3"),
    ],
)
def test_a_file_that_is_not_whole_is_told(tmp_path, damage, told):
    pair = pair_of(tmp_path)
    damage(pair)
    check_heads([pair], (28, 0), where="row 1")
    with pytest.raises(UserError, match=told) as caught:
        count_records([pair], where="row 1")
    assert "R2_001.fastq.gz" in str(caught.value)
