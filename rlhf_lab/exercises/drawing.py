"""What exercises share: random inputs of small and varied size, two tiny models, and the parts of a training step."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn

GARBAGE = 1e4  # a value for the padding, large so that it is noticed if somebody counts it


def size(generator: torch.Generator, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def normal(generator: torch.Generator, *shape: int, scale: float = 1.0) -> Tensor:
    """Normally distributed numbers with this standard deviation."""
    return torch.randn(*shape, generator=generator) * scale


def whole(generator: torch.Generator, low: int, high: int, *shape: int) -> Tensor:
    """Whole numbers from low to high, both included."""
    return torch.randint(low, high + 1, shape, generator=generator)


def right_padded(generator: torch.Generator, rows: int, width: int) -> Tensor:
    """A mask (rows, width), true on the first entries of each row: at least one of them, and all in some row."""
    lengths = whole(generator, 1, width, rows)
    lengths[size(generator, 0, rows - 1)] = width
    return torch.arange(width) < lengths[:, None]


def holes(generator: torch.Generator, rows: int, width: int) -> Tensor:
    """A mask (rows, width) that is true at random places, at least one."""
    mask = torch.rand(rows, width, generator=generator) < 0.6
    mask[size(generator, 0, rows - 1), size(generator, 0, width - 1)] = True
    return mask


def with_garbage(values: Tensor, mask: Tensor, garbage: float = GARBAGE) -> Tensor:
    """The values, replaced by garbage where the mask is false."""
    return torch.where(mask, values, torch.full_like(values, garbage))


class TinyLanguageModel(nn.Module):
    """A causal language model with a few dozen weights and the interface of transformers' models.

    Each position's logits come from the mean embedding of the real tokens so far.
    """

    def __init__(self, generator: torch.Generator, vocabulary: int = 6, width: int = 3):
        super().__init__()
        self.embedding = nn.Parameter(normal(generator, vocabulary, width))
        self.head = nn.Parameter(normal(generator, width, vocabulary))

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
        """input_ids, attention_mask: (B, L). The result has `logits`, (B, L, vocabulary)."""
        return SimpleNamespace(logits=_means(self.embedding, input_ids, attention_mask) @ self.head)


class TinyRewardModel(nn.Module):
    """A reward model with a few dozen weights and the package's interface: ids and mask (B, L) to rewards (B,)."""

    def __init__(self, generator: torch.Generator, vocabulary: int = 6, width: int = 3):
        super().__init__()
        self.embedding = nn.Parameter(normal(generator, vocabulary, width))
        self.head = nn.Parameter(normal(generator, width))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        column = torch.arange(ids.shape[1])
        last = column.masked_fill(~mask.bool(), -1).max(1).values  # the last real token
        return _means(self.embedding, ids, mask)[torch.arange(len(ids)), last] @ self.head


def _means(embedding: Tensor, ids: Tensor, mask: Tensor | None) -> Tensor:
    real = torch.ones_like(ids) if mask is None else mask
    real = real.to(embedding.dtype)[..., None]  # (B, L, 1)
    return (embedding[ids] * real).cumsum(1) / real.cumsum(1).clamp(min=1)


# --- Parts of a training step ------------------------------------------------------------------------


def with_old_gradients(policy: TinyLanguageModel) -> TinyLanguageModel:
    """The model itself, with gradients in it as an earlier step may have left them."""
    policy.embedding.grad, policy.head.grad = torch.full_like(policy.embedding, 0.5), torch.full_like(policy.head, -0.5)
    return policy


def groups_of_texts(generator: torch.Generator) -> tuple[Tensor, Tensor, int]:
    """Several completions of each of several prompts: ids (B, L), a mask (B, L) of the completions, their number K.

    The K texts of a prompt are neighbours and begin with the same tokens. Padding has id 0.
    """
    prompts, each = size(generator, 2, 3), size(generator, 3, 4)
    prompt, completion = whole(generator, 1, 2, prompts).repeat_interleave(each), size(generator, 2, 4)
    lengths = prompt + whole(generator, 1, completion, len(prompt))
    columns = torch.arange(2 + completion)
    mask = (columns >= prompt[:, None]) & (columns < lengths[:, None])
    ids = whole(generator, 1, 5, len(prompt), 2 + completion).masked_fill(columns >= lengths[:, None], 0)
    return torch.where(columns < prompt[:, None], ids[::each].repeat_interleave(each, 0), ids), mask, each


def token_log_probs(model: nn.Module, ids: Tensor) -> Tensor:
    """Log-probabilities (B, L - 1) of the tokens from column 1 on."""
    return model(ids).logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None]).squeeze(2)


def leave_one_out(rewards: Tensor, group_size: int) -> Tensor:
    """Each reward (B,) minus the mean of the others of its group."""
    groups = rewards.reshape(-1, group_size)
    return ((groups - groups.mean(1, keepdim=True)) * group_size / (group_size - 1)).flatten()


def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    """The end of a step without a mistake. Returns the loss, detached."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()
