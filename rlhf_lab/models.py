"""Language models, tokenizers, and the small heads that turn a language model into a judge.

Everything is an ordinary `transformers` object: a causal language model and a fast tokenizer, loaded from
safetensors, never from a pickle, and never with code from the hub. Two heads are our own. `RewardModel`
reads a whole text and gives one number. `ValueHead` reads every position and guesses the reward to come.
"""

import copy
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, GPT2Config, PreTrainedTokenizerFast
from transformers.utils import logging

from rlhf_lab.paths import data_dir
from rlhf_lab.tokens import encode_completions, encode_prompts, pad_right, pieces_by_length

logging.disable_progress_bar()  # of reading and writing files, which takes no time; downloads keep theirs

HUB_NAMES = {"gpt2": "openai-community/gpt2", "smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct"}
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


def load_language_model(name_or_path: str | Path = "tiny", device=None, dtype=None):
    """Load a causal language model and its tokenizer: `model, tokenizer = load_language_model("tiny")`.

    name_or_path: "tiny" (ships with the course), "smollm2" or "gpt2" (from the Hugging Face hub, or its local
    cache), the path of a folder that `save_language_model` wrote, or any other hub name.
    device: as in torch; None keeps the model on the CPU. dtype: None means float32.

    Dropout is set to zero everywhere, in training too: reinforcement learning compares log-probabilities of
    the same tokens at two moments, and dropout would make them differ for no reason.
    Raises FileNotFoundError, with what to do, where the model is not there or cannot be downloaded.
    """
    name = str(name_or_path)
    source = str(data_dir() / "tiny") if name == "tiny" else HUB_NAMES.get(name, name)
    if (name == "tiny" or "/" in name or "\\" in name) and Path(source).parent.is_dir():
        if not (Path(source) / "config.json").is_file() and (name == "tiny" or Path(source).is_absolute()):
            make = "Make it with `python -m rlhf_lab.training.pretrain`." if name == "tiny" else "Check the path."
            raise FileNotFoundError(f"There is no model in {source} (no config.json). {make}")
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        for key in vars(config):
            if key.endswith("pdrop") or "dropout" in key:
                setattr(config, key, 0.0)
        if getattr(config, "activation_function", None) == "gelu_new":
            config.activation_function = "gelu_pytorch_tanh"  # the same function, in one kernel
        model = AutoModelForCausalLM.from_pretrained(
            source,
            config=config,
            dtype=dtype or torch.float32,
            attn_implementation="sdpa",
            trust_remote_code=False,
            use_safetensors=True,
        )
        tokenizer = PreTrainedTokenizerFast.from_pretrained(source)
    except OSError as error:
        raise FileNotFoundError(
            f"Could not load the model {name!r} from {source!r}: {str(error).splitlines()[0]}\n"
            "A model that does not ship with the course comes from the Hugging Face hub. Connect to the network"
            f" once and run `hf download {source}`, or pass the path of a folder with config.json,"
            " model.safetensors and tokenizer.json, or use load_language_model('tiny'), which needs no network."
        ) from error
    _ensure_pad_token(model, tokenizer)
    return model.to(device).eval(), tokenizer


def save_language_model(model: nn.Module, tokenizer, folder: str | Path) -> Path:
    """Write a model and its tokenizer as an ordinary transformers folder (safetensors and JSON)."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return folder


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


def hidden_states(trunk: nn.Module, ids: Tensor) -> Tensor:
    """Last hidden states (B, L, d) of right-padded ids (B, L).

    No attention mask: the padding is on the right, and a causal model never looks to the right. (Embeddings
    are looked up here because transformers warns of padding without a mask, rightly in general.)
    """
    return trunk(inputs_embeds=trunk.get_input_embeddings()(ids), use_cache=False).last_hidden_state


def clone(model: nn.Module) -> nn.Module:
    """A frozen copy, for example the reference model that a policy must stay near."""
    return copy.deepcopy(model).requires_grad_(False).eval()


# --- Heads -------------------------------------------------------------------------------------------


class ValueHead(nn.Module):
    """Guesses, at every position, the reward still to come: a linear map from the hidden state, zero at first.

    It sits on the policy's own trunk (Ziegler et al. 2019 share it too): a second trunk would cost another
    forward and backward pass, 1.4 times the time of a step, for a critic that a linear map on the policy's
    features already serves well.
    """

    def __init__(self, hidden_size: int):
        super().__init__()
        self.linear = nn.utils.skip_init(nn.Linear, hidden_size, 1)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Values (...) of hidden states (..., d), in float32."""
        return self.linear(hidden.to(self.linear.weight.dtype)).squeeze(-1).float()


