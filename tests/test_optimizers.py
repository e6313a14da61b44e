"""Optimizers and schedules against PyTorch's own, by hand, and over a save and load."""

import math

import pytest
import torch
from monai.networks.nets import BasicUNet
from torch import nn

from monai_gi.optimizers import SCHEDULES, lr_scheduler, optimizer


def small_network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Conv2d(4, 2, 1))


def rates(name: str, steps: int, **settings: object) -> list[float]:
    """Learning rates of the iterations 0 .. steps - 1 at a top of 1."""
    adam = optimizer(small_network(), learning_rate=1.0)
    schedule = lr_scheduler(adam, name, **settings)
    seen = []
    for _ in range(steps):
        seen.append(adam.param_groups[0]["lr"])
        adam.step()
        schedule.step()
    return seen


@pytest.mark.parametrize(
    ("name", "kind"), [("AdamW", torch.optim.AdamW), ("Adam", torch.optim.Adam), ("SGD", torch.optim.SGD)]
)
def test_the_name_makes_the_optimizer_it_names(name, kind):
    assert type(optimizer(small_network(), name)) is kind


def test_sgd_has_nesterov_momentum():
    group = optimizer(small_network(), "SGD").param_groups[0]
    assert (group["momentum"], group["nesterov"]) == (0.9, True)


def test_learning_rate_reaches_both_groups():
    assert [group["lr"] for group in optimizer(small_network(), learning_rate=0.02).param_groups] == [0.02, 0.02]


def test_only_kernels_decay():
    network = small_network()
    decayed, kept = optimizer(network, weight_decay=0.3).param_groups
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.3, 0.0)
    assert [id(weight) for weight in decayed["params"]] == [id(network[0].weight), id(network[2].weight)]
    assert len(kept["params"]) == 4


def test_every_trainable_weight_is_in_one_group():
    network = BasicUNet(spatial_dims=2, features=(4, 4, 4, 4, 4, 4))
    grouped = [id(weight) for group in optimizer(network).param_groups for weight in group["params"]]
    assert sorted(grouped) == sorted(map(id, network.parameters()))


def test_frozen_weights_are_left_out():
    network = small_network()
    network[0].requires_grad_(False)
    assert [len(group["params"]) for group in optimizer(network).param_groups] == [1, 3]


def test_a_network_without_norms_and_biases_keeps_two_groups():
    assert [len(group["params"]) for group in optimizer(nn.Linear(2, 2, bias=False)).param_groups] == [1, 0]


def test_unknown_optimizer_names_the_nearest():
    with pytest.raises(ValueError, match="'adamw' is not known, nearest is 'AdamW'"):
        optimizer(small_network(), "adamw")


def test_nothing_to_train_is_an_error():
    with pytest.raises(ValueError, match="no weight requires a gradient"):
        optimizer(small_network().requires_grad_(False))


def test_warm_up_rises_in_equal_steps_to_the_top():
    seen = rates("constant", 6, total_steps=100, warmup_steps=4)
    assert seen == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_warm_up_share_counts_in_total_steps():
    assert rates("constant", 12, total_steps=100, warmup_share=0.1).index(1.0) == 10


def test_warm_up_is_a_twentieth_unless_told():
    assert rates("cosine", 12, total_steps=100).index(1.0) == 5


def test_warm_up_steps_win_over_the_share():
    assert rates("constant", 9, total_steps=100, warmup_share=0.5, warmup_steps=2).index(1.0) == 2


def test_cosine_is_half_way_down_in_the_middle_and_stays_at_its_end():
    seen = rates("cosine", 30, total_steps=20, warmup_steps=0, final_share=0.2)
    assert (seen[0], seen[10], seen[20], seen[29]) == pytest.approx((1.0, 0.6, 0.2, 0.2))


