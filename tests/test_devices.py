"""Names of devices and precisions, and what they become on this machine."""

import pytest
import torch

from monai_gi.devices import has_bf16, resolve_amp, resolve_device
from monai_gi.errors import DataError


def test_auto_takes_what_the_machine_has(tmp_path):
    cpu = torch.device("cpu")
    assert resolve_amp("bf16", cpu) == "bf16"
    assert resolve_amp(False, cpu) is False
    assert resolve_amp("auto", torch.device("cuda")) is True
    assert resolve_amp("auto", cpu) == has_bf16()
    for flags, has_it in (("fma avx512f avx512_bf16 clzero", True), ("fp asimd bf16", True), ("avx2 avx512f", False)):
        (tmp_path / "cpuinfo").write_text(f"flags\t\t: {flags}\n")
        assert has_bf16(tmp_path / "cpuinfo") == has_it
    assert not has_bf16(tmp_path / "absent")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_devices_that_are_not_there_are_refused():
    with pytest.raises(DataError, match=r"--device: cuda:99 asked for, but PyTorch sees \d+ CUDA devices"):
        resolve_device("cuda:99")
    with pytest.raises(DataError, match="--device: 'gpu' asked for, wanted auto, cpu, cuda or cuda:N"):
        resolve_device("gpu")
    with pytest.raises(DataError, match="--device: 'mps' asked for, wanted auto, cpu, cuda or cuda:N"):
        resolve_device("mps")
