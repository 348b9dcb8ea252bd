"""What all training loops share: checks of settings, the optimiser, the learning-rate schedule, the order of data."""

import math
import sys
from collections.abc import Iterable, Iterator
from numbers import Integral, Real

import torch
from torch import nn

from rlhf_lab.models.sampling import check_generator

LEAST, MOST = sys.float_info.min, sys.float_info.max
# Allowed values of settings: (in words, type of number, lowest, highest, names of the settings).
_RULES = (
    ("a whole number of at least 1", Integral, 1, MOST, "steps batch_size samples_per_prompt max_new_tokens"),
    ("a whole number of at least 1", Integral, 1, MOST, "micro_batch_tokens"),
    ("a whole number of at least 0", Integral, 0, MOST, "samples_shown evaluate_every checkpoint_every"),
    ("a finite number above 0", Real, LEAST, MOST, "epochs"),
    ("a number above 0", Real, LEAST, math.inf, "max_gradient_norm kl_limit"),
    ("a finite number of at least 0", Real, 0, MOST, "learning_rate weight_decay"),
    ("a number from 0 to 1", Real, 0, 1, "warmup_fraction final_fraction average_last"),
    ("a number from -1e6 to 1e6", Real, -1e6, 1e6, "kl_coefficient missing_eos_penalty entropy_coefficient"),
)


def check_settings(config, kind: type) -> None:
    """ValueError, saying what is allowed, if config is not of this kind or a setting is out of range."""
    if not isinstance(config, kind):
        raise ValueError(
            f"config is a {type(config).__name__}; it must be a {kind.__name__}, or None for the defaults."
        )
    for allowed, number, lowest, highest, names in _RULES:
        for name in set(names.split()) & set(vars(config)):
            value = getattr(config, name)
            left_out = value is None and getattr(kind, name) is None
            if not (left_out or (isinstance(value, number) and lowest <= value <= highest)):
                raise ValueError(f"{kind.__name__}: {name} is {value!r}; it must be {allowed}.")


def make_optimizer(parameters: Iterable[nn.Parameter], weight_decay: float = 0.0) -> torch.optim.AdamW:
    """AdamW that decays matrices and embeddings, but not biases or layer norms. Set lr before each step."""
    trained = [p for p in parameters if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95), eps=1e-8, fused=True)


def warmup_cosine(step: int, total: int, peak: float, warmup: int, final_fraction: float = 0.1) -> float:
    """Learning rate of step 0 .. total - 1. It rises linearly over `warmup` steps, then falls along half a cosine to
    final_fraction * peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, total - 1 - warmup)
    return peak * (final_fraction + (1.0 - final_fraction) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress))))


def apply_gradients(optimizer: torch.optim.Optimizer, learning_rate: float, max_norm: float) -> float:
    """Clip the gradients to a total norm, take a step, clear the gradients. Returns the norm before clipping.

    If the norm is not finite, no step is taken and the weights do not change.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    norm = float(nn.utils.clip_grad_norm_(parameters, max_norm))
    if math.isfinite(norm):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm


def not_finite(step: int, loss: float, norm: float, learning_rate: float, updated: bool) -> str:
    """The message for a loss or gradient that is not finite. updated: whether any update has happened yet."""
    what = f"the loss or its gradient is not a finite number (loss {loss}, gradient norm {norm})"
    if not updated:
        return (
            f"Stopped before the first update: {what}. So it is not the learning rate: weights of the model, numbers in"
            " what it learns from, or settings of the loss are far too large."
        )
    return (
        f"Stopped at step {step + 1}: {what}. The usual cause is a learning rate that is too high"
        f" ({learning_rate:.2g}): try a third of it."
    )


def random_generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw_seed(generator: torch.Generator | None) -> int:
    """A seed drawn from a generator (None: torch's global one), for making other generators."""
    check_generator(generator)
    device = "cpu" if generator is None else generator.device
    return int(torch.randint(2**62, (), generator=generator, device=device))


def shuffled_batches(count: int, size: int, seed: int, start: int = 0) -> Iterator[list[int]]:
    """An endless stream of batches of the indices 0 .. count - 1 in shuffled order, beginning with batch `start`.

    Pass number e is shuffled with seed + e, so a resumed run can restore its order from the step number. A batch may
    contain the end of one pass and the beginning of the next.
    """
    epoch, offset = divmod(start * size, count)
    order = torch.randperm(count, generator=random_generator(seed + epoch)).tolist()
    while True:
        batch = []
        while len(batch) < size:
            if offset == count:
                epoch, offset = epoch + 1, 0
                order = torch.randperm(count, generator=random_generator(seed + epoch)).tolist()
            taken = order[offset : offset + size - len(batch)]
            batch += taken
            offset += len(taken)
        yield batch
