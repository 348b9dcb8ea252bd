"""Make, load and save language models and their tokenizers.

Both are ordinary `transformers` objects: a causal language model and a fast tokenizer. They are loaded from safetensors
(`folders.py`), never from a pickle and never with code from the hub.
"""

import copy
import os
import re
from collections.abc import Iterable
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GenerationConfig, GPT2Config, PreTrainedTokenizerFast
from transformers.utils import logging

from rlhf_lab.models.folders import AGAIN, assemble, load_config, said, settle, written_whole
from rlhf_lab.models.precision import in_its_precision
from rlhf_lab.paths import data_dir

logging.disable_progress_bar()  # for reading and writing files, which is fast; downloads keep theirs

HUB_NAMES = {"gpt2": "openai-community/gpt2", "smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct"}
# Files to download for a model on the hub: never a pickle.
HUB_FILES = ["*config.json", "model*.safetensors", "model.safetensors.index.json", "tokenizer.json", "*tokens*.json"]
PAD_TOKEN, END_TOKEN = "<|pad|>", "<|end|>"


# --- Tokenizers --------------------------------------------------------------------------------------


def train_tokenizer(texts: Iterable[str], vocab_size: int = 1024) -> PreTrainedTokenizerFast:
    """Learn a byte-level BPE tokenizer, like GPT-2's, from texts. The same texts give the same tokenizer.

    A word's token includes the space before it, so `prompt` and `" completion"` can be tokenised separately.
    All 256 bytes are in the vocabulary, so any text can be encoded and decoded unchanged.
    Special tokens: <|pad|> (id 0) and <|end|> (id 1, the end of a completion). They differ on purpose. If they were
    the same, masking the padding out of the loss would mask the end token too, and a model would never learn to stop.
    """
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD_TOKEN, END_TOKEN],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer=trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token=PAD_TOKEN, eos_token=END_TOKEN)


# --- Language models ---------------------------------------------------------------------------------


def tiny_config(tokenizer, layers: int = 4, width: int = 160, heads: int = 5) -> GPT2Config:
    """GPT-2's architecture at one to three million parameters; context of 192 tokens, no dropout.

    `gelu_pytorch_tanh` is GPT-2's own activation in one fused kernel: the same numbers, up to a quarter faster.
    """
    return GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=192,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def new_language_model(config: GPT2Config, seed: int = 0, device=None) -> nn.Module:
    """A randomly initialised model. The seed decides the weights; the global random state is not changed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    return model.to(device).eval()


def load_language_model(name_or_path: str | Path = "tiny", device=None, dtype=None, *, hub: str | None = None):
    """Load a causal language model and its tokenizer: `model, tokenizer = load_language_model("tiny")`.

    name_or_path: "tiny" (ships with the course), "smollm2" or "gpt2" (from the Hugging Face hub, or its local
    cache), or the path of a folder that `save_language_model` wrote.
    device: as in torch; None keeps the model on the CPU. dtype: None means float32. Training gives a bfloat16 model
    float32 weights, but it still computes in bfloat16, see `models/precision.py`.
    hub: "owner/name" of another model on the hub, instead of a name or a path. A path is never looked up on the hub,
    because a typo could then load somebody else's model.

    Dropout is zero everywhere, in training too. Reinforcement learning compares log-probabilities of the same tokens
    at two moments, and dropout would make them differ for no reason.
    FileNotFoundError, with what to do, if the model is not there or cannot be downloaded. ValueError, with what is
    wrong, if its folder is damaged.
    """
    source = HUB_NAMES.get(str(name_or_path)) if hub is None else hub
    folder = _local_folder(str(name_or_path)) if source is None else _from_hub(source)
    model = assemble(AutoModelForCausalLM, load_config(folder), folder, dtype or torch.float32)
    model.name_or_path = model.config.name_or_path = source or str(folder)
    tokenizer = _load_tokenizer(folder)
    check_vocabulary(model, max(tokenizer.get_vocab().values(), default=0))
    try:
        if (folder / "generation_config.json").is_file():
            model.generation_config = GenerationConfig.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # of any kind: it depends on the entry that is wrong
        raise ValueError(f"{folder / 'generation_config.json'} can't be read ({said(error)}). {AGAIN}") from error
    _ensure_pad_token(model, tokenizer)
    return model.to(device).eval(), tokenizer


def _local_folder(name: str) -> Path:
    """The folder of a local model. FileNotFoundError, with what to do, if there is no model in it."""
    folder = data_dir() / "tiny" if name == "tiny" else Path(name)
    settle(folder)
    if not os.path.isfile(folder / "config.json"):
        advice = (
            "Make it with `python data/make/tiny_model.py`."
            if name == "tiny"
            else f'Check the path; a model on the hub is asked for by hub="owner/name", or as {" or ".join(HUB_NAMES)}.'
        )
        raise FileNotFoundError(f"There is no model in {folder} (no config.json). {advice}")
    return folder


def _from_hub(name: str) -> Path:
    """A local copy of a model on the hub, from the cache if there is no network. FileNotFoundError if there is none."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ValueError(f'A model on the hub is asked for by hub="owner/name", and {name!r} is no such name.')
    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except Exception as error:  # of any kind: it depends on what is wrong with the network, or the name
        raise FileNotFoundError(
            f"Could not load the model {name!r} from the Hugging Face hub ({said(error)}). Connect to the network once"
            f" and run `hf download {name}`, or pass the path of a folder with config.json, model.safetensors and"
            " tokenizer.json, or use load_language_model('tiny'), which needs no network."
        ) from error


