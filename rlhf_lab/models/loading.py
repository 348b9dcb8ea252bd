"""Language models, their tokenizers, and the value head that sits on one.

Everything is an ordinary `transformers` object: a causal language model and a fast tokenizer, loaded from
safetensors (`folders.py`), never from a pickle, and never with code from the hub. `ValueHead` reads every position and
guesses the reward to come; the head that reads a whole text and judges it is in `reward_model.py`.
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

logging.disable_progress_bar()  # of reading and writing files, which takes no time; downloads keep theirs

HUB_NAMES = {"gpt2": "openai-community/gpt2", "smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct"}
# What is fetched of a model on the hub: never a pickle.
HUB_FILES = ["*config.json", "model*.safetensors", "model.safetensors.index.json", "tokenizer.json", "*tokens*.json"]
PAD_TOKEN, END_TOKEN = "<|pad|>", "<|end|>"


# --- Tokenizers --------------------------------------------------------------------------------------


def train_tokenizer(texts: Iterable[str], vocab_size: int = 1024) -> PreTrainedTokenizerFast:
    """Learn a byte-level BPE tokenizer, like GPT-2's, from texts. The same texts give the same tokenizer.

    A word takes the space before it into its token, so `prompt` and `" completion"` tokenise independently.
    All 256 bytes are in the vocabulary: any text at all can be encoded and comes back unchanged.
    Special tokens: <|pad|> (id 0) and <|end|> (id 1, the end of a completion). They differ on purpose: where
    padding is masked out of the loss and the end token *is* the padding, a model never learns to stop.
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
    """A randomly initialised model; the seed decides the weights, the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    return model.to(device).eval()


def load_language_model(name_or_path: str | Path = "tiny", device=None, dtype=None, *, hub: str | None = None):
    """Load a causal language model and its tokenizer: `model, tokenizer = load_language_model("tiny")`.

    name_or_path: "tiny" (ships with the course), "smollm2" or "gpt2" (from the Hugging Face hub, or its local
    cache), or the path of a folder that `save_language_model` wrote.
    device: as in torch; None keeps the model on the CPU. dtype: None means float32. A model in bfloat16 that is trained
    gets float32 weights and goes on computing in bfloat16, see `models/precision.py`.
    hub: "owner/name" of another model on the hub, instead of a name or a path. A path alone is never looked up there:
    mistyped, it could bring somebody else's model.

    Dropout is set to zero everywhere, in training too: reinforcement learning compares log-probabilities of
    the same tokens at two moments, and dropout would make them differ for no reason.
    Raises FileNotFoundError, with what to do, where the model is not there or cannot be downloaded; ValueError, with
    what is wrong, where its folder is damaged.
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
    """The folder of a model that is not on the hub. FileNotFoundError, with what to do, where it has no model."""
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
    """A local copy of a model on the hub, from the cache if there is no network; FileNotFoundError, with what to do."""
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
    """Raises ValueError where the largest id of a token is one that the model lacks. A GPU would not say so."""
    known = len(model.get_input_embeddings().weight)
    if largest >= known:
        raise ValueError(
            f"There is a token with the id {largest}, but the model knows only the ids 0 to {known - 1}. The tokenizer"
            " is of another model: load both from one folder."
        )


def save_language_model(model: nn.Module, tokenizer, folder: str | Path) -> Path:
    """Write a model and its tokenizer as an ordinary transformers folder (safetensors and JSON).

    All of it or nothing: a save that fails or is killed leaves the folder as it was. Errors: `written_whole`.
    """
    with written_whole(folder) as aside:
        model.save_pretrained(aside, safe_serialization=True)
        tokenizer.save_pretrained(aside)
    return Path(folder)


def _ensure_pad_token(model: nn.Module, tokenizer) -> None:
    """Give the tokenizer a padding token that is not the end token.

    Many models come with none, or with pad == eos, and then libraries that mask padding by its id also mask
    the end token. Our own code masks by position and cannot be fooled, but other code may look at the id.
    We take a special token that text never encodes to (SmolLM2 has one: <|endoftext|>). Where there is none
    (GPT-2), we add one row to the embedding, equal to the mean of the others. A row of zeros would be a trap:
    GPT-2's logits are far below zero, and a token with logit 0 would get all the probability.
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
    """How many tokens the model can read at most, prompt and completion together."""
    return int(model.config.max_position_embeddings)


def trunk_and_head(model: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The two halves of a causal language model: tokens to hidden states, hidden states to logits.

    Calling them apart lets us compute logits only where they are wanted. The logits are the largest tensor
    by far. True of GPT-2 and Llama-like models; looks through PEFT wrappers (LoRA) to the model inside.
    """
    if hasattr(model, "get_base_model"):
        model = model.get_base_model()
    return model.base_model, model.get_output_embeddings()


@in_its_precision
def hidden_states(trunk: nn.Module, ids: Tensor) -> Tensor:
    """Last hidden states (B, L, d) of right-padded ids (B, L).

    No attention mask: the padding is on the right, and a causal model never looks to the right. (Embeddings
    are looked up here because transformers warns of padding without a mask, rightly in general.)
    """
    hidden = trunk(inputs_embeds=trunk.get_input_embeddings()(ids), use_cache=False).last_hidden_state
    return hidden.to(trunk.dtype)


def frozen_copy(model: nn.Module) -> nn.Module:
    """A copy that does not learn, for example the reference model that a policy must stay near."""
    return copy.deepcopy(model).requires_grad_(False).eval()


def trainable_copy(model: nn.Module) -> nn.Module:
    """A copy to be trained; the model itself stays as it is."""
    return copy.deepcopy(model).requires_grad_(True).eval()


def sharpen(model, temperature: float) -> None:
    """Divide all of a model's logits by `temperature`, for good, by scaling its last layer norm.

    What was temperature T before is temperature 1 afterwards. A model as small as `tiny` never quite stops leaving
    a little probability to tokens that do not fit, and in a text of forty tokens that adds up. Drawing a bit below
    its own temperature makes most of these go away and leaves the variety.
    """
    norm = trunk_and_head(model)[0].ln_f
    with torch.no_grad():
        norm.weight.div_(temperature)
        norm.bias.div_(temperature)
