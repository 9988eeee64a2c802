"""The sample's row and the options as the plan holds them, as the objects that the rooms take."""

from __future__ import annotations

from isthmus.config.models import Settings
from isthmus.config.samples import Sample
from isthmus.config.use_cases import USE_CASES
from isthmus.plan.model import RunPlan, SamplePlan

_SHEET_COLUMNS = ("batch", "condition", "image_accession", "omics_accession", "biosample")


def sheet_sample(plan: SamplePlan) -> Sample:
    """The row of the sample sheet."""
    return Sample.model_validate(plan.sheet, strict=False)


def settings_of(plan: RunPlan, sample: SamplePlan | None = None) -> Settings:
    """The configuration; for a sample, with what it has of its own."""
    settings = sample.settings(plan.settings) if sample else plan.settings
    return Settings.model_validate(settings, strict=False)


def sheet_columns(plan: SamplePlan) -> dict[str, str]:
    """The columns of the sample sheet that go to the table: those that are filled, and the user's own."""
    filled = {name: str(plan.sheet[name]) for name in _SHEET_COLUMNS if plan.sheet.get(name)}
    return filled | {name: str(value) for name, value in plan.sheet.get("extra", {}).items()}


def main_modality(plan: RunPlan, sample: SamplePlan) -> str:
    """What X of a sample's table of cells is called."""
    # Nuclei beside an array of spots hold what the channels show: molecules were counted in the spots.
    return "channels" if sample.has_spots else USE_CASES[settings_of(plan).use_case].modality
