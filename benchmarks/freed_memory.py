"""What keeping freed memory saves a network on the CPU, and what it costs in memory.

Run from the repository's root: `python -m benchmarks.freed_memory`. Each side of a case runs in a process of its own,
in turns; the median of the ratios is printed. Random weights; the answers of the two sides are equal to the last bit.
"""

import argparse
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from monai_gi.freed_memory import keep_freed_memory

CASES = ("segformer", "segformer-training", "basic_unet", "basic_unet-training", "biopsy_unet")


def build(name: str) -> tuple[torch.nn.Module, torch.Tensor]:
    """A network as its bundle has it and a batch as large as prediction takes."""
    from monai.networks.nets import BasicUNet

    from monai_gi.networks import HuggingFaceSegmenter

    torch.manual_seed(0)
    if name == "segformer":
        return HuggingFaceSegmenter("segformer", variant="b0", in_channels=3, out_channels=3, init_weights=None), (
            torch.rand(8, 3, 288, 288)
        )
    features = (32, 32, 64, 128, 256, 32)
    if name == "basic_unet":
        return BasicUNet(2, 3, 3, features=features), torch.rand(8, 3, 288, 288)
    windows = torch.rand(1, 6, 512, 512).contiguous(memory_format=torch.channels_last)
    return BasicUNet(2, 6, 6, features=features, norm="batch"), windows


def step_of(case: str) -> Callable[[], torch.Tensor]:
    """One pass, or one step of training."""
    name, _, is_training = case.partition("-")
    network, batch = build(name)
    optimizer = torch.optim.AdamW(network.parameters())
    network.train(bool(is_training))

    def step() -> torch.Tensor:
        if not is_training:
            with torch.inference_mode():
                return network(batch)
        optimizer.zero_grad()
        loss = network(batch).square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def run_side(case: str, *, keep: bool, steps: int, threads: int) -> None:
    """Time one side in this process; prints a line of JSON."""
    torch.set_num_threads(threads)
    if keep and not keep_freed_memory("cpu"):
        sys.exit("this C library takes no such setting")
    step = step_of(case)
    step()
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for _ in range(steps):
        answer = step()
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    digest = hashlib.sha256(answer.numpy().tobytes()).hexdigest()
    print(json.dumps({"s": seconds / steps, "cpu_s": cpu / steps, "gb": after.ru_maxrss * 1024e-9, "answer": digest}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", choices=("given", "kept"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        run_side(options.cases[0], keep=options.side == "kept", steps=options.steps, threads=options.threads)
        return
    heads = ("case", "given back, s", "kept, s", "clock", "CPU time", "peak GB", "kept GB")
    print("".join(head.rjust(20 if not number else 15) for number, head in enumerate(heads)))
    for case in options.cases:
        turns = []
        for _ in range(options.turns):
            sides = []
            for side in ("given", "kept"):
                command = [sys.executable, "-m", "benchmarks.freed_memory", f"--side={side}", f"--cases={case}"]
                command += [f"--steps={options.steps}", f"--threads={options.threads}"]
                sides.append(json.loads(subprocess.check_output(command, text=True).splitlines()[-1]))
            assert sides[0]["answer"] == sides[1]["answer"], "the sides disagree"
            turns.append(sides)
        report(case, turns)


def report(case: str, turns: list[list[dict]]) -> None:
    """Print one case as a line."""
    middle = statistics.median
    given, kept = (middle(turn[side]["s"] for turn in turns) for side in (0, 1))
    ratios = [middle(turn[1][key] / turn[0][key] for turn in turns) for key in ("s", "cpu_s")]
    peaks = [max(turn[side]["gb"] for turn in turns) for side in (0, 1)]
    cells = (f"{given:.3f}", f"{kept:.3f}", *(f"{ratio:.2f}x" for ratio in ratios), *(f"{peak:.2f}" for peak in peaks))
    print(case.rjust(20) + "".join(cell.rjust(15) for cell in cells), flush=True)


if __name__ == "__main__":
    main()
