"""Memory freed by one layer and taken by the next is the same memory."""

import subprocess
import sys

import pytest

from monai_gi.freed_memory import keep_freed_memory

FAULTS = """
import resource
import torch
from monai_gi.freed_memory import keep_freed_memory
kept = keep_freed_memory("cpu") if {keep} else False
def layer():
    return torch.ones(12_000_000) + 1  # 48 MB twice, above any threshold that glibc chooses by itself
for _ in range(10):  # until the heap has the room
    layer()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    layer()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults_of_pages(*, keep: bool) -> tuple[bool, int]:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(keep=keep)], capture_output=True, text=True, check=True, timeout=120
    )
    kept, faults = done.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
@pytest.mark.slow
def test_freed_memory_is_used_again():
    kept, few = faults_of_pages(keep=True)
    if not kept:
        pytest.skip("the C library is not glibc")
    _, many = faults_of_pages(keep=False)
    assert many > 1000, "huge pages or small, each layer maps its memory anew"
    assert few * 10 < many


def test_on_other_devices_nothing_changes():
    assert keep_freed_memory("cuda") is False
    assert keep_freed_memory("meta") is False
