"""Snakemake on Slurm as Isthmus wants it: `executor: isthmus-slurm`.

A thin layer over the executor of `snakemake-executor-plugin-slurm`, whose version is pinned; a test fails when what is
replaced here changes there. It mends what costs runs:

- jobs that are cancelled, preempted or gone become failures within a minute;
- one question to Slurm for all jobs, at most 20 s after the last; the account is looked up once;
- jobs go on when the head is killed, and the next head takes them over instead of starting them twice;
- jobs start without the environment of the login, without a Slurm step and its second Snakemake;
- failures are told in plain words.
"""

from __future__ import annotations

from snakemake_executor_plugin_isthmus_slurm.executor import Executor
from snakemake_executor_plugin_isthmus_slurm.settings import ExecutorSettings, common_settings

__all__ = ["Executor", "ExecutorSettings", "common_settings"]
