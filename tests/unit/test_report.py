import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from report_folder import make_results, seams_record

from isthmus.errors import UserError
from isthmus.report.colours import PALETTE, rgb
from isthmus.report.figure import draw_figure, main
from isthmus.report.page import write_report

VOID = {"meta", "link", "input", "br", "img"}


class Page(HTMLParser):
    """Checks that elements close in order; collects text, ids, links and attributes."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.links, self.words, self.tags = [], [], [], [], []
        self.sources = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append((tag, found))
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        self.sources += [(tag, found[name]) for name in ("src", "href") if name in found and tag != "a"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open and "script" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


def page_of(paths):
    return Page(write_report(paths.root).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A page of a run in which nothing is missing."""
    paths = make_results(tmp_path_factory.mktemp("plain") / "results")
    return paths, page_of(paths)


def test_every_section_is_there_and_every_link_inside_the_page_leads_somewhere(plain):
    _, page = plain
    sections = {"summary", "samples", "types", "expression", "markers", "neighbourhood", "resources"}
    assert sections | {"methods", "parameters", "files"} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    inside = {link[1:] for link in page.links if link.startswith("#")}
    assert inside <= set(page.ids)


def test_nothing_is_loaded_from_elsewhere(plain):
    _, page = plain
    assert {source.split(":")[0] for _, source in page.sources} == {"data"}
    outside = [link for link in page.links if not link.startswith("#")]
    assert all(link.startswith("https://doi.org/10.") for link in outside)
    html = plain[0].report.read_text(encoding="utf-8")
    assert "@import" not in html
    assert "url(" not in html


def test_numbers_are_those_of_the_run(plain):
    _, page = plain
    assert "87.5 % of transcripts in cells 700 of 800" in page.text
    assert "Genes 300 400 100 800 87.5 %" in page.text
    assert "Negative controls 2 3 5 10 50.0 %" in page.text
    assert "Low quality 60 70 50 180 72.2 %" in page.text
    assert "10 transcripts lie outside the image" in page.text
    assert "Nucleus recall 0.812" in page.text
    assert "Nucleus precision" not in page.text  # it is not known
    assert "The vendor has 77." in page.text
    assert "transcripts per cell at least 10 2 2" in page.text
    assert "(2 attempts)" in page.text
    assert "640 MB 900 MB" in page.text


@pytest.mark.parametrize("at_bound", [True, False])
def test_a_measured_size_is_told_and_doubted_at_its_bound(tmp_path, at_bound):
    settings = {"segmentation": {"basins": {"preset": "culture"}}}
    paths = make_results(tmp_path / "results", images=False, settings=settings)
    survey = paths.sample("s1").survey
    found = {"nucleus_diameter_um": 4.0, "diameter_at_bound": at_bound}
    survey.write_text(json.dumps(json.loads(survey.read_text()) | found))
    page = page_of(paths)
    assert "diameter measured in each sample: 4 µm" in page.text
    assert ("4 µm wide, the end of what is told apart" in page.text) is at_bound


def test_pictures_say_what_they_show(plain):
    _, page = plain
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) > 6
    assert all(attributes.get("role") == "img" and attributes.get("aria-label") for attributes in pictures)


def test_same_results_give_the_same_bytes(plain, tmp_path):
    paths, _ = plain
    copy = tmp_path / "results"
    shutil.copytree(paths.root, copy)
    assert write_report(copy).read_bytes() == paths.report.read_bytes()


def test_what_a_user_writes_cannot_become_markup(tmp_path):
    evil = "<script>alert('x')</script>\"'&"
    paths = make_results(
        tmp_path / "r",
        settings={
            "metadata": {
                "title": evil,
                "description": evil,
                "authors": [{"name": evil, "affiliation": evil}],
                "licence": evil,
            },
            "quantification": {"control_patterns": [re.escape(evil)]},
        },
        channels=(evil,),
        sheet={"condition": evil, "extra": {evil: evil}},
    )
    page = page_of(paths)
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert page.text.count(evil) >= 8


