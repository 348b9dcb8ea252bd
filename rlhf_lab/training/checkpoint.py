"""Save a training run so that it can continue later, bit for bit: weights, optimiser, random state and progress.

A checkpoint is one safetensors file. Nothing is pickled, and a file is replaced completely or not at all. It also
identifies its run by settings, data and reward (`describe`). A different run is refused, with a list of differences.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rlhf_lab.models.folders import flush, read_tensors

FILE_NAME = "checkpoint.safetensors"

# Settings that may change when a run resumes: what is reported, how much is computed at once, when to stop. The number
# of steps must not change, however it was set: `TrainingLoop` adds it to the identity itself.
FREE = {"evaluate_every", "checkpoint_every", "samples_shown", "micro_batch_tokens", "kl_limit", "epochs", "steps"}


# --- Which run it is ---------------------------------------------------------------------------------


def describe(part: object) -> object:
    """A description of one part of a run, in JSON, that lets a checkpoint notice when that part has changed.

    Numbers and strings are kept as they are, and dataclasses field by field. Collections, tensors and modules become
    fingerprints. Functions become their names; a method also keeps the description of the object it is bound to.
    """
    if part is None or isinstance(part, bool | int | float | str):
        return part
    if is_dataclass(part) and not isinstance(part, type):
        inside = {f.name: describe(getattr(part, f.name)) for f in fields(part) if f.name not in FREE}
        return {"kind": type(part).__name__, **inside}
    if isinstance(part, nn.Module):
        return f"{type(part).__name__} with weights {fingerprint(part.state_dict().values())}"
    if isinstance(part, Tensor):
        return f"a tensor with fingerprint {fingerprint([part])}"
    if isinstance(part, Sequence):
        return f"{len(part)} with fingerprint {fingerprint(part)}"
    name, owner = getattr(part, "__qualname__", type(part).__name__), getattr(part, "__self__", None)
    return {"kind": name, "of": describe(owner)} if isinstance(owner, nn.Module) or is_dataclass(owner) else name


def fingerprint(parts: object) -> str:
    """A hash of eight characters. Different parts are very unlikely to share one."""
    digest = hashlib.blake2b(digest_size=4)
    for part in parts:
        data = part.detach().cpu().contiguous().reshape(-1).view(torch.uint8) if isinstance(part, Tensor) else None
        digest.update(repr(part).encode() if data is None else data.numpy())
    return digest.hexdigest()


def differences(then: Mapping, now: Mapping, before: str = "") -> list[str]:
    """The differences between two descriptions, each in words."""
    found = []
    for key in [*then, *(key for key in now if key not in then)]:
        a, b = then.get(key), now.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping) and a.get("kind") == b.get("kind"):
            found += differences(a, b, f"{before}{key}.")
        elif a != b:
            a, b = (x.get("kind", "other") if isinstance(x, Mapping) else x for x in (a, b))
            found.append(f"{before}{key}: {a} then, {b} now")
    return found


# --- Writing and reading -----------------------------------------------------------------------------


def make_folder(folder: str | Path) -> Path:
    """Make the folder for checkpoints if it does not exist. ValueError if that fails."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"No checkpoint can be saved in {folder} ({error.strerror}). Choose another folder."
        ) from error
    return Path(folder)


