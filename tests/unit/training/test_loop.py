"""A run that is interrupted leaves a checkpoint of whole steps only."""

import os
import signal

import pytest
import torch

from rlhf_lab.training.checkpoint import FILE_NAME, load_checkpoint
from rlhf_lab.training.loop import TrainingLoop
from rlhf_lab.training.optimisation import apply_gradients, make_optimizer


def interrupt_at_once():
    raise KeyboardInterrupt


def interrupt_twice():
    """The first asks the loop to end after the step; the second does not wait for it."""
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)


WAYS = [
    interrupt_at_once,
    pytest.param(interrupt_twice, marks=pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")),
]


class Run:
    """Up to five steps of a loop with one layer; `weights[n]` are those after n whole steps."""

    def __init__(self, folder, *, in_step=lambda step: None, callback=None, checkpoint_every=0):
        self.layer = torch.nn.Linear(2, 1)
        torch.nn.init.ones_(self.layer.weight)
        torch.nn.init.ones_(self.layer.bias)
        optimizer = make_optimizer(self.layer.parameters())
        self.weights = [self.layer.weight.detach().clone()]
        self.loop = TrainingLoop(
            5,
            {"layer": self.layer},
            optimizer,
            callback=callback,
            checkpoint=folder,
            checkpoint_every=checkpoint_every,
        )
        with self.loop:
            for step in self.loop:
                self.layer(torch.ones(3, 2)).pow(2).sum().backward()
                apply_gradients(optimizer, 0.1, 1.0)
                in_step(step)  # the weights have moved, and the step is not yet counted
                self.weights.append(self.layer.weight.detach().clone())
                self.loop.report()


def saved(folder):
    """The number of steps in a checkpoint, and its weights."""
    layer = torch.nn.Linear(2, 1)
    state = load_checkpoint(folder, {"layer": layer}, make_optimizer(layer.parameters()))
    return state["step"], layer.weight.detach()


@pytest.mark.parametrize("interrupt", WAYS)
@pytest.mark.parametrize("interrupted_step", [0, 2])
def test_an_interrupt_in_the_middle_of_a_step_saves_nothing(tmp_path, interrupt, interrupted_step):
    """Weights of the step that was cut off, under the number of the step before, would be resumed as if in order."""
    run = Run(tmp_path, in_step=lambda step: interrupt() if step == interrupted_step else None)
    assert run.loop.result.interrupted and len(run.loop.result.history) == interrupted_step
    assert not torch.equal(run.layer.weight, run.weights[-1])  # it was the middle of a step
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize("interrupt", WAYS)
def test_an_interrupt_in_the_middle_of_a_step_leaves_the_last_checkpoint_as_it_is(tmp_path, interrupt):
    run = Run(tmp_path, in_step=lambda step: interrupt() if step == 3 else None, checkpoint_every=1)
    assert run.loop.result.interrupted and len(run.loop.result.history) == 3
    step, weights = saved(tmp_path)
    assert step == 3 and torch.equal(weights, run.weights[3])
    assert not torch.equal(weights, run.layer.weight)


@pytest.mark.parametrize("interrupt", WAYS)
def test_an_interrupt_between_two_steps_saves_the_steps_that_are_done(tmp_path, interrupt):
    """The callback comes after a step is counted."""
    run = Run(tmp_path, callback=lambda record: interrupt() if record["step"] == 3 else None)
    assert run.loop.result.interrupted and len(run.loop.result.history) == 3
    step, weights = saved(tmp_path)
    assert step == 3 and torch.equal(weights, run.weights[3])


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_a_single_interrupt_in_the_middle_of_a_step_saves_at_its_end(tmp_path):
    run = Run(tmp_path, in_step=lambda step: signal.raise_signal(signal.SIGINT) if step == 2 else None)
    assert run.loop.result.interrupted and len(run.loop.result.history) == 3
    step, weights = saved(tmp_path)
    assert step == 3 and torch.equal(weights, run.weights[3]) and torch.equal(weights, run.layer.weight)