def test_a_sample_with_an_odd_name_keeps_the_page_whole(tmp_path):
    page = page_of(make_results(tmp_path / "r", samples=("a&b", 'c"d'), cohort=True))
    assert "sample-2" in page.ids
    assert 'c"d' in page.text


def test_the_certificate_says_what_was_compared(plain):
    _, page = plain
    assert "No pixel differs in 3 windows across seams" in page.text
    assert "4 blocks of 256 \u00d7 256 pixels; 31 cells touch a seam" in page.text
    assert "from the seed 77" in page.text
    assert "x 0\u2013256, y 128\u2013384" in page.text


def test_a_certificate_that_failed_is_a_warning_that_names_the_window(tmp_path):
    paths = make_results(tmp_path)
    record = seams_record(differing_pixels=1234)
    record["windows"][1]["differing_pixels"] = 1234
    paths.sample("s1").failed_seams.write_text(json.dumps(record))
    page = page_of(paths)
    assert (
        "1,234 pixels at seams are not what the image gives without cuts (x 0\u2013256, y 128\u2013384)"
        in page.text
    )
    assert "must not be used" in page.text
    assert "No pixel differs" not in page.text
    assert ("p", {"class": "fault"}) in page.tags


def test_without_compared_windows_the_certificate_claims_no_more(tmp_path):
    paths = make_results(tmp_path)
    reasons = ["instance_too_large", "read_too_large", "read_too_large"]
    skipped = [{"box_px": [0, 0, 9, 9], "reason": reason} for reason in reasons]
    paths.sample("s1").seams.write_text(json.dumps(seams_record(windows=[], skipped=skipped)))
    page = page_of(paths)
    assert "No window was compared. Nothing is certified." in page.text
    assert "an instance in them is too large to be computed in one piece: 1." in page.text
    assert "border around them that is too large to be computed in one piece: 2." in page.text
    assert ("p", {"class": "fault"}) in page.tags
    paths.sample("s1").seams.unlink()
    assert "Certificate of the seams" not in page_of(paths).text


def test_without_transcripts_their_sections_are_absent(tmp_path):
    page = page_of(make_results(tmp_path / "r", transcripts=False, types=False))
    assert not {"sample-1-transcripts", "sample-1-vendor", "types"} & set(page.ids)
    assert "of transcripts in cells" not in page.text
    assert "Every transcript was given" not in page.text
    assert "sample-1-segmentation" in page.ids


def test_without_the_vendor_no_agreement_is_claimed(tmp_path):
    page = page_of(make_results(tmp_path / "r", vendor=False))
    assert "sample-1-vendor" not in page.ids
    assert "sample-1-transcripts" in page.ids


def test_without_a_reference_cells_are_coloured_by_cluster(tmp_path):
    page = page_of(make_results(tmp_path / "r", types=False))
    assert "Map of clusters" in page.text
    assert "types" not in page.ids
    assert "unassigned" not in page.text


def test_too_few_cells_for_a_map_of_expression(tmp_path):
    page = page_of(make_results(tmp_path / "r", umap=False, clusters=1))
    assert "expression" not in page.ids
    assert "There is one cluster only" in page.text


def test_a_run_that_has_only_its_plan(tmp_path):
    paths = make_results(tmp_path / "r", cohort=False, images=False)
    shutil.rmtree(paths.work)
    (paths.sample("s1").table).unlink()
    page = page_of(paths)
    assert {"summary", "samples", "methods", "parameters", "files"} <= set(page.ids)
    assert not {"types", "markers", "resources", "sample-1-segmentation"} & set(page.ids)


def test_without_a_plan_there_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match="start the run with `isthmus run`"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_cells_that_failed_are_told_and_none_is_fine(tmp_path):
    assert "did not pass" in page_of(make_results(tmp_path / "a", failed=3)).text
    assert "did not pass" not in page_of(make_results(tmp_path / "b", failed=0)).text.replace(
        "did not pass quality control", ""
    )


