"""The Snakemake profile of a site, as text, from its facts."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.plan.queues import goes_with_packs
from isthmus.plan.rules import GPU, LIGHT, POOLED
from isthmus.sites.model import QueueFacts, Site

EXECUTOR = "isthmus-slurm"
RETRIES = 2
WARN_SECONDS = 120
JOBS_WHERE_UNKNOWN = 40
_MARGIN = 0.9

_LOCAL = """\
rerun-triggers: [mtime, params, software-env]  # params hold what a result depends on; a comment in the code does not
rerun-incomplete: true
keep-going: true
printshellcmds: false
show-failed-logs: false
"""

_QUEUED = f"""\
retries: {RETRIES}  # here and nowhere else: a rule's own would be tried inside the job again
latency-wait: 60
max-jobs-per-timespan: 20/10s
"""


def profile_text(site: Site) -> str:
    """`config.yaml` of the profile."""
    title = f"{site.title[0].upper()}{site.title[1:]}"
    head = [
        f"# {title}: {site.summary}.",
        f"# Made by `make profiles` from resources/sites/{site.name}.yaml.",
    ]
    if site.scheduler == "none":
        cores = [f"cores: {site.packs.cores.value}"] if site.name == "ci" else []
        return "\n".join([*head, *cores, _LOCAL])
    lines = [*head, f"# Tested: {site.tested}.", *_hints(site), f"executor: {EXECUTOR}", *_jobs(site)]
    text = "\n".join(lines) + "\n" + _QUEUED + _LOCAL
    return text + "\n".join([*_settings(), *_defaults(site), *_by_rule(site)]) + "\n"


def max_jobs(site: Site) -> int | None:
    """Jobs that may be in the queue at once, below the strictest limit that is known; None where none is known."""
    limits = [queue.max_jobs_submitted.value for queue in (site.packs, site.light)]
    known = [limit for limit in limits if limit is not None]
    return int(min(known) * _MARGIN) if known else None


def _hints(site: Site) -> Iterator[str]:
    asked = site.submission
    if asked.account_required.value:
        form = f" (such as {asked.account_form.value})" if asked.account_form.value else ""
        ends = f" that ends with '{asked.account_suffix.value}'" if asked.account_suffix.value else ""
        yield f"# Account: give yours{form}{ends}: isthmus run --account NAME"
    if asked.qos_is_account.value:
        yield "# The QOS has the account's name: Snakemake wants --isthmus-slurm-qos too, `isthmus run` gives both."
    if site.software.head.value == "job":
        yield "# Login nodes allow no long processes: isthmus run --head-in-job"


def _jobs(site: Site) -> Iterator[str]:
    jobs = max_jobs(site)
    if jobs is None:
        yield f"jobs: {JOBS_WHERE_UNKNOWN}  # nobody has said how many are allowed"
    else:
        yield f"jobs: {jobs}  # below the strictest limit of its queues"


def _settings() -> Iterator[str]:
    yield f"{EXECUTOR}-requeue: true  # a job that loses its node or makes room starts again by itself"
    yield f"{EXECUTOR}-warn-seconds: {WARN_SECONDS}  # by --signal: a pack ends in good order before its time is up"


def _defaults(site: Site) -> Iterator[str]:
    yield "default-resources:"
    yield from _indented(
        {"isthmus_site": site.name, **_queue(site.light), "mem_mb": _default_memory(site)}, 2
    )
    if cpus := _light_cpus(site):
        yield f"  cpus_per_task: {cpus}"


def _by_rule(site: Site) -> Iterator[str]:
    own = {rule: fields for rule in (*POOLED, *LIGHT) if (fields := _fields(site, rule))}
    if own:
        yield "set-resources:"
        for rule, fields in own.items():
            yield f"  {rule}:"
            yield from _indented(fields, 4)


def _fields(site: Site, rule: str) -> dict[str, object]:
    """What a rule says beyond the defaults."""
    fields: dict[str, object] = {}
    queue = queue_of(site, rule)
    if _queue(queue) != _queue(site.light):
        fields |= _queue(queue)
    if site.submission.memory_is_asked.value is False:
        fields["mem_mb"] = 0
    elif queue.whole_node.value and queue.memory_mb.value:
        # the node is paid for: all of its memory, also at the first attempt
        fields["mem_mb"] = queue.memory_mb.value
    least = site.least_cores(rule)
    is_pack = rule in POOLED  # these have fewer workers at the next attempt instead of more memory
    if least != site.least_cores(LIGHT[0]) or (is_pack and site.memory_comes_with_cores):
        fields["cpus_per_task"] = _cpus(site, least)
    if rule in GPU and site.gpus_per_pack:
        fields |= _gpus(site)
    return fields


def queue_of(site: Site, rule: str) -> QueueFacts:
    """Where a rule's jobs go."""
    return site.packs if goes_with_packs(rule, has_gpus=site.gpus_per_pack > 0) else site.light


def _queue(queue: QueueFacts) -> dict[str, object]:
    named = {"slurm_partition": queue.partition.value, "qos": queue.qos.value}
    return {name: value for name, value in named.items() if value is not None}


def _default_memory(site: Site) -> int:
    return 0 if site.submission.memory_is_asked.value is False else 2000


def _cpus(site: Site, least: int) -> str:
    """CPUs to ask for, as Snakemake computes them from a job's threads; empty where threads say it all."""
    counted = site.node.cpus_per_core.value or 1
    cores = f"max(threads, {least})" if least > 1 else "threads"
    if counted > 1:
        return f"{counted} * {cores}"
    return cores if least > 1 else ""


def _light_cpus(site: Site) -> str:
    """CPUs of jobs that are no packs: where memory comes with cores, each attempt asks for as many again."""
    cpus = _cpus(site, site.least_cores(LIGHT[0]))
    if not site.memory_comes_with_cores or not site.node.cores.value:
        return cpus
    most = site.node.cores.value * (site.node.cpus_per_core.value or 1)
    return f"min({cpus} * attempt, {most})"


def _gpus(site: Site) -> dict[str, object]:
    n = site.gpus_per_pack
    how = site.submission.gpu_request.value
    if how == "gpus-per-node":
        return {"slurm_extra": f"'--gpus-per-node={n}'"}
    return {"gpu": n} if how == "gpus" else {"gres": f"gpu:{n}"}


def _indented(fields: dict[str, object], depth: int) -> Iterator[str]:
    for name, value in fields.items():
        text = f'"{value}"' if isinstance(value, str) and not value.replace("_", "").isalnum() else value
        yield f"{' ' * depth}{name}: {text}"
