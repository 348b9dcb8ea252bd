"""Saving a run so that it can go on later, to the bit: weights, optimiser, random state, and where it was.

One safetensors file: nothing is pickled, and a file is replaced whole or not at all.
"""

import json
import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

FILE_NAME = "checkpoint.safetensors"


def save_checkpoint(
    folder: str | Path,
    modules: dict[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    state: dict,
    generator: torch.Generator | None = None,
) -> Path:
    """Write modules (by name), the optimiser's moments, a generator's state, and `state` (JSON) into a folder."""
    tensors = {f"module/{key}": value for key, value in _named_tensors(modules).items()}
    for i, parameter in enumerate(_parameters(optimizer)):
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer/{i}/{key}"] = torch.as_tensor(value)
    if generator is not None:
        tensors["generator"] = generator.get_state()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / (FILE_NAME + ".unfinished")
    tensors = {key: value.detach().contiguous() for key, value in tensors.items()}
    save_file(tensors, unfinished, metadata={"state": json.dumps(state)})
    os.replace(unfinished, folder / FILE_NAME)
    return folder / FILE_NAME


def load_checkpoint(
    folder: str | Path,
    modules: dict[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator | None = None,
) -> dict:
    """Put everything back as `save_checkpoint` found it, in place, and return `state`.

    Raises FileNotFoundError where there is no checkpoint, ValueError where it belongs to another model.
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint in {folder} ({FILE_NAME} is missing).")
    with safe_open(path, framework="pt") as file:
        state = json.loads(file.metadata()["state"])
        saved = {key: file.get_tensor(key) for key in file.keys()}
    targets = {f"module/{key}": value for key, value in _named_tensors(modules).items()}
    stored = {key: value for key, value in saved.items() if key.startswith("module/")}
    if {k: v.shape for k, v in targets.items()} != {k: v.shape for k, v in stored.items()}:
        raise ValueError(f"The checkpoint {path} belongs to a model of another shape. Use another folder.")
    with torch.no_grad():
        for key, target in targets.items():
            target.copy_(stored[key])
    for i, parameter in enumerate(_parameters(optimizer)):
        prefix = f"optimizer/{i}/"
        moments = {key[len(prefix) :]: value for key, value in saved.items() if key.startswith(prefix)}
        if moments:
            optimizer.state[parameter] = {
                key: value.to(parameter.device) if value.ndim else value for key, value in moments.items()
            }
    if generator is not None:
        generator.set_state(saved["generator"])
    return state


def _named_tensors(modules: dict[str, nn.Module]) -> dict[str, torch.Tensor]:
    """Parameters and buffers of several modules under one roof; weights shared by two layers once."""
    tensors = {}
    for name, module in modules.items():
        tensors |= {f"{name}.{key}": value for key, value in module.named_parameters()}
        tensors |= {f"{name}.{key}": value for key, value in module.named_buffers()}
    return tensors


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"]]