def test_a_sample_without_any_cell(tmp_path):
    page = page_of(make_results(tmp_path / "r", side=10, cohort=False, failed=0))
    assert "0 of 0 cells passed" in page.text
    assert "sample-1-segmentation" in page.ids


def test_a_run_in_which_no_cell_passed(tmp_path):
    page = page_of(make_results(tmp_path / "r", cohort=False, failed=10**6))
    assert "0 passed quality control" in page.text
    assert "sample-1-map" not in page.ids


def test_volumes_show_their_middle_plane_and_volumes(tmp_path):
    page = page_of(make_results(tmp_path / "r", planes=5))
    assert "middle plane (z = 2)" in page.text
    assert "5 planes every 1 µm" in page.text
    assert "µm³" in page.text


def test_several_channels_make_a_composite_that_names_them(tmp_path):
    channels = ("DAPI", "CD3", "CD8", "CD20", "panCK")
    page = page_of(make_results(tmp_path / "r", channels=channels))
    assert "Shown: DAPI, CD3, CD8, CD20" in page.text
    assert "5: DAPI, CD3, CD8, CD20, panCK" in page.text


def test_a_reader_without_real_files_is_warned_about_twice(tmp_path):
    page = page_of(make_results(tmp_path / "r", tested=False))
    warnings = [a for tag, a in page.tags if tag == "p" and a.get("class") == "warning"]
    assert len(warnings) == 2


def test_many_samples_are_folded_but_one(tmp_path):
    names = tuple(f"s{i}" for i in range(5))
    page = page_of(make_results(tmp_path / "r", samples=names, side=64))
    folded = [a for tag, a in page.tags if tag == "details" and a.get("class") == "sample"]
    assert ["open" in attributes for attributes in folded] == [True, False, False, False, False]
    assert "UMAP by sample" in page.text


def test_options_that_differ_are_marked_with_their_default(tmp_path):
    paths = make_results(tmp_path / "r", settings={"cells": {"expand_um": 4.0}})
    html = write_report(paths.root).read_text()
    assert re.findall(r"<mark>(.*?)</mark>", html) == ["  expand_um: 4.0"]
    assert "default: 3" in html
    assert "growing nuclei by at most 4 µm" in html


def test_a_figure_for_the_readme_has_the_colours_of_the_report_exactly(tmp_path):
    paths = make_results(tmp_path / "r")
    picture = tmp_path / "images" / "demo.png"
    draw_figure(paths.root, picture)
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape == (585, 1612, 3)
    colours = set(map(tuple, pixels[::3, ::3].reshape(-1, 3).tolist()))
    assert {rgb(colour) for colour in [*PALETTE[:3], "#ffffff"]} <= colours
    before = picture.read_bytes()
    draw_figure(paths.root, picture)
    assert picture.read_bytes() == before


def test_a_figure_without_a_map_of_expression(tmp_path):
    paths = make_results(tmp_path / "r", umap=False, types=False, channels=("DAPI", "CD3"), planes=3)
    draw_figure(paths.root, tmp_path / "demo.png")
    with Image.open(tmp_path / "demo.png") as image:
        assert image.width == 1612


def test_a_figure_of_an_incomplete_run_is_refused_in_one_line(tmp_path, capsys):
    paths = make_results(tmp_path / "r", cohort=False)
    assert main([str(paths.root), str(tmp_path / "demo.png")]) == 1
    assert "the run is not complete" in capsys.readouterr().err
    assert not (tmp_path / "demo.png").exists()
    assert main([]) == 1
    assert "usage" in capsys.readouterr().err


def test_the_contents_lead_to_the_certificate(plain):
    _, page = plain
    assert [link for link in page.links if link.endswith("-seams")] == [
        f"#{i}" for i in page.ids if i.endswith("-seams")
    ]


def test_options_that_are_not_used_are_told(tmp_path):
    note = "cells.guide.weight is not used; name a channel with cells.guide.channel"
    cells = {"guide": {"weight": 9.0}}
    assert note in page_of(make_results(tmp_path / "one", settings={"cells": cells})).text
    assert "is not used" not in page_of(make_results(tmp_path / "other")).text