def test_cosine_equals_pytorchs():
    adam = torch.optim.Adam(small_network().parameters(), lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(adam, T_max=25, eta_min=0.1)
    expected = []
    for _ in range(25):
        expected.append(adam.param_groups[0]["lr"])
        adam.step()
        theirs.step()
    assert rates("cosine", 25, total_steps=25, warmup_steps=0, final_share=0.1) == pytest.approx(expected, abs=1e-9)


def test_polynomial_follows_its_power():
    seen = rates("polynomial", 11, total_steps=10, warmup_steps=0, power=2.0, final_share=0.5)
    assert (seen[5], seen[10]) == pytest.approx((0.5 + 0.5 * 0.25, 0.5))


def test_polynomial_is_nearly_linear_unless_told():
    assert rates("polynomial", 6, total_steps=10, warmup_steps=0)[5] == pytest.approx(0.5**0.9)


def test_multi_step_falls_at_its_milestones_by_gamma():
    seen = rates("multi_step", 10, total_steps=10, warmup_steps=0, milestones=(0.2, 0.6), gamma=0.5)
    assert seen == pytest.approx([1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25])


def test_one_cycle_equals_pytorchs():
    adam = torch.optim.Adam(small_network().parameters(), lr=1.0)
    # theirs puts the top one step before 0.3 of its steps and the end on the last one
    theirs = torch.optim.lr_scheduler.OneCycleLR(adam, 1.0, total_steps=51, pct_start=16 / 51, cycle_momentum=False)
    expected = []
    for _ in range(50):
        expected.append(adam.param_groups[0]["lr"])
        adam.step()
        theirs.step()
    assert rates("one_cycle", 50, total_steps=50) == pytest.approx(expected, abs=1e-9)


def test_one_cycle_takes_another_rise():
    seen = rates("one_cycle", 50, total_steps=50, warmup_share=0.5)
    assert seen.index(max(seen)) == 25


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_resumed_schedule_goes_on_with_the_same_rates(name, tmp_path):
    settings = {"total_steps": 12, "warmup_steps": 3}
    whole = rates(name, 12, **settings)
    adam = optimizer(small_network(), learning_rate=1.0)
    schedule = lr_scheduler(adam, name, **settings)
    for _ in range(5):
        adam.step()
        schedule.step()
    torch.save({"optimizer": adam.state_dict(), "lr_scheduler": schedule.state_dict()}, tmp_path / "resume.pt")

    resumed = optimizer(small_network(), learning_rate=1.0)
    resumed_schedule = lr_scheduler(resumed, name, **settings)
    saved = torch.load(tmp_path / "resume.pt", weights_only=True)
    resumed.load_state_dict(saved["optimizer"])
    resumed_schedule.load_state_dict(saved["lr_scheduler"])
    rest = []
    for _ in range(7):
        rest.append(resumed.param_groups[1]["lr"])
        resumed.step()
        resumed_schedule.step()
    assert rest == whole[5:]


def test_the_schedule_may_step_before_the_optimizer():
    adam = optimizer(small_network(), learning_rate=1.0)
    schedule = lr_scheduler(adam, "constant", total_steps=10, warmup_steps=9)
    schedule.step()  # gradients accumulate, nothing is stepped; a warning would be an error here
    assert math.isclose(adam.param_groups[0]["lr"], 0.2)


def test_unknown_schedule_names_the_nearest():
    with pytest.raises(ValueError, match="'one-cycle' is not known, nearest is 'one_cycle'"):
        lr_scheduler(optimizer(small_network()), "one-cycle", total_steps=5)


def test_no_steps_are_an_error():
    with pytest.raises(ValueError, match="total_steps: 0, wanted 1 or more"):
        lr_scheduler(optimizer(small_network()), total_steps=0)


@pytest.mark.parametrize("settings", [{"warmup_share": 1.0}, {"warmup_share": -0.5}, {"warmup_steps": 10}])
def test_a_rise_longer_than_the_run_is_an_error(settings):
    with pytest.raises(ValueError, match="of 10 steps, wanted at least 0 and fewer than all"):
        lr_scheduler(optimizer(small_network()), total_steps=10, **settings)


class Shares:
    """A clock that has used up a share of its time."""

    def __init__(self, share):
        self.now = share

    def share(self):
        return self.now


def test_a_run_that_time_ends_passes_through_the_whole_curve():
    adam, clock = optimizer(small_network(), learning_rate=1.0), Shares(0.0)
    schedule = lr_scheduler(adam, "cosine", total_steps=1_000_000, warmup_share=0.2, clock=clock)
    seen = []
    for share in (0.1, 0.2, 0.6, 1.0):
        adam.step()
        clock.now = share
        schedule.step()
        seen.append(adam.param_groups[0]["lr"])
    assert seen == pytest.approx([0.5, 1.0, 0.5, 0.0], abs=1e-5)


def test_steps_count_where_they_end_the_run_before_its_time():
    assert rates("cosine", 20, total_steps=20, clock=Shares(0.0)) == rates("cosine", 20, total_steps=20)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_can_follow_a_clock(name):
    stepped, timed = rates(name, 101, total_steps=100)[75], rates(name, 2, total_steps=100, clock=Shares(0.75))[1]
    assert timed == pytest.approx(stepped)
