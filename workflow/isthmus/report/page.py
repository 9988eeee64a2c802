"""report.html: one self-contained page, made from a results folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from isthmus.config.models import CellsOptions
from isthmus.config.notes import notes_of
from isthmus.report import text
from isthmus.report.charts import heat_map, histogram, stacked_bars
from isthmus.report.colours import CELL, NUCLEUS
from isthmus.report.gather import RunResults, read_run
from isthmus.report.methods import methods_text, references
from isthmus.report.sections_cohort import cohort_section
from isthmus.report.sections_compare import composition_section, mixing_section
from isthmus.report.sections_omics import omics_section
from isthmus.report.sections_places import places_section
from isthmus.report.sections_proteins import protein_section
from isthmus.report.sections_run import files_section, resources_section, summary
from isthmus.report.sections_sample import sample_section
from isthmus.report.sections_segmentations import segmentations_section
from isthmus.report.settings_text import settings_lines
from isthmus.report.software import platform_name, software_versions
from isthmus.report.words import words_of

TEMPLATES = Path(__file__).parent
_OVERVIEW_PX = ((2, 1400), (5, 900), (20, 640), (10**9, 400))
"""Up to so many samples: the largest side of an overview, so that the page stays small enough to send."""


def write_report(root: Path) -> Path:
    """Write the page of a results folder, whole or not at all; returns its path."""
    run = read_run(root)
    html = render(run)
    target = run.paths.report
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.write_text(html, encoding="utf-8")
    temporary.replace(target)
    return target


def render(run: RunResults) -> str:
    """The page as text."""
    max_px = next(px for most, px in _OVERVIEW_PX if len(run.samples) <= most)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        name: getattr(text, name)
        for name in ("count", "number", "duration", "megabytes", "file_size", "as_code")
    }
    environment.globals |= {
        "share": text.share,
        "histogram": histogram,
        "stacked_bars": stacked_bars,
        "heat_map": heat_map,
    }
    return environment.get_template("page.html.j2").render(_context(run, max_px))


def _context(run: RunResults, max_px: int) -> dict[str, Any]:
    cohort = cohort_section(run)
    metadata = run.plan.settings["metadata"]
    return {
        "title": metadata["title"] or run.plan.settings["use_case"].replace("_", " ").capitalize(),
        "metadata": metadata,
        "use_case": run.plan.settings["use_case"].replace("_", " "),
        "version": run.plan.isthmus,
        "ended": max((row["time"] for row in run.resources), default=None),
        "moment": text.moment,
        "day": text.day,
        "style": Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        "script": Markup((TEMPLATES / "script.js").read_text(encoding="utf-8")),
        "outline_colours": {"nuclei": NUCLEUS, "cells": CELL},
        "summary": summary(run),
        "words": words_of(run.plan),
        "notes": notes_of(CellsOptions.model_validate(run.plan.settings["cells"], strict=False)),
        "samples": [sample_section(run, sample, cohort.colours, max_px) for sample in run.samples],
        "cohort": cohort,
        "proteins": protein_section(run),
        "omics": omics_section(run),
        "mixing": mixing_section(run),
        "segmentations": segmentations_section(run),
        "composition": composition_section(run),
        "places": places_section(run, cohort),
        "use": resources_section(run),
        "machine": run.plan.machine,
        "software": software_versions(run.plan.isthmus),
        "platform": platform_name(),
        "min_qv": run.plan.settings["quantification"]["min_qv"],
        "settings": settings_lines(run.plan.settings),
        "methods": methods_text(run),
        "references": references(run),
        "files": files_section(run),
    }
