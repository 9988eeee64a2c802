"""A small cluster that has a site's partitions, limits and rules, made from its facts.

What nobody knows of the site is not imitated; where a number is needed all the same, it is made up here. Jobs that run
at once are held down, because all nodes are one small machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from isthmus.sites.model import QueueFacts, Site
from slurm.layout import Layout, Limits, Nodes, Partition, Rules

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
    nodes = [_nodes(site, site.packs, (f"{short}1",), gpus=True)]
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
        must_name_partition=site.packs.partition.value is not None,
    )


def side_by_side(sites: Iterable[Site]) -> list[list[Site]]:
    """Sites in groups whose imitations fit into one cluster: no two in a group have a partition's name in common."""
    groups: list[list[Site]] = []
    for site in sites:
        # where jobs need not name a partition, there is one that they get
        group = next((each for each in groups if _fits(site, each)), None)
        if group is None:
            groups.append([site])
        else:
            group.append(site)
    return groups


def imitate_all(sites: Sequence[Site]) -> Layout:
    """One cluster with the partitions, accounts, limits and rules of several sites."""
    layouts = [imitate(site) for site in sites]
    return Layout(
        name="+".join(layout.name for layout in layouts),
        nodes=tuple(nodes for layout in layouts for nodes in layout.nodes),
        partitions=tuple(partition for layout in layouts for partition in layout.partitions),
        accounts=tuple(dict.fromkeys(account for layout in layouts for account in layout.accounts)),
        qos={name: limits for layout in layouts for name, limits in layout.qos.items()},
        must_name_partition=all(layout.must_name_partition for layout in layouts),
    )


def _fits(site: Site, group: Sequence[Site]) -> bool:
    named = {partition for each in group for partition in _partitions(each)}
    return None not in (named | _partitions(site)) and not named & _partitions(site)


def _partitions(site: Site) -> set[str | None]:
    return {site.packs.partition.value, site.light.partition.value}


def _rules(site: Site) -> Rules:
    asked = site.submission
    return Rules(
        account=bool(asked.account_required.value),
        qos=bool(asked.qos_required.value),
        no_memory=asked.memory_is_asked.value is False,
        account_end=asked.account_suffix.value or "",
        login_shell=bool(asked.login_shell.value),
        cores_per_gpu=0 if site.packs.whole_node.value else asked.cores_per_gpu.value or 0,
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
        rules=_rules(site),
        accounts=(account_of(site),),
    )
