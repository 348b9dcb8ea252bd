"""A model's folder on the disk: it is written whole or not at all, and what is wrong with one is said in a sentence.

Only safetensors and JSON are read, and by this file: what `transformers` gets are tensors and a configuration, never a
path. So it has nothing to unpickle, no adapter to fetch from the hub, and no code of others to run.
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
    """A folder to write files into; in the end they all come into `folder`, or none does. Other files there stay.

    They are written aside, and one renaming makes them count. If the process is killed while they are moved to their
    places, whoever reads or writes the folder next moves the rest (`settle`).
    Raises ValueError where `folder` is a file, OSError where it can't be written; what was there is then as it was.
    """
    folder = Path(folder)
    if os.path.isfile(folder):
        raise ValueError(f"{folder} is a file, so no model can be saved there. Choose another name for the folder.")
    aside = folder / UNFINISHED
    try:
        settle(folder)
        shutil.rmtree(aside, ignore_errors=True)  # of a save that was killed
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
    """Move to their places the files of a save that was killed, or just is, after it had written them all."""
    finished = folder / FINISHED
    if not os.path.isdir(finished):  # false, too, where there can be no such path
        return
    for path in sorted(finished.rglob("*"), reverse=True):  # a folder comes after what is in it
        with suppress(FileNotFoundError):  # another process was quicker
            if path.is_dir():
                path.rmdir()
                continue
            target = folder / path.relative_to(finished)
            target.parent.mkdir(exist_ok=True)
            os.replace(path, target)
    flush(folder)
    with suppress(OSError):  # the next save may have come in between
        finished.rmdir()


def flush(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk itself: then they survive a power cut."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- Reading -----------------------------------------------------------------------------------------


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises FileNotFoundError where there is none; ValueError where it is damaged, or a number in it is not finite.
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
    """The JSON object in a file; ValueError where it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is not the JSON object that it should be, but a {type(found).__name__}. {AGAIN}")
    return found


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a model: of model.safetensors, or of the files that its index names. Errors: `read_tensors`."""
    index = folder / f"{WEIGHTS}.index.json"
    names = {WEIGHTS} if (folder / WEIGHTS).is_file() or not index.is_file() else set(_named_files(index))
    return {key: tensor for name in sorted(names) for key, tensor in read_tensors(folder / name)[0].items()}


def _named_files(index: Path) -> list[str]:
    """The files that an index of weights names. ValueError where one is no safetensors file beside it."""
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
    """The configuration of a saved model, with dropout zero everywhere.

    Raises ValueError where it is damaged or of an architecture that `transformers` does not know, or where an index
    beside it names weights that are a pickle.
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
    """A model of `transformers` from a folder's weights, which must be all that it needs and no others.

    kind: for example AutoModelForCausalLM. weights: None reads them from the folder, with its errors. Raises ValueError
    where weights and configuration do not belong together.
    """
    weights = read_weights(folder) if weights is None else weights
    with _in_a_sentence(folder, config, kind), torch.device("meta"):  # a model without numbers, to see what it needs
        empty = kind.from_config(config, trust_remote_code=False, attn_implementation=None)
    shapes = {name: parameter.shape for name, parameter in empty.named_parameters()}
    if sum(map(math.prod, shapes.values())) > sum(tensor.numel() for tensor in weights.values()):
        # Refused before `transformers` draws what is missing, which may be more than there is memory.
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
            attn_implementation=None,  # the best there is; a configuration could name code on the hub
            ignore_mismatched_sizes=True,  # they are in the report
            output_loading_info=True,
        )
    wrong = {name: (found, wanted) for name, found, wanted in report["mismatched_keys"]}
    refuse_misfit(folder, report["missing_keys"], report["unexpected_keys"], wrong)
    return model


@contextmanager
def _in_a_sentence(folder: Path, config: PreTrainedConfig, kind: type) -> Iterator[None]:
    """Errors of `transformers` as a ValueError, and none of its own reports."""
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
    """Raises ValueError where weights are missing, have no place, or another shape: {name: (shape found, wanted)}."""
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
    """The first line of what another library says; the advice comes after it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return shorten(lines[0], 150, placeholder=" ...")
