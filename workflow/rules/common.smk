"""The run's plan, and what rules ask of it. No rules here."""

from snakemake.exceptions import WorkflowError

from isthmus.errors import UserError
from isthmus.launch.overrides import from_snakemake
from isthmus.launch.published import note_published
from isthmus.launch.run import Run
from isthmus.launch.site import machine_of_resources
from isthmus.launch.tidy import tidy

try:
    RUN = Run.from_files(
        workflow.config_settings.configfiles
        or [Path(workflow.basedir).parent / "config" / "imaging_transcriptomics.yaml"],
        overrides=from_snakemake(workflow.config_settings.config),
        is_head=workflow.is_main_process,
        cores=workflow._cores,
        machine=machine_of_resources(workflow.resource_settings.default_resources),
    )
except UserError as error:
    raise WorkflowError(str(error)) from None

# Relative where it can be, so that a folder may be moved together with its results.
RESULTS = RUN.results_seen_from(Path.cwd())


wildcard_constraints:
    sample="[A-Za-z0-9][A-Za-z0-9_.-]*",
    pack=r"\d+-of-\d+",


def told(function):
    """Turn an error that the user can mend into Snakemake's own kind, without a traceback."""

    def wrapped(wildcards):
        try:
            return function(wildcards)
        except UserError as error:
            raise WorkflowError(str(error)) from None

    return wrapped


# Whether samples have tables of spots beside those of their nuclei: all have, or none.
HAS_SPOTS = told(lambda _: RUN.plan.has_spots)(None)
# Whether distances to structures are measured in some sample.
HAS_STRUCTURES = told(
    lambda _: any(of.sheet.get("structures") for of in RUN.plan.samples.values())
)(None)


def begin_run():
    """Take the results folder and write the plan."""
    told(lambda _: RUN.begin())(None)


def complete_run():
    """Note what is published; where the whole workflow was asked for, intermediates go.

    Below `isthmus run` that is not known here: it may call several times, for parts.
    """
    note_published(RUN.plan, RUN.paths)
    is_whole = RUN.is_under_way_here and not workflow.dag_settings.targets
    if is_whole and not RUN.settings.execution.keep_intermediates:
        tidy(RUN.plan, RUN.paths)


def results_folder(wildcards):
    """The results folder, for the step to find its plan and files in."""
    return RESULTS


def digest_of(step):
    """What the result of a step depends on; a job runs again when, and only when, this changes."""
    return told(
        lambda wildcards: RUN.plan.digest(step, getattr(wildcards, "sample", ""))
    )


def packs_of(step):
    """The records of all packs of a sample."""
    return told(lambda wildcards: RUN.pack_records(step, wildcards.sample))


def per_sample(path):
    """A path for every sample."""
    return told(
        lambda wildcards: [
            path.replace("{sample}", sample) for sample in RUN.plan.samples
        ]
    )


def where_planned(rule, path):
    """A path for every sample that a rule has work in."""
    return told(
        lambda wildcards: [
            path.replace("{sample}", sample)
            for sample, of in RUN.plan.samples.items()
            if rule in of.digests
        ]
    )


def points_of(wildcards):
    """The binned transcripts, where the sample has any."""
    return told(lambda w: RUN.points_record(w.sample))(wildcards)


def index_of(wildcards):
    """What reads are looked up in, where it is built here."""
    return told(lambda w: RUN.built_index())(wildcards)


def counted_reads_of(wildcards):
    """The matrix that a sample's reads have become, where it comes as reads."""
    return told(lambda w: RUN.counted_reads(w.sample))(wildcards)


def raw_table_of(wildcards):
    """The table before quality control: of an image's cells, or of counts where there is no image."""
    return told(lambda w: RUN.raw_table(w.sample))(wildcards)


def numbers_of(wildcards):
    """What building that table has counted."""
    return told(lambda w: RUN.raw_numbers(w.sample))(wildcards)


def memory_of(rule):
    """Memory that the plan foresees for a rule's largest job, more at each further attempt."""
    return lambda wildcards, attempt: RUN.memory_mb(rule, attempt)


def minutes_of(rule):
    """Minutes that the plan foresees for a rule's longest job, with room, more at each further attempt."""
    return lambda wildcards, attempt: RUN.minutes(rule, attempt)


def workers_of(rule):
    """Processes that a job of a rule uses."""
    return told(lambda wildcards: RUN.workers(rule))