def _load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    if not (folder / "tokenizer.json").is_file():
        raise FileNotFoundError(f"tokenizer.json is missing in {folder}. {AGAIN}")
    try:
        return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # of any kind: it depends on the entry that is wrong
        raise ValueError(f"The tokenizer in {folder} can't be read ({said(error)}). {AGAIN}") from error


def check_vocabulary(model: nn.Module, largest: int) -> None:
    """ValueError if the largest token id is outside the model's vocabulary. A GPU would give no clear error."""
    known = len(model.get_input_embeddings().weight)
    if largest >= known:
        raise ValueError(
            f"There is a token with the id {largest}, but the model knows only the ids 0 to {known - 1}. The tokenizer"
            " is of another model: load both from one folder."
        )


def save_language_model(model: nn.Module, tokenizer, folder: str | Path) -> Path:
    """Write a model and its tokenizer as an ordinary transformers folder (safetensors and JSON).

    A save that fails or is killed leaves the folder as it was. Errors: `written_whole`.
    """
    with written_whole(folder) as aside:
        model.save_pretrained(aside, safe_serialization=True)
        tokenizer.save_pretrained(aside)
    return Path(folder)


def _ensure_pad_token(model: nn.Module, tokenizer) -> None:
    """Give the tokenizer a padding token that is not the end token.

    Many models have none, or have pad == eos. Libraries that mask padding by its id then mask the end token too. Our
    code masks by position, but other code may not. We use a special token that text never encodes to, if there is one
    (SmolLM2: <|endoftext|>). Otherwise (GPT-2) we add a row to the embedding, equal to the mean of the others. A row
    of zeros would be a trap: GPT-2's logits are far below zero, so a token with logit 0 would get all the probability.
    """
    if tokenizer.eos_token is None:
        raise ValueError("This tokenizer has no end token (eos_token), so a completion could never end. Set one.")
    if tokenizer.pad_token is not None and tokenizer.pad_token != tokenizer.eos_token:
        return
    spare = tokenizer.unk_token
    if spare is not None and spare not in (tokenizer.eos_token, tokenizer.bos_token):
        tokenizer.pad_token = spare
    else:
        tokenizer.add_special_tokens({"pad_token": PAD_TOKEN})
        old_size = model.get_input_embeddings().weight.shape[0]
        if len(tokenizer) > old_size:
            model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
            with torch.no_grad():
                for layer in {model.get_input_embeddings(), model.get_output_embeddings()}:
                    layer.weight[old_size:] = layer.weight[:old_size].mean(0)
    model.config.pad_token_id = tokenizer.pad_token_id
    if model.generation_config is not None:
        model.generation_config.pad_token_id = tokenizer.pad_token_id


def context_length(model: nn.Module) -> int:
    """The largest number of tokens that the model can read, prompt and completion together."""
    return int(model.config.max_position_embeddings)


def trunk_and_head(model: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The two halves of a causal language model: tokens to hidden states, hidden states to logits.

    Logits are by far the largest tensor; with the halves separate, we compute them only where they are needed. Works
    for GPT-2 and Llama-like models, also inside PEFT wrappers (LoRA).
    """
    if hasattr(model, "get_base_model"):
        model = model.get_base_model()
    return model.base_model, model.get_output_embeddings()


@in_its_precision
def hidden_states(trunk: nn.Module, ids: Tensor) -> Tensor:
    """Last hidden states (B, L, d) of right-padded ids (B, L).

    No attention mask is needed: the padding is on the right, where a causal model never looks. (We pass embeddings
    instead of ids because transformers warns about padding without a mask, which is usually a mistake.)
    """
    hidden = trunk(inputs_embeds=trunk.get_input_embeddings()(ids), use_cache=False).last_hidden_state
    return hidden.to(trunk.dtype)


def frozen_copy(model: nn.Module) -> nn.Module:
    """A copy that does not learn, for example the reference model that a policy must stay near."""
    return copy.deepcopy(model).requires_grad_(False).eval()


def trainable_copy(model: nn.Module) -> nn.Module:
    """A copy to train. The model itself does not change."""
    return copy.deepcopy(model).requires_grad_(True).eval()


def sharpen(model, temperature: float) -> None:
    """Permanently divide all of a model's logits by `temperature`, by scaling its last layer norm.

    What was temperature T before is temperature 1 afterwards. A model as small as `tiny` always gives a little
    probability to tokens that do not fit, and over forty tokens that adds up. Sampling slightly below temperature 1
    removes most of these errors but keeps the variety.
    """
    norm = trunk_and_head(model)[0].ln_f
    with torch.no_grad():
        norm.weight.div_(temperature)
        norm.bias.div_(temperature)
