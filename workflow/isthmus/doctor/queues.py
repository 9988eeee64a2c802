"""A site's queues as Slurm has them, beside what the site's file says."""

from __future__ import annotations

from isthmus.doctor import scheduler
from isthmus.doctor.finding import Examination
from isthmus.errors import did_you_mean
from isthmus.sites.model import QueueFacts, Site
from isthmus.slurm.commands import NotAnswering

_MIB_PER_GB = 1e9 / 2**20


def examine_slurm(found: Examination, site: Site, account: str) -> bool:
    """Ask Slurm for everything that a run relies on; whether it answered. Nothing is submitted."""
    try:
        known, settings = scheduler.partitions(), scheduler.settings()
    except NotAnswering as error:
        found.error("Slurm", f"it does not answer ({error})", "run this on a login node of the cluster")
        return False
    name = settings.get("ClusterName", "")
    found.fine("Slurm", f"cluster {name} answers, version {settings.get('SLURM_VERSION', 'unknown')}")
    for key in ("packs", "light"):
        _examine_queue(found, site, key, known, account)
    _examine_submission(found, site, account)
    return True


def _examine_queue(
    found: Examination, site: Site, key: str, known: dict[str, scheduler.Words], account: str
) -> None:
    facts: QueueFacts = getattr(site, key)
    name = facts.partition.value or next(
        (name for name, words in known.items() if words.get("Default") == "YES"), ""
    )
    if name not in known:
        do = did_you_mean(name, known) if name else "name one in the site's file: packs.partition"
        found.error(f"{key}.partition", f"this cluster has no partition '{name or 'by default'}'", do)
        return
    words = known[name]
    if words.get("State", "UP") != "UP":
        found.error(f"partition {name}", f"its state is {words['State']}", "wait, or take another")
    shape = _shape(found, name)
    if shape is None:
        return
    found.fine(
        f"partition {name}",
        f"{words.get('TotalNodes', '?')} nodes, {shape.cores} cores, {shape.memory_mb:,} MiB, {shape.gpus} GPUs",
    )
    if key == "packs":
        _measure_node(found, shape)
    if facts.partition.value:  # none takes the default
        found.measure(f"{key}.partition", name)
    most = scheduler.limit(words.get("MaxMemPerNode", ""))
    found.measure(f"{key}.whole_node", "EXCLUSIVE" in words.get("OverSubscribe", ""))
    found.measure(f"{key}.cores", shape.cores)
    found.measure(f"{key}.memory_mb", min(shape.memory_mb, most or shape.memory_mb))
    try:
        _measure_limits(found, key, words, _qos_of(facts, words, site, account), account)
    except NotAnswering as error:
        found.not_checked(f"partition {name}", f"limits of users: {error}")


def _shape(found: Examination, partition: str) -> scheduler.NodeShape | None:
    try:
        shape = scheduler.node_shape(partition)
    except NotAnswering as error:
        found.not_checked(f"partition {partition}", f"its nodes: {error}")
        return None
    if shape is None:
        found.error(f"partition {partition}", "it has no nodes", "take another partition")
    return shape


def _measure_limits(
    found: Examination, key: str, words: scheduler.Words, qos: list[str], account: str
) -> None:
    """Time and jobs that partition, QOS and association allow together."""
    limits = [each for name in qos if (each := scheduler.qos_limits(name)) is not None]
    own = [
        each
        for each in scheduler.associations()
        if each["Partition"] in ("", words["PartitionName"])
        and (not account or each["Account"].lower() == account.lower())
    ]
    walls = [scheduler.minutes_of(each["MaxWall"]) for each in limits]
    longest = scheduler.least(scheduler.minutes_of(words.get("MaxTime", "")), *walls)
    found.measure(f"{key}.max_minutes", longest)
    for fact, qos_key, own_key in (
        ("max_jobs_submitted", "MaxSubmitPU", "MaxSubmit"),
        ("max_jobs_running", "MaxJobsPU", "MaxJobs"),
    ):
        numbers = [scheduler.limit(each[qos_key]) for each in limits]
        numbers += [scheduler.limit(each[own_key]) for each in own]
        found.measure(f"{key}.{fact}", scheduler.least(*numbers))


def _qos_of(facts: QueueFacts, words: scheduler.Words, site: Site, account: str) -> list[str]:
    """QOS whose limits hold for a job: the partition's, and the one that the job names."""
    named = account if site.submission.qos_is_account.value else facts.qos.value
    return [name for name in (words.get("QoS", ""), named or "") if name not in ("", "N/A")]


def _measure_node(found: Examination, shape: scheduler.NodeShape) -> None:
    found.measure("node.cores", shape.cores)
    found.measure("node.threads_per_core", shape.threads_per_core)
    if shape.cores:
        found.measure("node.cpus_per_core", max(1, shape.cpus // shape.cores))
    found.measure("node.memory_gb", round(shape.memory_mb / _MIB_PER_GB))
    found.measure("node.gpus", shape.gpus)
    if shape.gpu_model:
        found.measure("node.gpu_model", shape.gpu_model)


def _examine_submission(found: Examination, site: Site, account: str) -> None:
    """What a job must say, by asking whether one would be taken without it."""
    options = job_options(site, account, memory_mb=1000)
    refused = scheduler.would_take(list(options.values()), site.interpreter)
    shown = scheduler.quoted(list(options.values()))
    if refused:
        do = "give --account" if not account else "correct the site's file, or ask the site"
        found.error("submission", f"a job with {shown or 'no options'} would be refused ({refused})", do)
        return
    found.fine("submission", f"a job with {shown or 'no options'} would be taken")
    for option, key in (("account", "account_required"), ("qos", "qos_required")):
        if option in options:
            without = [words for name, words in options.items() if name != option]
            found.measure(f"submission.{key}", bool(scheduler.would_take(without, site.interpreter)))
        else:
            found.measure(f"submission.{key}", False)
    with_memory = {**options, "memory": "--mem=1000"}
    found.measure(
        "submission.memory_is_asked", not scheduler.would_take(list(with_memory.values()), site.interpreter)
    )


def job_options(site: Site, account: str, *, memory_mb: int) -> dict[str, str]:
    """Options of a small job where packs go, as the site's facts say."""
    asked, queue = site.submission, site.packs
    options = {}
    if queue.partition.value:
        options["partition"] = f"--partition={queue.partition.value}"
    if account:
        options["account"] = f"--account={account}"
    qos = account if asked.qos_is_account.value else queue.qos.value
    if qos:
        options["qos"] = f"--qos={qos}"
    if asked.memory_is_asked.value is not False:
        options["memory"] = f"--mem={memory_mb}"
    if site.node.gpus.value:
        how = {"gpus": "--gpus=1", "gpus-per-node": "--gpus-per-node=1"}
        options["gpus"] = how.get(asked.gpu_request.value or "", "--gres=gpu:1")
        options["cores"] = f"--cpus-per-task={asked.cores_per_gpu.value or 1}"
    return options
