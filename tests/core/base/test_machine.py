"""What a process may use of its machine, from made-up trees of control groups and from the real one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import layerwise
from layerwise.core.base.cgroups import Limits, read_limits
from layerwise.core.base.machine import available_memory, list_accelerators, memory_limit, n_cores

GIB = 1 << 30
NO_LIMIT_V1 = "9223372036854771712"
Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path) -> Tree:
    """Writes /proc/self/cgroup and files below /sys/fs/cgroup; gives the root."""

    def write(groups: str, files: dict[str, str]) -> Path:
        (tmp_path / "proc" / "self").mkdir(parents=True)
        (tmp_path / "proc" / "self" / "cgroup").write_text(groups)
        for name, content in files.items():
            path = tmp_path / "sys" / "fs" / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
        return tmp_path

    return write


def test_version_2_gives_cores_rounded_up_and_memory_without_file_pages_nobody_uses(tree):
    files = {
        "cpu.max": "250000 100000",
        "memory.max": str(4 * GIB),
        "memory.current": str(3 * GIB),
        "memory.stat": f"anon {GIB}\nfile {2 * GIB}\ninactive_file {GIB}\nactive_file {GIB}",
    }
    assert read_limits(tree("0::/\n", files)) == Limits(n_cores=3, memory=4 * GIB, memory_left=2 * GIB)


def test_version_1_gives_the_same(tree):
    groups = "5:memory:/docker/4f\n4:cpu,cpuacct:/docker/4f\n3:name=systemd:/docker/4f\n"
    files = {
        "cpu,cpuacct/docker/4f/cpu.cfs_quota_us": "50000",
        "cpu,cpuacct/docker/4f/cpu.cfs_period_us": "100000",
        "memory/docker/4f/memory.limit_in_bytes": str(4 * GIB),
        "memory/docker/4f/memory.usage_in_bytes": str(3 * GIB),
        "memory/docker/4f/memory.stat": f"inactive_file 5\ntotal_inactive_file {GIB}",
        "memory/memory.limit_in_bytes": NO_LIMIT_V1,
    }
    assert read_limits(tree(groups, files)) == Limits(n_cores=1, memory=4 * GIB, memory_left=2 * GIB)


def test_inside_a_container_whose_own_group_is_mounted_as_the_root_the_root_counts(tree):
    files = {
        "memory/memory.limit_in_bytes": str(GIB),
        "memory/memory.usage_in_bytes": "0",
        "cpu/cpu.cfs_quota_us": "200000",
        "cpu/cpu.cfs_period_us": "100000",
    }
    found = read_limits(tree("5:memory:/kubepods/pod1/4f\n4:cpuacct,cpu:/kubepods/pod1/4f\n", files))
    assert found == Limits(n_cores=2, memory=GIB, memory_left=GIB)


def test_the_tightest_of_nested_groups_counts(tree):
    files = {
        "slurm/job/step/memory.max": "max",
        "slurm/job/step/memory.current": "0",
        "slurm/job/memory.max": str(8 * GIB),
        "slurm/job/memory.current": str(2 * GIB),
        "slurm/memory.max": str(10 * GIB),
        "slurm/memory.current": str(9 * GIB),
        "slurm/job/step/cpu.max": "max 100000",
        "slurm/job/cpu.max": "400000 100000",
        "slurm/cpu.max": "800000 100000",
    }
    found = read_limits(tree("0::/slurm/job/step\n", files))
    assert found == Limits(n_cores=4, memory=8 * GIB, memory_left=GIB)


def test_both_versions_at_once_are_both_read(tree):
    files = {
        "unified/here/cgroup.procs": "",
        "memory/here/memory.limit_in_bytes": str(2 * GIB),
        "memory/here/memory.usage_in_bytes": str(GIB),
        "unified/here/cpu.max": "100000 100000",
    }
    found = read_limits(tree("4:memory:/here\n0::/here\n", files))
    assert found == Limits(n_cores=1, memory=2 * GIB, memory_left=GIB)


def test_more_used_than_allowed_leaves_nothing(tree):
    found = read_limits(tree("0::/\n", {"memory.max": "10", "memory.current": "20"}))
    assert found.memory_left == 0


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"cpu.max": "max 100000", "memory.max": "max", "memory.current": "77"},
        {"cpu.max": "a b", "memory.max": "lots", "memory.current": "\x00\xff"},
        {"cpu.max": "", "memory.max": "", "memory.stat": "inactive_file"},
        {"cpu.max": "100000 0", "memory.max": "-5"},
        {"cpu.max/folder": "1", "memory.max/folder": "1"},
        {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000", "memory.limit_in_bytes": NO_LIMIT_V1},
    ],
    ids=["missing", "no limit", "garbage", "empty", "zero", "folders", "no limit of version 1"],
)
def test_what_says_nothing_sets_no_limit(tree, files):
    assert read_limits(tree("0::/\n", files)) == Limits()


@pytest.mark.parametrize("groups", ["", "nonsense", "::", "0::/../../elsewhere\n", "1:memory\n\n7:cpu:/gone\n"])
def test_a_list_of_groups_that_makes_no_sense_sets_no_limit(tree, groups):
    assert read_limits(tree(groups, {"elsewhere/cgroup.procs": ""})) == Limits()


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert read_limits(tmp_path) == Limits()
    assert memory_limit(tmp_path) is None


def test_cores_are_those_of_the_affinity_and_of_the_quota_whichever_are_fewer(tree, tmp_path, monkeypatch):
    for name in ("process_cpu_count", "cpu_count"):
        monkeypatch.setattr(os, name, lambda: 8, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert n_cores(tmp_path) == 8
    root = tree("0::/\n", {"cpu.max": "150000 100000"})
    assert n_cores(root) == 2
    monkeypatch.delattr(os, "process_cpu_count")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    assert n_cores(root) == 1


def test_available_memory_is_what_the_container_leaves_where_that_is_less(tree):
    root = tree("0::/\n", {"memory.max": str(5 << 20), "memory.current": str(1 << 20)})
    assert available_memory(root) == 4 << 20
    assert memory_limit(root) == 5 << 20


def test_available_memory_is_the_hosts_where_nothing_limits_it(tmp_path):
    total = psutil.virtual_memory().total
    assert 0 < available_memory(tmp_path) <= total


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="ulimit -v is for Linux")
def test_a_limit_of_the_address_space_counts():
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30));"
        "from layerwise.core.base.machine import available_memory; print(available_memory())"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert 0 < int(told) < 1 << 30


@pytest.mark.parametrize(
    "asked_by_oneself", ["virtual_memory().available", "cpu_count", "sched_getaffinity", "threadpoolctl"]
)
def test_only_one_place_counts_cores_and_memory_and_limits_blas(asked_by_oneself):
    package = Path(layerwise.__file__).parent
    base = package / "core" / "base"
    told = [
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if path.parent != base and asked_by_oneself in path.read_text(encoding="utf-8")
    ]
    assert told == []


def test_gpus_are_told_without_a_framework(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    without = list_accelerators(tmp_path)
    folder = tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text("Model: \t NVIDIA H100\nIRQ: 16\n")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").touch()
    found = list_accelerators(tmp_path)
    assert found[: len(found) - len(without)] == ["Model: \t NVIDIA H100", "nvidia0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert list_accelerators(tmp_path) == [*found, "CUDA_VISIBLE_DEVICES="]
