"""A model's folder is written whole or not at all, and only what is meant to be read of it is read."""

import json
import os
import shutil
import socket

import pytest
import torch
from safetensors.torch import load_file, save_file

from rlhf_lab.models import folders
from rlhf_lab.models.folders import FINISHED, UNFINISHED
from rlhf_lab.models.loading import (
    HUB_FILES,
    load_language_model,
    new_language_model,
    save_language_model,
    tiny_config,
)
from rlhf_lab.models.reward_model import RewardModel


class Killed(BaseException):
    """What a process is told that gets no chance to tidy up."""


@pytest.fixture
def other(tokenizer):
    """A model of another size."""
    return new_language_model(tiny_config(tokenizer, layers=1, width=32, heads=2), seed=2)


def judge_of(model):
    return RewardModel.from_language_model(model, torch.Generator().manual_seed(1))


def save(model, tokenizer, folder):
    if isinstance(model, RewardModel):
        return model.save(folder, tokenizer)
    return save_language_model(model, tokenizer, folder)


def load(model, folder):
    return RewardModel.load(folder) if isinstance(model, RewardModel) else load_language_model(folder)[0]


def same(first, second):
    first, second = first.state_dict(), second.state_dict()
    return first.keys() == second.keys() and all(torch.allclose(first[k], second[k], atol=1e-6) for k in first)


def names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("make", [lambda model: model, judge_of], ids=["language model", "reward model"])
def test_a_save_that_is_killed_leaves_the_old_model_or_the_new_one(
    make, model, other, tokenizer, tmp_path, monkeypatch
):
    """Killed before each of its renamings in turn: of all files at once, and then of each to its place."""
    old, new, replace = make(model), make(other), os.replace
    before_the_first = True
    for renamings in range(20):
        folder = save(old, tokenizer, tmp_path / f"{renamings}")
        (folder / "notes.txt").write_text("the learner's own")
        left = iter(range(renamings))

        def killing(source, target, left=left):
            if next(left, None) is None:
                raise Killed
            replace(source, target)

        monkeypatch.setattr(os, "replace", killing)
        monkeypatch.setattr(shutil, "rmtree", lambda path, ignore_errors=False: None)
        try:
            save(new, tokenizer, folder)
        except Killed:
            pass
        else:
            assert renamings > 3
            break
        finally:
            monkeypatch.undo()
        assert names(folder) & {UNFINISHED, FINISHED}
        assert same(load(new, folder), old if before_the_first else new), renamings
        before_the_first = False
        assert FINISHED not in names(folder)
        save(old, tokenizer, folder)
        assert same(load(old, folder), old) and (folder / "notes.txt").read_text() == "the learner's own"
        assert not names(folder) & {UNFINISHED, FINISHED}
    else:
        raise AssertionError("the save never came to its end")


def test_a_first_save_that_is_killed_leaves_no_model(model, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(tokenizer.__class__, "save_pretrained", lambda *arguments: exec("raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        save_language_model(model, tokenizer, tmp_path / "new")
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError, match="There is no model in"):
        load_language_model(tmp_path / "new")
    assert same(load_language_model(save_language_model(model, tokenizer, tmp_path / "new"))[0], model)


def test_a_full_disk_leaves_what_was_there(model, other, tokenizer, tmp_path, monkeypatch):
    folder = save_language_model(model, tokenizer, tmp_path / "model")

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "flush", full)
    with pytest.raises(OSError, match=r"could not be saved in .*No space left.*is as it was"):
        save_language_model(other, tokenizer, folder)
    monkeypatch.undo()
    assert same(load_language_model(folder)[0], model) and UNFINISHED not in names(folder)


def test_a_reward_model_that_is_refused_leaves_what_was_there(model, other, tokenizer, tmp_path):
    folder = judge_of(model).save(tmp_path, tokenizer)
    refused = judge_of(other)
    refused.trunk.adapter = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match="do not fit"):
        refused.save(folder, tokenizer)
    assert same(RewardModel.load(folder), judge_of(model))


def test_weights_in_several_files_are_read(model, tokenizer, tmp_path):
    save_language_model(model, tokenizer, tmp_path)
    tensors = list(load_file(tmp_path / "model.safetensors").items())
    halves = {"model-1.safetensors": dict(tensors[:10]), "model-2.safetensors": dict(tensors[10:])}
    for name, half in halves.items():
        save_file(half, tmp_path / name)
    (tmp_path / "model.safetensors").unlink()
    weight_map = {key: name for name, half in halves.items() for key in half}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    assert same(load_language_model(tmp_path)[0], model)


def test_weights_without_the_name_of_the_trunk_are_read(model, tokenizer, tmp_path):
    """As those of GPT-2 on the hub are, with masks that nobody needs any more."""
    save_language_model(model, tokenizer, tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    bare = {key.removeprefix("transformer."): value for key, value in tensors.items()}
    save_file(bare | {"h.0.attn.bias": torch.ones(1, 1, 8, 8)}, tmp_path / "model.safetensors")
    assert same(load_language_model(tmp_path)[0], model)


def test_a_folder_makes_nothing_run_and_asks_nobody(model, tokenizer, tmp_path, monkeypatch):
    """Entries and files that make `transformers` fetch an adapter, a kernel or code, where it is given the folder."""
    save_language_model(model, tokenizer, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {
        "attn_implementation": "stranger/kernel",
        "_attn_implementation": "stranger/kernel",
        "auto_map": {"AutoConfig": "stranger/code--c.C", "AutoModelForCausalLM": "stranger/code--m.M"},
        "transformers_weights": "hidden.safetensors.index.json",
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "stranger/model"}))
    for name in ("pytorch_model.bin", "pickle.bin", "shard-00001-model-00001-of-00001.safetensors"):
        (tmp_path / name).write_bytes(b"not to be read")

    def asked(*arguments):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", asked)
    loaded, _ = load_language_model(tmp_path)
    assert same(loaded, model) and loaded.config._attn_implementation == "sdpa"


def test_generation_settings_are_kept(model, tokenizer, tmp_path):
    model.generation_config.max_new_tokens = 7
    loaded, _ = load_language_model(save_language_model(model, tokenizer, tmp_path))
    assert loaded.generation_config.max_new_tokens == 7


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (lambda: load_language_model("smollm2"), "HuggingFaceTB/SmolLM2-135M-Instruct"),
        (lambda: load_language_model(hub="owner/name"), "owner/name"),
    ],
)
def test_of_a_model_on_the_hub_only_what_is_read_is_fetched(call, wanted, model, tokenizer, tmp_path, monkeypatch):
    save_language_model(model, tokenizer, tmp_path)
    asked = []

    def fetch(name, allow_patterns):
        asked.append((name, allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr("rlhf_lab.models.loading.snapshot_download", fetch)
    loaded, _ = call()
    assert asked == [(wanted, HUB_FILES)] and same(loaded, model) and loaded.name_or_path == wanted
    assert not any(pattern.endswith(("*", ".bin", ".pt", ".py")) for pattern in HUB_FILES)
