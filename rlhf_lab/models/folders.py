"""Read and write a model's folder. It is written completely or not at all, and errors say what is wrong with it.

This file reads only safetensors and JSON. `transformers` gets tensors and a configuration, never a path. So it cannot
unpickle anything, fetch adapters from the hub, or run other people's code.
"""

import json
import math
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import shorten

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig
from transformers.utils import logging

WEIGHTS = "model.safetensors"
UNFINISHED, FINISHED = ".unfinished", ".finished"  # folders inside a model's folder, while it is being saved
AGAIN = "Save it again, or copy the whole folder again."


# --- Writing -----------------------------------------------------------------------------------------


@contextmanager
def written_whole(folder: str | Path) -> Iterator[Path]:
    """A temporary folder to write files into. At the end all of them go into `folder`, or none. Other files there stay.

    One rename makes the new files count; then they are moved into place. If the process is killed while moving them,
    the next one that reads or writes the folder moves the rest (`settle`).
    ValueError if `folder` is a file. OSError if it can't be written; its contents are then unchanged.
    """
    folder = Path(folder)
    if os.path.isfile(folder):
        raise ValueError(f"{folder} is a file, so no model can be saved there. Choose another name for the folder.")
    aside = folder / UNFINISHED
    try:
        settle(folder)
        shutil.rmtree(aside, ignore_errors=True)  # left by a save that was killed
        aside.mkdir(parents=True)
        yield aside
        for path in (*aside.rglob("*"), aside):
            flush(path)
        os.replace(aside, folder / FINISHED)
    except (OSError, SafetensorError) as error:
        raise OSError(
            f"The model could not be saved in {folder} ({said(error)}). What was there before is as it was."
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    flush(folder)
    settle(folder)


def settle(folder: Path) -> None:
    """Move finished files into place: the last step of a save, or of an earlier one that was killed before it."""
    finished = folder / FINISHED
    if not os.path.isdir(finished):  # also false for impossible paths
        return
    for path in sorted(finished.rglob("*"), reverse=True):  # a folder comes after its contents
        with suppress(FileNotFoundError):  # another process was quicker
            if path.is_dir():
                path.rmdir()
                continue
            target = folder / path.relative_to(finished)
            target.parent.mkdir(exist_ok=True)
            os.replace(path, target)
    flush(folder)
    with suppress(OSError):  # another save may have begun meanwhile
        finished.rmdir()


def flush(path: Path) -> None:
    """Force a file, or the names in a folder, onto the disk, so that they survive a power cut."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- Reading -----------------------------------------------------------------------------------------


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    FileNotFoundError if there is none. ValueError if it is damaged or contains a number that is not finite.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing in {path.parent}. {AGAIN}")
    try:
        with safe_open(path, framework="pt") as file:
            tensors, metadata = {key: file.get_tensor(key).clone() for key in file.keys()}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ValueError(f"{path} has numbers that are not finite (NaN or infinity), in {key}. {AGAIN}")
    return tensors, metadata


def _unreadable(path: Path, error: Exception) -> ValueError:
    why = getattr(error, "strerror", None) or "it is damaged, or cut short"
    return ValueError(f"{path} can't be read: {why}. {AGAIN}")


def read_json(path: Path) -> dict:
    """The JSON object in a file. ValueError if the file is anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is not the JSON object that it should be, but a {type(found).__name__}. {AGAIN}")
    return found


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a model, from model.safetensors or from the files in its index. Errors: `read_tensors`."""
    index = folder / f"{WEIGHTS}.index.json"
    names = {WEIGHTS} if (folder / WEIGHTS).is_file() or not index.is_file() else set(_named_files(index))
    return {key: tensor for name in sorted(names) for key, tensor in read_tensors(folder / name)[0].items()}


def _named_files(index: Path) -> list[str]:
    """The files listed in an index of weights. ValueError if one is not a safetensors file in the same folder."""
    named = read_json(index).get("weight_map")
    if not isinstance(named, dict):
        raise ValueError(f"{index} is no index of weights: it has no weight_map. {AGAIN}")
    names = [str(name) for name in named.values()]
    for name in names:
        if not name.endswith(".safetensors"):
            raise ValueError(
                f"{index} names {name}, which is no safetensors file. Files of other kinds can run code when they"
                " are read, so the course does not read them. Save the model again as safetensors."
            )
        if name != Path(name).name:
            raise ValueError(f"{index} names {name}, which is not in the same folder, so it is not read. {AGAIN}")
    return names


def load_config(folder: Path) -> PreTrainedConfig:
    """The configuration of a saved model, with all dropout set to zero.

    ValueError if it is damaged, `transformers` does not know its architecture, or an index in the folder lists weights
    that are not safetensors.
    """
    for index in folder.glob("*.index.json"):
        _named_files(index)
    path = folder / "config.json"
    kind = read_json(path).get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise ValueError(
            f"{path} says model_type {kind!r}, an architecture that transformers does not know. The course runs no"
            " code that comes with a model. Choose one that is known, for example of type gpt2 or llama."
        )
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # of any kind: it depends on the entry that is wrong
        raise ValueError(f"{path} does not describe a {kind} model ({said(error)}). {AGAIN}") from error
    for key in vars(config):
        if key.endswith("pdrop") or "dropout" in key:
            setattr(config, key, 0.0)
    if getattr(config, "activation_function", None) == "gelu_new":
        config.activation_function = "gelu_pytorch_tanh"  # the same function, in one kernel
    return config


def assemble(
    kind: type,
    config: PreTrainedConfig,
    folder: Path,
    dtype: torch.dtype = torch.float32,
    weights: dict[str, Tensor] | None = None,
) -> nn.Module:
    """A `transformers` model made from a folder's weights. They must be exactly the weights that it needs.

    kind: for example AutoModelForCausalLM. weights: None reads them from the folder (errors: `read_weights`).
    ValueError if weights and configuration do not match.
    """
    weights = read_weights(folder) if weights is None else weights
    with _in_a_sentence(folder, config, kind), torch.device("meta"):  # a model without numbers, to see its shapes
        empty = kind.from_config(config, trust_remote_code=False, attn_implementation=None)
    shapes = {name: parameter.shape for name, parameter in empty.named_parameters()}
    if sum(map(math.prod, shapes.values())) > sum(tensor.numel() for tensor in weights.values()):
        # Refuse now: `transformers` would fill in the missing weights, which may not fit into memory.
        prefix = f"{empty.base_model_prefix}."
        found = {
            name: tensor.shape
            for key, tensor in weights.items()
            for name in {key, prefix + key, key.removeprefix(prefix)} & shapes.keys()
        }
        wrong = {name: (shape, shapes[name]) for name, shape in found.items() if shape != shapes[name]}
        refuse_misfit(folder, shapes.keys() - found.keys(), set(), wrong)
    with _in_a_sentence(folder, config, kind):
        model, report = type(empty).from_pretrained(
            None,
            config=config,
            state_dict=weights,
            dtype=dtype,
            attn_implementation=None,  # the best available one; a configuration could name code on the hub
            ignore_mismatched_sizes=True,  # the report lists them
            output_loading_info=True,
        )
    wrong = {name: (found, wanted) for name, found, wanted in report["mismatched_keys"]}
    refuse_misfit(folder, report["missing_keys"], report["unexpected_keys"], wrong)
    return model


@contextmanager
def _in_a_sentence(folder: Path, config: PreTrainedConfig, kind: type) -> Iterator[None]:
    """Turn errors of `transformers` into a ValueError, and silence its own reports."""
    loudness = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    except Exception as error:  # of any kind: it depends on the entry that is wrong
        raise ValueError(
            f"The config.json in {folder} says model_type {config.model_type}, and {kind.__name__} can't make a model"
            f" of it ({said(error)}). {AGAIN}"
        ) from error
    finally:
        logging.set_verbosity(loudness)


def refuse_misfit(
    folder: Path, missing: Collection[str], unexpected: Collection[str], wrong: Mapping[str, tuple]
) -> None:
    """ValueError if weights are missing, unexpected or of a wrong shape. wrong: {name: (shape found, wanted)}."""
    if missing == {"score.weight"}:
        raise ValueError(
            f"{folder} holds a language model: it has no head that gives rewards. Load it with load_language_model,"
            " make a reward model of it with RewardModel.from_language_model, and train that."
        )
    if unexpected == {"score.weight"}:
        raise ValueError(f"{folder} holds a reward model, and no language model. Load it with RewardModel.load.")
    if wrong:
        name = min(wrong)
        found, wanted = map(tuple, wrong[name])
        what = f"{name} has the shape {found} and should have {wanted}"
    elif missing:
        what = f"{min(missing)} is missing{_and_more(missing)}"
    elif unexpected:
        what = f"{min(unexpected)} has no place in it{_and_more(unexpected)}"
    else:
        return
    raise ValueError(f"The weights in {folder} are not those of the model in its config.json: {what}. {AGAIN}")


def _and_more(names: Collection[str]) -> str:
    return f", and {len(names) - 1} more" if len(names) > 1 else ""


def said(error: Exception) -> str:
    """The first line of another library's error, for our message. We add our own advice."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return shorten(lines[0], 150, placeholder=" ...")
