"""Muon: an optimiser that learns a language model from scratch in about half the steps of AdamW.

AdamW rescales every number of a gradient on its own. Muon looks at a whole matrix: it replaces the (momentum of
the) gradient U S V' by U V'. The step then has the same size in all directions, instead of going almost entirely
in a few (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"). Muon handles the matrices
inside the blocks, and AdamW the embeddings, biases and norms. Muon's steps are scaled to the size of AdamW's
(Liu et al. 2025, "Muon is scalable for LLM training"), so one learning rate serves both.
"""

from collections import defaultdict

import torch
from torch import Tensor, nn


def orthogonalise(matrices: Tensor, iterations: int = 5) -> Tensor:
    """Approximate U V' of each matrix U S V' in (n, rows, columns). Singular values come out in 0.7 .. 1.2, not 1.

    A quintic Newton-Schulz iteration, which only multiplies matrices: x <- a x + (b A + c A A) x with A = x x'.
    Jordan et al. chose the coefficients to raise small singular values fast.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)  # singular values at most 1
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.AdamW):
    """Muon for parameter groups with muon=True, AdamW for the others."""

    momentum = 0.95  # of the gradients of Muon's matrices, with Nesterov's look ahead

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            if not group["muon"]:
                continue
            by_shape: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for shape, parameters in by_shape.items():
                steps = orthogonalise(torch.stack([self._direction(p) for p in parameters]))
                size = 0.2 * max(shape) ** 0.5  # the root mean square of AdamW's steps is about 0.2
                for parameter, step in zip(parameters, steps, strict=True):
                    parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
                    parameter.add_(step, alpha=-group["lr"] * size)
                    parameter.grad = None  # makes AdamW skip it
        super().step()

    def _direction(self, parameter: nn.Parameter) -> Tensor:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(parameter.grad, 1.0 - self.momentum)
        return parameter.grad.lerp(state["momentum"], self.momentum)


def make_muon(model: nn.Module, weight_decay: float = 0.0) -> Muon:
    """Muon for all matrices except the embeddings and the output head, AdamW for the rest."""
    apart = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    apart.add(id(model.get_output_embeddings().weight))
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim == 2 and id(p) not in apart]
    embeddings = [p for p in trained if p.ndim == 2 and id(p) in apart]
    vectors = [p for p in trained if p.ndim != 2]
    groups = [
        {"params": matrices, "weight_decay": weight_decay, "muon": True},
        {"params": embeddings, "weight_decay": weight_decay, "muon": False},
        {"params": vectors, "weight_decay": 0.0, "muon": False},
    ]
    return Muon([group for group in groups if group["params"]], lr=0.0, betas=(0.9, 0.95), eps=1e-8, fused=True)
