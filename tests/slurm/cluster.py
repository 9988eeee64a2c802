"""A real Slurm on one machine: munged, MariaDB, slurmdbd, slurmctld and one slurmd a node.

The nodes claim shapes that the machine does not have, so that submission, limits, accounting, preemption and failures
are those of a large system. Nothing of speed or scaling can be learned from it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil

from slurm import accounts, texts
from slurm.daemons import STOP_S, Daemons, wait_until
from slurm.layout import Layout
from slurm.packages import CONFIGURATION, path

CONFIGURATION_FILES = ("slurm.conf", "slurmdbd.conf", "gres.conf", "cgroup.conf", "job_submit.lua")
_NOT_ENDED = ("PENDING", "RUNNING", "COMPLETING", "REQUEUED", "SUSPENDED")
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_NULL_DEVICE = os.makedev(1, 3)


class Cluster:
    """The cluster in a folder; `load` gives it a layout, and may be called again with another."""

    def __init__(self, root: Path, number: int = 0) -> None:
        self.root = root
        self.number = number
        """Which of the clusters that run on this machine at once it is."""
        self.layout: Layout | None = None
        self._daemons = Daemons(root)
        self.confines_memory = _has_control_groups()
        self.devices: Path | None = None

    # starting and stopping

    def start(self) -> None:
        """Start what does not depend on the layout: munged and the database."""
        self._clear()
        key = self.root / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        self._daemons.start(
            "munged",
            [
                *("munged", "--foreground", "--force", f"--key-file={key}"),
                *(f"--socket={self.root}/munge.socket", f"--pid-file={self.root}/run/munged.pid"),
                *(f"--seed-file={self.root}/munge.seed", f"--log-file={self.root}/log/munged.log"),
            ],
        )
        self._start_database()
        self.devices = self._make_devices()

    def load(self, layout: Layout) -> None:
        """Make the cluster be `layout`: new limits in the database, slurmctld and slurmd started anew."""
        if layout == self.layout:
            return
        self._stop_nodes_and_controller()
        self._write_configuration(layout)
        if not self._daemons.is_alive("slurmdbd"):
            self._start_accounting()
        said = accounts.apply(accounts.commands(layout, self.root.name))
        if "error" in said.lower():
            raise RuntimeError(f"sacctmgr: {said}")
        self.layout = layout
        self.start_controller()
        for nodes in layout.nodes:
            for name in nodes.names:
                self.start_node(name)
        wait_until(self._is_ready, f"idle nodes of {layout.name}: {self._node_states()}")

    def stop(self) -> None:
        """Cancel all jobs, end all daemons, take the configuration away; logs stay."""
        if self.layout is not None:
            with suppress(subprocess.SubprocessError, TimeoutError):
                self.clear_jobs()
        self._stop_nodes_and_controller()
        for name in ("slurmdbd", "mariadbd", "munged"):
            self._daemons.stop(name)
        self._unlink()

    # what tests ask for

    def call(self, *words: str, check: bool = True) -> str:
        """What a command of Slurm says."""
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.strip()

    def clear_jobs(self) -> None:
        """Cancel all jobs and wait until they are gone."""
        self.call("scancel", "--user=root", check=False)
        self.call("scancel", "--user=root", "--signal=KILL", "--full", check=False)
        wait_until(lambda: not self.jobs(), "cancelled jobs to go")

    def jobs(self) -> list[str]:
        """Ids of the jobs that wait or run."""
        return self.call("squeue", "--noheader", "--format=%i").split()

    def accounting(self, *fields: str, since: str = "") -> list[tuple[str, ...]]:
        """A tuple of `fields` for each job that the database knows (steps apart), of those started after `since`."""
        words = ["sacct", "--noheader", "--parsable2", "--allocations", "--duplicates", "--allusers"]
        words += [f"--format={','.join(fields)}", f"--starttime={since or 'now-1day'}"]
        return [tuple(line.split("|")) for line in self.call(*words).splitlines()]

    def next_job(self) -> int:
        """Id that the next job will have: the database may hear of earlier jobs only later."""
        said = self.call("scontrol", "show", "config")
        return next(int(line.split("=")[1]) for line in said.splitlines() if line.startswith("NEXT_JOB_ID"))

    def jobs_since(self, first: int) -> list[tuple[str, ...]]:
        """(id, name, state) of every job from this id on, as the database knows it."""
        return [job for job in self.accounting("JobID", "JobName", "State") if int(job[0]) >= first]

    def ended(self, job: str, *fields: str) -> tuple[str, ...]:
        """`fields` of a job that has ended or is about to; the database knows of the end a little later."""
        found: list[tuple[str, ...]] = []

        def has_ended() -> bool:
            found[:] = [
                rest
                for id_, state, *rest in self.accounting("JobID", "State", *fields)
                if id_ == job and state.split()[0] not in _NOT_ENDED
            ]
            return bool(found)

        wait_until(has_ended, f"the end of job {job}")
        return tuple(found[-1])

    # faults that tests cause

    def start_controller(self) -> None:
        """Start slurmctld and wait until it answers."""
        self._daemons.start("slurmctld", ["slurmctld", "-D", "-i"])
        wait_until(self._controller_answers, "slurmctld")

    def stop_controller(self) -> None:
        """End slurmctld, in good order: killed, it would forget what happened in its last seconds. Jobs go on."""
        self._daemons.stop("slurmctld")

    def start_node(self, name: str) -> None:
        """Start a node's slurmd."""
        (self.root / "spool" / name).mkdir(parents=True, exist_ok=True)
        self._daemons.start(f"slurmd.{name}", ["slurmd", "-D", "-N", name])

    def kill_node(self, name: str) -> None:
        """What a power cut does: the node's slurmd and all that runs on it are gone at once."""
        running = self.call("squeue", "--noheader", "--format=%i", f"--nodelist={name}", "--states=R").split()
        self._daemons.stop(f"slurmd.{name}", kill=True)
        for job in running:
            _kill_job(job)

    def wait_for_nodes(self) -> None:
        """Wait until a job would be taken: nodes need a moment to be known again after a fault."""
        asked = ["sbatch", "--test-only", "--mem=1000", "--wrap=true"]
        wait_until(
            lambda: subprocess.run(asked, capture_output=True, check=False).returncode == 0,
            f"nodes that take jobs: {self._node_states()}",
        )

    def run_again(self, job: str) -> None:
        """End the two minutes that a job waits after it was put back into the queue; they may begin anew when its
        node is known to be free. Returns when it runs, or is no more."""

        def runs() -> bool:
            state = self.call("squeue", "--noheader", "--format=%T", f"--jobs={job}", check=False)
            if state == "PENDING":
                self.call("scontrol", "update", f"JobId={job}", "StartTime=now", check=False)
            return state != "PENDING"

        wait_until(runs, f"job {job} to run again", every=1.0)

    # in detail

    def _clear(self) -> None:
        self._daemons.end_those_of_a_killed_session()
        self._unlink()
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in ("log", "run", "state", "spool", "etc", "devices"):
            (self.root / folder).mkdir(parents=True)
        self.root.chmod(0o755)

    def _unlink(self) -> None:
        for name in CONFIGURATION_FILES:
            link = CONFIGURATION.with_name(name)
            if link.is_symlink() and link.readlink().is_relative_to(self.root):
                link.unlink()

    def _write_configuration(self, layout: Layout) -> None:
        folder = self.root / "etc"
        contents = {
            "slurm.conf": texts.slurm_conf(
                layout, self.root, cgroups=self.confines_memory, number=self.number
            ),
            "gres.conf": texts.gres_conf(layout, self.devices),
            "cgroup.conf": texts.cgroup_conf() if self.confines_memory else "",
            "job_submit.lua": texts.job_submit_lua(layout),
        }
        CONFIGURATION.parent.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            (folder / name).write_text(text)
            # Jobs find the configuration at its usual place only: Snakemake takes SLURM_CONF out of their environment.
            link = CONFIGURATION.with_name(name)
            if not link.is_symlink():
                link.symlink_to(folder / name)

    def _start_database(self) -> None:
        data, socket = self.root / "database", self.root / "mariadb.socket"
        subprocess.run(
            [
                *(
                    "mariadb-install-db",
                    "--no-defaults",
                    f"--datadir={data}",
                    "--user=root",
                    "--skip-test-db",
                ),
                "--auth-root-authentication-method=normal",
            ],
            env={**os.environ, "PATH": path()},
            check=True,
            capture_output=True,
        )
        self._daemons.start(
            "mariadbd",
            [
                *("mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={socket}"),
                *("--skip-networking", "--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900"),
                *("--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--performance-schema=OFF"),
            ],
        )
        wait_until(lambda: socket.exists() and stat.S_ISSOCK(socket.stat().st_mode), "MariaDB")

    def _start_accounting(self) -> None:
        conf = self.root / "etc" / "slurmdbd.conf"
        conf.write_text(texts.slurmdbd_conf(self.root, number=self.number))
        conf.chmod(0o600)
        link = CONFIGURATION.with_name("slurmdbd.conf")
        link.unlink(missing_ok=True)
        link.symlink_to(conf)
        self._daemons.start(
            "slurmdbd", ["slurmdbd", "-D"], {"MYSQL_UNIX_PORT": str(self.root / "mariadb.socket")}
        )
        words = ("sacctmgr", "--noheader", "show", "cluster")
        wait_until(
            lambda: subprocess.run(words, capture_output=True, check=False).returncode == 0, "slurmdbd"
        )

    def _make_devices(self) -> Path | None:
        """Null devices in the place of GPUs; None where devices cannot be made."""
        folder = self.root / "devices"
        try:
            for number in range(8):
                os.mknod(folder / f"gpu{number}", 0o666 | stat.S_IFCHR, _NULL_DEVICE)
        except PermissionError:
            return None
        return folder

    def _stop_nodes_and_controller(self) -> None:
        if self.layout is not None and self._daemons.is_alive("slurmctld"):
            self.clear_jobs()
        for name in self._daemons.names("slurmd."):
            self._daemons.stop(name)
        self._daemons.stop("slurmctld")

    def _controller_answers(self) -> bool:
        return subprocess.run(["scontrol", "ping"], capture_output=True, check=False).returncode == 0

    def _node_states(self) -> list[str]:
        return self.call("sinfo", "--noheader", "--Node", "--format=%N %T", check=False).splitlines()

    def _is_ready(self) -> bool:
        states = self._node_states()
        return bool(states) and all(state.endswith(" idle") for state in states)


def _kill_job(job: str) -> None:
    """Kill the daemons of a job's steps and all processes below them."""
    for process in psutil.process_iter(["cmdline"]):
        title = " ".join(process.info["cmdline"] or [])
        if title.startswith(f"slurmstepd: [{job}."):
            with suppress(psutil.Error):
                below = process.children(recursive=True)
                for each in [process, *below]:
                    with suppress(psutil.Error):
                        each.kill()
                psutil.wait_procs([process, *below], timeout=STOP_S)


def _has_control_groups() -> bool:
    """Whether Slurm may make control groups of the first version, which Debian's release knows without systemd."""
    for kind in ("memory", "freezer"):
        probe = _CONTROL_GROUPS / kind / "isthmus_probe"
        try:
            probe.mkdir()
            probe.rmdir()
        except OSError:
            return False
    return True
