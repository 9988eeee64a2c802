"""Settings of the executor: those of the Slurm plugin, and our own. Snakemake reads the fields' types at run time."""

from dataclasses import dataclass, field
from typing import Optional

import snakemake_executor_plugin_slurm as slurm_plugin
from snakemake_interface_executor_plugins.settings import CommonSettings

LONGEST_POLL_S = 20

common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_default_storage_provider_args=True,
    pass_default_resources_args=True,
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
)


@dataclass
class ExecutorSettings(slurm_plugin.ExecutorSettings):  # type: ignore[misc]
    """Settings, as `--isthmus-slurm-...` on the command line and `isthmus-slurm-...` in profiles."""

    account: Optional[str] = field(  # noqa: UP045 - Snakemake calls what is no class
        default=None,
        metadata={
            "help": "Account that jobs are billed to; wins over the resource slurm_account.",
            "env_var": True,
            "required": False,
        },
    )
    poll_seconds: int = field(
        default=15,
        metadata={"help": f"Longest time between two questions to Slurm, at most {LONGEST_POLL_S}."},
    )
    warn_seconds: int = field(
        default=120,
        metadata={"help": "Seconds before its time limit at which a job is told to come to an end; 0: not."},
    )
    export: str = field(
        default="",
        metadata={"help": "Names of further variables that jobs get from the environment, with commas."},
    )
