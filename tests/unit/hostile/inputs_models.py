"""Folders of models and reward models that are damaged, of another kind, or not there; tokens that a model lacks."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import torch
from hostile import Tools, hostile
from safetensors.torch import load_file, save_file
from transformers import CodeGenConfig, CodeGenForCausalLM

from rlhf_lab.models.loading import load_language_model, save_language_model
from rlhf_lab.models.reward_model import OWN_FILE, RewardModel
from rlhf_lab.models.sampling import Rollout, sample
from rlhf_lab.training.language_model import train_language_model
from rlhf_lab.training.reward_model import train_reward_model

GONE = object()  # in place of an entry of config.json: leave it out
Change = Callable[[Path], object]


# --- What is done to a folder ------------------------------------------------------------------------


def write(name: str, content: str | bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def cut(name: str, size: int = 500) -> Change:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


def remove(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def entries(file: str = "config.json", **changed: object) -> Change:
    """Change entries of a JSON file."""

    def change(folder: Path) -> None:
        found = json.loads((folder / file).read_text()) | changed
        (folder / file).write_text(json.dumps({key: value for key, value in found.items() if value is not GONE}))

    return change


def weights(change: Callable[[dict], dict], file: str = "model.safetensors") -> Change:
    """Change the tensors of a file."""
    return lambda folder: save_file(change(load_file(folder / file)), folder / file, metadata={"format": "pt"})


def some(keep: Callable[[int, str], bool]) -> Callable[[dict], dict]:
    return lambda tensors: {key: value for i, (key, value) in enumerate(tensors.items()) if keep(i, key)}


def with_value(name: str, value: float) -> Callable[[dict], dict]:
    def change(tensors: dict) -> dict:
        tensors[next(key for key in tensors if name in key)].flatten()[3:4] = value
        return tensors

    return change


def index(weight_map: object) -> Change:
    """An index instead of the one file of weights, which becomes one.safetensors."""

    def change(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "one.safetensors")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))

    return change


def one_more_token(folder: Path) -> None:
    """A tokenizer with a token that the model has no row for."""
    found = json.loads((folder / "tokenizer.json").read_text())
    found["added_tokens"].append(found["added_tokens"][0] | {"id": 320, "content": "<|new|>"})
    (folder / "tokenizer.json").write_text(json.dumps(found))


# --- What is asked -----------------------------------------------------------------------------------


def model(name: str, change: Change, error: type[Exception], *words: str) -> None:
    """Load a language model whose folder was changed."""

    def call(tools: Tools) -> object:
        folder = save_language_model(tools.model, tools.tokenizer, tools.folder / "saved")
        change(folder)
        return load_language_model(folder)

    hostile(f"model: {name}", call, error, "saved", *words)


def judge(name: str, change: Change, error: type[Exception], *words: str, outputs: int = 1) -> None:
    """Load a reward model whose folder was changed."""

    def call(tools: Tools) -> object:
        reward_model = RewardModel.from_language_model(tools.model, outputs=outputs)
        folder = reward_model.save(tools.folder / "saved", tools.tokenizer)
        change(folder)
        return RewardModel.load(folder)

    hostile(f"reward model: {name}", call, error, "saved", *words)


def own_judge(name: str, change: Change, error: type[Exception], *words: str) -> None:
    """Load a reward model of an architecture that has no model for sequence classification, from a changed folder."""

    def call(tools: Tools) -> object:
        config = CodeGenConfig(
            vocab_size=20, n_positions=8, n_embd=8, n_layer=1, n_head=2, rotary_dim=2, pad_token_id=0
        )
        with torch.random.fork_rng(devices=[]):
            folder = RewardModel.from_language_model(CodeGenForCausalLM(config)).save(tools.folder / "saved")
        change(folder)
        return RewardModel.load(folder)

    hostile(f"own form: {name}", call, error, "saved", *words)


# --- Weights -----------------------------------------------------------------------------------------

model("no tensors at all", weights(some(lambda i, key: False)), ValueError, "is missing, and 27 more", "config.json")
model("every other tensor", weights(some(lambda i, key: i % 2)), ValueError, "is missing, and 13 more", "transformer.")
model(
    "a layer norm left out",
    weights(some(lambda i, key: "ln_f.bias" not in key)),
    ValueError,
    "transformer.ln_f.bias is missing.",
)
model("a tensor too many", weights(lambda t: t | {"extra": torch.ones(2)}), ValueError, "extra has no place in it.")
model(
    "a transposed tensor",
    weights(lambda t: {k: v.mT.contiguous() if v.ndim == 2 else v for k, v in t.items()}),
    ValueError,
    "shape",
)
model("NaN", weights(with_value("wte", float("nan"))), ValueError, "not finite", "wte")
model("infinity", weights(with_value("c_fc.bias", float("inf"))), ValueError, "not finite", "c_fc.bias")
model("weights cut short", cut("model.safetensors", 5000), ValueError, "model.safetensors can't be read", "cut short")
model("weights of no bytes", write("model.safetensors", b""), ValueError, "can't be read", "damaged")
model("weights that are noise", write("model.safetensors", bytes(range(256)) * 9), ValueError, "can't be read")
model(
    "weights not fetched", write("model.safetensors", "version https://git-lfs.github.com"), ValueError, "can't be read"
)
model("no weights", remove("model.safetensors"), FileNotFoundError, "model.safetensors is missing")
model(
    "a pickle instead of weights",
    lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
    FileNotFoundError,
    "model.safetensors is missing",
)
model("an index of a pickle", index({"a": "one.bin"}), ValueError, "names one.bin", "can run code")
model("an index of one pickle among two", index({"a": "one.safetensors", "b": "x.pt"}), ValueError, "names x.pt")
model(
    "an index of a file that is not there", index({"a": "two.safetensors"}), FileNotFoundError, "two.safetensors is mis"
)
model("an index that leads out of the folder", index({"a": "../one.safetensors"}), ValueError, "not in the same folder")
model("an index without a map", index(None), ValueError, "no weight_map")
model("an index with a list", index(["one.safetensors"]), ValueError, "no weight_map")
model(
    "an index cut short", write("model.safetensors.index.json", '{"weight_map": {"a'), ValueError, "index.json can't be"
)

# --- Configurations ----------------------------------------------------------------------------------

model("more layers than weights", entries(n_layer=3), ValueError, "h.2.attn.c_attn.bias is missing, and 11 more")
model("fewer layers than weights", entries(n_layer=1), ValueError, "has no place in it, and 10 more", "h.1.")
model("another width", entries(n_embd=32), ValueError, "has the shape")
model("a smaller vocabulary", entries(vocab_size=300), ValueError, "wte.weight has the shape (320, 16)", "(300, 16)")
model("a shorter context", entries(n_positions=100), ValueError, "wpe.weight has the shape (192, 16)")
model("a head of its own", entries(tie_word_embeddings=False), ValueError, "lm_head.weight")
model("another architecture", entries(model_type="llama"), ValueError, "not those of the model in its config.json")
model("an architecture that writes nothing", entries(model_type="vit"), ValueError, "vit", "AutoModelForCausalLM")
model("an unknown architecture", entries(model_type="rocket"), ValueError, "'rocket'", "does not know")
model("no architecture", entries(model_type=GONE), ValueError, "model_type None")
model("an architecture that is a number", entries(model_type=[5]), ValueError, "model_type [5]")
model(
    "code that comes along",
    entries(model_type="mine", auto_map={"AutoConfig": "c.C", "AutoModelForCausalLM": "m.M"}),
    ValueError,
    "runs no code",
)
model("layers in words", entries(n_layer="two"), ValueError, "does not describe a gpt2 model", "n_layer")
model("heads that do not divide the width", entries(n_head=3), ValueError, "can't make a model", "divisible")
model("an unknown activation", entries(activation_function="magic"), ValueError, "can't make a model", "magic")
model(
    "a quantisation of others", entries(quantization_config={"quant_method": "awq"}), ValueError, "can't make a model"
)
model("a configuration cut short", cut("config.json", 80), ValueError, "config.json can't be read", "cut short")
model("a configuration of no bytes", write("config.json", ""), ValueError, "config.json can't be read")
model("a configuration that is a list", write("config.json", "[1, 2]"), ValueError, "a list")
model("a configuration in UTF-16", write("config.json", "{}".encode("utf-16")), ValueError, "config.json can't be read")
model("a configuration nested deeply", write("config.json", "[" * 99999), ValueError, "config.json can't be read")
model("no configuration", remove("config.json"), FileNotFoundError, "no config.json", "Check the path")
model("generation settings cut short", cut("generation_config.json", 20), ValueError, "generation_config.json can't be")

# --- Tokenizers --------------------------------------------------------------------------------------

model("no tokenizer", remove("tokenizer.json"), FileNotFoundError, "tokenizer.json is missing")
model("a tokenizer cut short", cut("tokenizer.json"), ValueError, "tokenizer in", "can't be read")
model("an empty tokenizer", write("tokenizer.json", "{}"), ValueError, "tokenizer in", "can't be read")
model("settings of the tokenizer in a list", write("tokenizer_config.json", "[]"), ValueError, "tokenizer in")
hostile(
    "model: a token that it lacks",
    lambda tools: (
        one_more_token(save_language_model(tools.model, tools.tokenizer, tools.folder)),
        load_language_model(tools.folder),
    ),
    ValueError,
    "id 320",
    "only the ids 0 to 319",
)
hostile(
    "model: no end token",
    lambda tools: (
        entries("tokenizer_config.json", eos_token=None)(
            save_language_model(tools.model, tools.tokenizer, tools.folder)
        ),
        load_language_model(tools.folder),
    ),
    ValueError,
    "has no end token",
)


def other_tokenizer(tools: Tools):
    """The tokenizer of a model that knows more tokens."""
    other = copy.deepcopy(tools.tokenizer)
    other.add_tokens(["Zebra"])
    return other


def texts(prompt: str = "The", **parts: str) -> list:
    return [SimpleNamespace(prompt=prompt, **parts)]


def score_rollout(tools: Tools) -> object:
    rollout = Rollout.from_texts(other_tokenizer(tools), ["The"], [" Zebra"])
    return RewardModel.from_language_model(tools.model).score_rollout(rollout)


for what, call in {
    "sampling": lambda tools: sample(tools.model, other_tokenizer(tools), ["The Zebra"], max_new_tokens=2),
    "learning": lambda tools: train_language_model(tools.model, other_tokenizer(tools), texts(completion=" Zebra")),
    "learning rewards": lambda tools: train_reward_model(
        RewardModel.from_language_model(tools.model), other_tokenizer(tools), texts(chosen=" Zebra", rejected=" a")
    ),
    "scoring texts": lambda tools: RewardModel.from_language_model(tools.model).score_texts(
        other_tokenizer(tools), ["The"], [" Zebra"]
    ),
    "scoring a rollout": score_rollout,
}.items():
    hostile(f"{what}: a token that the model lacks", call, ValueError, "id 320", "only the ids 0 to 319", "tokenizer")

# --- Reward models -----------------------------------------------------------------------------------

judge("every other tensor", weights(some(lambda i, key: i % 2)), ValueError, "score.weight is missing, and 14 more")
judge("no head", weights(some(lambda i, key: key != "score.weight")), ValueError, "no head that gives rewards")
judge("NaN in the head", weights(with_value("score", float("nan"))), ValueError, "not finite", "score.weight")
judge("weights cut short", cut("model.safetensors"), ValueError, "can't be read")
judge("no weights", remove("model.safetensors"), FileNotFoundError, "model.safetensors is missing")
judge("an index of a pickle", index({"a": "one.bin"}), ValueError, "names one.bin", "can run code")
judge("no configuration", remove("config.json"), FileNotFoundError, "no reward model")
judge("more layers than weights", entries(n_layer=3), ValueError, "is missing, and 11 more")
judge("an unknown architecture", entries(model_type="rocket"), ValueError, "'rocket'")
judge("an architecture without a judge", entries(model_type="codegen"), ValueError, "codegen", "can't make a model")
judge(
    "more names than outputs",
    entries(id2label={"0": "a", "1": "b"}, reward_bias=GONE),
    ValueError,
    "score.weight has the shape (1, 16)",
)
judge("a name left out", entries(id2label={"0": "a", "2": "b"}), ValueError, "id2label must name", outputs=2)
judge("a name given twice", entries(id2label={"0": "a", "1": "a"}), ValueError, "id2label must name", outputs=2)
judge("no names", entries(id2label={}), ValueError, "config.json")
judge("a constant too many", entries(reward_bias=[0.0, 1.0]), ValueError, "reward_bias must be 1 finite numbers")
judge("a constant that is NaN", entries(reward_bias=[float("nan")]), ValueError, "reward_bias must be")
judge("a constant in words", entries(reward_bias="none"), ValueError, "reward_bias must be")
own_judge(
    "a tensor of the trunk left out",
    weights(some(lambda i, key: i != 3), OWN_FILE),
    ValueError,
    "h.0.attn.qkv_proj.weight is missing.",
)
own_judge("no head", weights(some(lambda i, key: "head" not in key), OWN_FILE), ValueError, "is missing, and 1 more")
own_judge("another head", entries(id2label={"0": "a", "1": "b"}), ValueError, "has the shape (1,)", "(2,)")
own_judge("cut short", cut(OWN_FILE), ValueError, f"{OWN_FILE} can't be read")
own_judge("heads that do not divide the width", entries(n_head=3), ValueError, "can't make a model")
hostile(
    "reward model: the folder of a language model",
    lambda tools: RewardModel.load(save_language_model(tools.model, tools.tokenizer, tools.folder)),
    ValueError,
    "holds a language model",
    "from_language_model",
)
hostile(
    "model: the folder of a reward model",
    lambda tools: load_language_model(
        RewardModel.from_language_model(tools.model).save(tools.folder, tools.tokenizer),
    ),
    ValueError,
    "holds a reward model",
    "RewardModel.load",
)

# --- Names, and where to save ------------------------------------------------------------------------

for name in ("my_lab/01_langauge_model", "gpt-2", "", "no\0path", "x" * 300, "~/nothing"):
    hostile(
        f"a path of no model: {name[:20]!r}",
        lambda tools, name=name: load_language_model(name),
        FileNotFoundError,
        "There is no model in",
        'hub="owner/name"',
    )
for name in ("gpt2", "", "../../etc/passwd", "https://huggingface.co/a/b", "a/b c"):
    hostile(
        f"a name that the hub can't have: {name!r}",
        lambda tools, name=name: load_language_model(hub=name),
        ValueError,
        "no such name",
        'hub="owner/name"',
    )


def pickle_on_the_hub(tools: Tools) -> object:
    folder = save_language_model(tools.model, tools.tokenizer, tools.folder)
    index({"a": "one.bin"})(folder)
    with patch("rlhf_lab.models.loading.snapshot_download", return_value=str(folder)):
        return load_language_model(hub="owner/name")


def without_a_network(tools: Tools) -> object:
    with patch("rlhf_lab.models.loading.snapshot_download", side_effect=ConnectionResetError("no route\nto host")):
        return load_language_model(hub="owner/name")


def in_the_way(tools: Tools, below: str = "") -> Path:
    (tools.folder / "taken").write_text("a file")
    return tools.folder / "taken" / below


hostile("a model on the hub with an index of a pickle", pickle_on_the_hub, ValueError, "names one.bin", "can run code")
hostile("the hub without a network", without_a_network, FileNotFoundError, "owner/name", "hf download", "no route")
hostile(
    "saving a model where a file is",
    lambda tools: save_language_model(tools.model, tools.tokenizer, in_the_way(tools)),
    ValueError,
    "taken is a file",
)
hostile(
    "saving a reward model below a file",
    lambda tools: RewardModel.from_language_model(tools.model).save(in_the_way(tools, "judge"), tools.tokenizer),
    OSError,
    "could not be saved in",
    "is as it was",
)