class RewardModel(nn.Module):
    """Reads prompt and completion and gives one number: gain * (w . h) + bias, h at the last real token.

    w starts as N(0, 1/(d+1)) (standard deviation 1/sqrt(d+1)), its bias as 0 (Stiennon et al. 2020). `gain`
    and `bias` are not trained: `normalise` sets them so that rewards have mean 0 and variance 1 on reference
    samples, because preferences fix a reward only up to a constant.
    """

    def __init__(self, trunk: nn.Module, generator: torch.Generator | None = None):
        super().__init__()
        self.trunk = trunk
        width = trunk.config.hidden_size
        self.head = nn.utils.skip_init(nn.Linear, width, 1)
        with torch.no_grad():
            self.head.weight.normal_(0.0, 1.0 / math.sqrt(width + 1), generator=generator)
            self.head.bias.zero_()
        self.register_buffer("gain", torch.ones(()))
        self.register_buffer("bias", torch.zeros(()))

    @classmethod
    def from_language_model(cls, model: nn.Module, generator: torch.Generator | None = None) -> "RewardModel":
        """A reward model on a copy of the language model's trunk; the language model is left alone."""
        trunk, _ = trunk_and_head(model)
        reward_model = cls(copy.deepcopy(trunk).requires_grad_(True), generator)
        return reward_model.to(next(model.parameters()).device).eval()

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Rewards (B,) in float32 of ids (B, L), padded on either side; mask (B, L) is true on real tokens.

        Each row's real tokens must stand together. A row is read alone: its reward does not depend on the
        padding or on the other rows.
        """
        mask = mask.bool()
        lengths = mask.sum(1)
        if not bool((lengths > 0).all()):
            raise ValueError("A text without any token cannot be scored: a row of the mask is all false.")
        ids = _shift_to_the_left(ids, mask)
        hidden = hidden_states(self.trunk, ids)  # (B, L, d)
        last = hidden[torch.arange(len(ids), device=ids.device), lengths - 1]  # (B, d)
        score = self.head(last.to(self.head.weight.dtype)).squeeze(-1).float()
        return self.gain * score + self.bias

    @torch.no_grad()
    def score_rollout(self, rollout, piece_tokens: int = 2048) -> Tensor:
        """Rewards (B,) of a rollout, without gradients: a reward function for `train_policy`.

        A completion that was cut short is scored as it stands, without an end token.
        """
        ids, _, lengths = rollout.sequences()
        return self._score(ids, lengths, piece_tokens)

    @torch.no_grad()
    def score_texts(self, tokenizer, prompts: Sequence[str], completions: Sequence[str], piece_tokens: int = 2048):
        """Rewards (B,) of texts, each completion taken as ended; without gradients."""
        rows = [
            prompt + completion
            for prompt, completion in zip(
                encode_prompts(tokenizer, prompts), encode_completions(tokenizer, completions), strict=True
            )
        ]
        ids, mask = pad_right(rows, tokenizer.pad_token_id)
        device = self.head.weight.device
        return self._score(ids.to(device), mask.sum(1).to(device), piece_tokens)

    def _score(self, ids: Tensor, lengths: Tensor, piece_tokens: int) -> Tensor:
        scores = torch.empty(len(ids), device=ids.device)
        for rows in pieces_by_length(lengths, piece_tokens):
            longest = int(lengths[rows].max())
            mask = torch.arange(longest, device=ids.device) < lengths[rows, None]
            scores[rows] = self(ids[rows, :longest], mask)
        return scores

    @torch.no_grad()
    def normalise(self, scores: Tensor) -> None:
        """Set gain and bias so that `scores`, which this model gave to reference samples, become mean 0, variance 1.

        Raises ValueError where there are fewer than two scores, or they are all alike or not finite.
        """
        scores = scores.double()
        if scores.numel() < 2 or not bool(torch.isfinite(scores).all()) or scores.std(correction=0) < 1e-8:
            raise ValueError(
                f"Cannot normalise on {scores.numel()} scores with values {scores.flatten()[:5].tolist()}: they"
                " must be at least two, finite, and not all alike. Score a few hundred reference samples."
            )
        mean, deviation = scores.mean(), scores.std(correction=0)
        self.bias.copy_((self.bias.double() - mean) / deviation)
        self.gain.copy_(self.gain.double() / deviation)

    def save(self, folder: str | Path) -> Path:
        """Write weights (safetensors) and the trunk's configuration (JSON) into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({k: v.contiguous() for k, v in self.state_dict().items()}, folder / "reward_model.safetensors")
        (folder / "config.json").write_text(json.dumps(self.trunk.config.to_dict(), indent=2), encoding="utf-8")
        return folder

    @classmethod
    def load(cls, folder: str | Path, device=None) -> "RewardModel":
        """Read a reward model that `save` wrote. Raises FileNotFoundError where there is none."""
        folder = Path(folder)
        if not (folder / "reward_model.safetensors").is_file():
            raise FileNotFoundError(f"There is no reward model in {folder}. Write one with RewardModel.save(folder).")
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        with torch.random.fork_rng(devices=[]):  # weights drawn here are replaced on the next line
            reward_model = cls(AutoModel.from_config(config, attn_implementation="sdpa"))
        reward_model.load_state_dict(load_file(folder / "reward_model.safetensors"))
        return reward_model.to(device).eval()


def _shift_to_the_left(ids: Tensor, mask: Tensor) -> Tensor:
    """The same rows with the real tokens first, so that positions count from the first real token."""
    start = mask.int().argmax(1, keepdim=True)  # (B, 1) where the real tokens begin
    columns = torch.arange(ids.shape[1], device=ids.device) + start  # (B, L)
    return ids.gather(1, columns.clamp(max=ids.shape[1] - 1))
