"""Limits of a container, read from control groups as the kernel shows them."""

import os

import pytest

from experiments.host.limits import cores, memory_limit

GIB = 1 << 30
INSTALLED = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
CORES = len(os.sched_getaffinity(0))


def system(root, groups, files):
    """A file system with this process's groups and these files of them."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        ("0::/\n", {"memory.max": str(GIB), "cpu.max": "100000 100000"}),
        ("0::/a/b\n", {"a/memory.max": str(GIB), "a/b/memory.max": "max",
                       "a/b/cpu.max": "max 100000", "a/cpu.max": "150000 100000"}),
        ("5:cpu,cpuacct:/docker/1f\n4:memory:/docker/1f\n0::/\n",  # the paths of the host
         {"memory/memory.limit_in_bytes": str(GIB), "cpu/cpu.cfs_quota_us": "50000",
          "cpu/cpu.cfs_period_us": "100000"}),
        ("5:cpu:/x\n4:memory:/x\n",
         {"memory/x/memory.limit_in_bytes": str(GIB), "memory/memory.limit_in_bytes": str(2**63),
          "cpu/x/cpu.cfs_quota_us": "100000", "cpu/x/cpu.cfs_period_us": "100000"}),
        ("0::/a\n", {"a/memory.max": str(2 * GIB), "a/memory.high": str(GIB),
                     "a/cpu.max": "100000 100000"}),
        ("0::/a\n", {"a/memory.max": "max", "memory.high": str(GIB),
                     "a/cpu.max": "100000 100000"}),
        ("5:cpuacct,cpu:/x\n4:memory:/x\n",  # without a link `cpu`; the order of the names differs
         {"memory/x/memory.limit_in_bytes": str(GIB),
          "cpu,cpuacct/x/cpu.cfs_quota_us": "100000",
          "cpu,cpuacct/x/cpu.cfs_period_us": "100000"}),
        ("1:name=systemd:/a\n0::/a\n",
         {"unified/a/memory.max": str(GIB), "unified/a/cpu.max": "100000 100000"}),
    ],
)  # fmt: skip
def test_a_containers_limits_hold(tmp_path, groups, files):
    root = system(tmp_path, groups, files)
    assert memory_limit(root) == min(GIB, INSTALLED) and cores(root) == 1


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        ("", {}),
        ("0::/\n", {"memory.max": "max", "cpu.max": "max 100000"}),
        ("0::/../../other\n", {}),
        ("5:cpu:/\n4:memory:/\n", {"memory/memory.limit_in_bytes": str(2**63 - 4096),
                                   "cpu/cpu.cfs_quota_us": "-1",
                                   "cpu/cpu.cfs_period_us": "100000"}),
    ],
)  # fmt: skip
def test_without_limits_it_is_the_machines(tmp_path, groups, files):
    root = system(tmp_path, groups, files)
    assert memory_limit(root) == INSTALLED and cores(root) == CORES


@pytest.mark.parametrize(
    ("variables", "number"),
    [
        ({"SLURM_CPUS_ON_NODE": "1"}, 1),
        ({"SLURM_CPUS_ON_NODE": "64", "SLURM_CPUS_PER_TASK": "1"}, 1),
        ({"SLURM_CPUS_ON_NODE": "4096"}, CORES),  # never more than the process may use
        ({"SLURM_CPUS_ON_NODE": "2(x3)"}, CORES),
    ],
)
def test_a_slurm_job_computes_with_its_part_of_a_node(variables, number, tmp_path, monkeypatch):
    for name in ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"):
        monkeypatch.delenv(name, raising=False)
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert cores(tmp_path) == number
