"""Which GPUs a process may use: what the driver or torch lists, and what the variable selects."""

import os

import torch

from experiments.host.device import CPU, this_device
from experiments.host.gpus import gpu_memory, gpus, own_gpus, use_only


def driver(tmp_path, monkeypatch, gpus, memory=81559, instances=()):
    """Put a command on the path that answers as NVIDIA's does on a machine with such GPUs."""
    cards = [f"NVIDIA H{n}00" for n in range(1, gpus + 1)]
    names = [f"GPU {n}: {card} (UUID: GPU-{n}a{n}b)" for n, card in enumerate(cards)]
    names += [f"  MIG 1g.10gb Device 0: (UUID: {name})" for name in instances]
    folder = tmp_path / "driver"
    folder.mkdir(exist_ok=True)
    (folder / "names").write_text("\n".join(names))
    (folder / "memory").write_text("\n".join(str(memory - 1000 * n) for n in range(gpus)))
    (folder / "cards").write_text("\n".join(cards))
    command = folder / "nvidia-smi"
    command.write_text(
        f'#!/bin/sh\ncase "$1" in -L) cat {folder}/names;; *memory*) cat {folder}/memory;;'
        f" *name*) cat {folder}/cards;; esac\n"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_the_driver_lists_the_gpus_and_cudas_variable_selects(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    driver(tmp_path, monkeypatch, gpus=2, instances=["MIG-77", "MIG-8"])
    assert gpus() == ["0", "1"]
    for selection, names in {
        "1,0": ["1", "0"],
        " 1 ": ["1"],
        "0,2,1": ["0"],  # nothing after the first invalid entry
        "0,-1,1": ["0"],
        "-1": [],
        "": [],
        "none": [],
        "0,0": [],
        "GPU-1a": ["GPU-1a"],
        "GPU-0,GPU-x,GPU-1": ["GPU-0"],
        "GPU-": [],  # the beginning of both
        "MIG-8,MIG-7": ["MIG-8"],  # one instance only
        "MIG-7,0": ["MIG-7"],
        "0,MIG-7,1": ["0"],
        "MIG-x,MIG-7": [],
    }.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", selection)
        assert gpus() == names, selection


def test_properties_are_those_of_the_gpus_that_may_be_used(tmp_path, monkeypatch):
    """A GPU's memory decides how many runs share it, its name which records give its speed."""
    driver(tmp_path, monkeypatch, gpus=3)
    for selection, memory, name in (
        ("0", 81559, "NVIDIA H100"),
        ("2,0", 79559, "NVIDIA H300"),
        ("GPU-1", 80559, "NVIDIA H200"),
        ("", 0, CPU),
    ):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", selection)
        assert gpu_memory() == memory << 20 and this_device().name == name


def test_nothing_shares_a_part_of_a_gpu(tmp_path, monkeypatch):
    driver(tmp_path, monkeypatch, gpus=1, instances=["MIG-77"])
    for selection in ("MIG-77", "0"):  # CUDA takes the first instance of a GPU with a number
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", selection)
        assert gpus() == [selection] and gpu_memory() == 0
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-77")
    assert this_device().name == "a GPU"


def test_no_driver_is_no_gpu(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert gpus() == [] and gpu_memory() == 0


def test_a_gpu_without_the_drivers_command_is_asked_of_torch(tmp_path, monkeypatch):
    """As in a container without nvidia-smi, in WSL2 or with ROCm."""
    monkeypatch.setenv("PATH", str(tmp_path))  # not asked before: answers are kept by path
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "nvidiactl").touch()
    monkeypatch.setattr("experiments.host.gpus.DEVICES", (str(tmp_path / "nvidiactl"),))
    expected = {
        "1": ["1"],
        "GPU-1a": ["GPU-1a"],
        "MIG-8": ["MIG-8"],
        "2,3": ["2", "3"],
        "1, 2": ["1", "2"],
        "0,9,1": ["0"],
        "": [],
        "-1": [],
    }
    asked = []

    def device_count():
        """What torch sees once it has applied the variable."""
        asked.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
        return 2 if asked[-1] is None else len(expected[asked[-1]])

    monkeypatch.setattr(torch.cuda, "device_count", device_count)
    monkeypatch.setattr(torch.version, "hip", None)
    assert gpus() == gpus() == ["0", "1"] and asked == [None]  # torch is asked once
    for selection, names in expected.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", selection)
        assert gpus() == names, selection


def test_rocm_prefers_its_own_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("experiments.host.gpus.DEVICES", (str(tmp_path),))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.version, "hip", "6.4")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "2,3")
    assert gpus() == ["2", "3"]


def test_jobs_share_out_the_gpus():
    assert [own_gpus(job, 1, ["0", "2"]) for job in range(3)] == [["0"], ["2"], ["0"]]
    assert [own_gpus(job, 2, list("0123")) for job in range(2)] == [["0", "1"], ["2", "3"]]
    assert own_gpus(0, 1, []) is None


def test_a_run_uses_its_own_gpus_by_either_variable(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    monkeypatch.delenv("HIP_VISIBLE_DEVICES", raising=False)
    use_only(["2", "3"])
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,3" and "HIP_VISIBLE_DEVICES" not in os.environ
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "0,1,2,3")
    use_only(["1"])
    assert os.environ["CUDA_VISIBLE_DEVICES"] == os.environ["HIP_VISIBLE_DEVICES"] == "1"