def save_checkpoint(
    folder: str | Path,
    modules: dict[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    state: dict,
    generator: torch.Generator | None = None,
    identity: dict | None = None,
) -> Path:
    """Write modules (by name), the optimiser's moments, a generator's state, and `state` (JSON) into a folder.

    identity: identifies the run, made with `describe`.
    """
    tensors = {f"module/{key}": value for key, value in _named_tensors(modules).items()}
    for i, parameter in enumerate(_parameters(optimizer)):
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer/{i}/{key}"] = torch.as_tensor(value)
    if generator is not None:
        tensors["generator"] = generator.get_state()
    folder = make_folder(folder)
    unfinished = folder / (FILE_NAME + ".unfinished")
    tensors = {key: value.detach().contiguous() for key, value in tensors.items()}
    about = {"state": state, "identity": identity, "tensors": len(tensors)}
    save_file(tensors, unfinished, metadata={key: json.dumps(value) for key, value in about.items()})
    flush(unfinished)
    os.replace(unfinished, folder / FILE_NAME)
    return folder / FILE_NAME


def load_checkpoint(
    folder: str | Path,
    modules: dict[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator | None = None,
    identity: dict | None = None,
) -> dict:
    """Restore what `save_checkpoint` wrote, in place, and return `state`.

    Nothing is changed unless everything fits. FileNotFoundError if there is no checkpoint. ValueError if it is damaged,
    belongs to another model, or belongs to another run than `identity` (None: not checked).
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint in {folder} ({FILE_NAME} is missing).")
    saved, about = read_tensors(path)
    try:
        state, then, count = (json.loads(about[key]) for key in ("state", "identity", "tensors"))
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} does not say which run it is of, so it can't go on. Start the run again.") from error
    if len(saved) != count:
        raise ValueError(f"{path} is damaged: of {count} tensors it has {len(saved)}. Start the run again.")
    targets = {f"module/{key}": value for key, value in _named_tensors(modules).items()}
    stored = {key: value for key, value in saved.items() if key.startswith("module/")}
    _refuse_shapes(stored, targets, path, {_module_of(key) for key in stored} & {_module_of(key) for key in targets})
    if identity is not None and (found := differences(then or {}, json.loads(json.dumps(identity)))):
        more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
        raise ValueError(
            f"The checkpoint {path} is of another run: {'; '.join(found[:3])}{more}. Go on with what it was started"
            " with, or choose another folder for a new run."
        )
    _refuse_shapes(stored, targets, path)
    moments = _moments(saved, _parameters(optimizer), path)
    if state["step"] and not moments:
        raise ValueError(f"{path} has no moments of the optimiser, so the run can't go on. Start the run again.")
    if generator is not None:
        there, here = saved.get("generator"), generator.get_state()
        if there is None or (there.shape, there.dtype) != (here.shape, here.dtype):
            raise ValueError(
                f"{path} has no random state for a generator on {generator.device}. Pass one like that of then."
            )
        generator.set_state(there)
    with torch.no_grad():
        for key, target in targets.items():
            target.copy_(stored[key])
    optimizer.state.clear()
    for number, parameter in enumerate(_parameters(optimizer)):
        if number in moments:
            optimizer.state[parameter] = {key: value.to(parameter.device) for key, value in moments[number].items()}
    return state


def _module_of(key: str) -> str:
    """module/policy.lm_head.weight -> policy"""
    return key.removeprefix("module/").partition(".")[0]


def _refuse_shapes(
    stored: Mapping[str, Tensor], targets: Mapping[str, Tensor], path: Path, of: set[str] | None = None
) -> None:
    """ValueError if a stored tensor is missing or has another shape. of: only check these modules (None: all)."""
    for key in [*targets, *(key for key in stored if key not in targets)]:
        there, here = (tuple(tensors[key].shape) if key in tensors else "missing" for tensors in (stored, targets))
        if there != here and (of is None or _module_of(key) in of):
            raise ValueError(
                f"The checkpoint {path} belongs to a model of another shape: {key.removeprefix('module/')} is {there}"
                f" there and {here} here. Use the model of then, or choose another folder for a new run."
            )


def _moments(saved: Mapping[str, Tensor], parameters: Sequence[nn.Parameter], path: Path) -> dict[int, dict]:
    """The moments of each parameter, by its number. ValueError if a shape is wrong: the next step would crash."""
    moments: dict[int, dict] = {}
    for key in [key for key in saved if key.startswith("optimizer/")]:
        _, number, name = key.split("/")
        found, parameter = saved[key], parameters[int(number)] if int(number) < len(parameters) else None
        fits = parameter is not None and found.shape == (() if name == "step" else parameter.shape)
        if not fits or (name != "step" and found.dtype != parameter.dtype):
            raise ValueError(
                f"The checkpoint {path} has moments of another optimiser: {name} of parameter {number} has the shape"
                f" {tuple(found.shape)}. Use model and optimiser of then, or another folder."
            )
        moments.setdefault(int(number), {})[name] = found
    return moments


def _named_tensors(modules: dict[str, nn.Module]) -> dict[str, Tensor]:
    """Parameters and buffers of several modules in one dict. Weights shared by two layers appear once."""
    tensors = {}
    for name, module in modules.items():
        tensors |= {f"{name}.{key}": value for key, value in module.named_parameters()}
        tensors |= {f"{name}.{key}": value for key, value in module.named_buffers()}
    return tensors


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"]]
