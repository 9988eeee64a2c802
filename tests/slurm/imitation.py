"""A small cluster that has a site's partitions, limits and rules, made from its facts.

What nobody knows of the site is not imitated; where a number is needed all the same, it is made up here. Jobs that run
at once are held down, because all nodes are one small machine.
"""

from __future__ import annotations

from typing import TypeVar

from isthmus.sites.model import QueueFacts, Site
from slurm.layout import Layout, Limits, Nodes, Partition, Rules

Value = TypeVar("Value", int, str)
RUNNING_AT_ONCE = 3
MEMORY_MADE_UP_MB = 200_000
DEFAULT_PARTITION = "general"


def account_of(site: Site) -> str:
    """An account that the imitation knows and the site would take."""
    form, suffix = site.submission.account_form.value, site.submission.account_suffix.value or ""
    return form or f"project_465{suffix}"


def imitate(site: Site) -> Layout:
    """The imitation of a site."""
    short = site.name.replace("_", "")
    nodes = [_nodes(site, site.packs, (f"{short}1", f"{short}2"), gpus=True)]
    partitions = [_partition(site, site.packs, nodes[0])]
    if site.light.partition.value != site.packs.partition.value:
        nodes.append(_nodes(site, site.light, (f"{short}light",), gpus=False))
        partitions.append(_partition(site, site.light, nodes[1]))
    asked, account = site.submission, account_of(site)
    names = {queue.qos.value for queue in (site.packs, site.light)} - {None}
    if asked.qos_is_account.value:
        names.add(account)
    return Layout(
        name=site.name,
        nodes=tuple(nodes),
        partitions=tuple(partitions),
        accounts=(account,),
        qos={str(name): Limits() for name in sorted(str(name) for name in names)},
        rules=Rules(
            account=bool(asked.account_required.value),
            partition=site.packs.partition.value is not None,
            qos=bool(asked.qos_required.value),
            no_memory=asked.memory_is_asked.value is False,
            account_ends=_by_partition(site, asked.account_suffix.value),
            cores_per_gpu=_by_partition(
                site, None if site.packs.whole_node.value else asked.cores_per_gpu.value
            ),
        ),
    )


def _nodes(site: Site, queue: QueueFacts, names: tuple[str, ...], *, gpus: bool) -> Nodes:
    machine, node = site.machine(), site.node
    memory = machine.memory_mb if queue is site.packs else machine.light_memory_mb
    if site.submission.memory_per_core_mb.value:
        memory = (node.cores.value or 1) * site.submission.memory_per_core_mb.value
    model = f"{(node.gpu_model.value or 'gpu').lower()}:{node.gpus.value}" if node.gpus.value else ""
    return Nodes(
        names,
        cores=max(node.cores.value or 1, queue.cores.value or 1),
        threads_per_core=node.threads_per_core.value or 1,
        memory_mb=memory or MEMORY_MADE_UP_MB,
        gpus=model if gpus else "",
    )


def _partition(site: Site, queue: QueueFacts, nodes: Nodes) -> Partition:
    return Partition(
        queue.partition.value or DEFAULT_PARTITION,
        nodes.names,
        Limits(max_submitted=queue.max_jobs_submitted.value, max_running=RUNNING_AT_ONCE),
        max_minutes=queue.max_minutes.value,
        whole_nodes=bool(queue.whole_node.value),
        memory_per_core_mb=site.submission.memory_per_core_mb.value,
    )


def _by_partition(site: Site, value: Value | None) -> dict[str, Value]:
    return {site.packs.partition.value or DEFAULT_PARTITION: value} if value else {}
