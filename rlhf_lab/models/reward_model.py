"""Reward models: a language model's trunk with a linear head that turns a whole text into a number.

The head reads the hidden state of the last real token, which has seen all the others. It may have several outputs that
share the trunk: the members of an ensemble, the axes of a score, labels. A reward model is saved as the ordinary
`transformers` model for sequence classification of its architecture, so other tools can use ours and we theirs.
"""

import copy
import math
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForSequenceClassification

from rlhf_lab.models.folders import (
    AGAIN,
    WEIGHTS,
    assemble,
    load_config,
    read_tensors,
    refuse_misfit,
    settle,
    written_whole,
)
from rlhf_lab.models.loading import check_vocabulary, hidden_states, trunk_and_head
from rlhf_lab.models.tokens import encode_completions, encode_prompts, micro_batches_by_length, pad_right
from rlhf_lab.objectives.masked import at_least_float32

OWN_FILE = "reward_model.safetensors"  # if transformers has no sequence classification for the architecture
FINAL_NORMS = ("ln_f", "final_layer_norm", "norm", "final_layernorm")  # what architectures call a trunk's last layer


class RewardModel(nn.Module):
    """Reads prompt and completion and gives w . h + b, with h the hidden state of the last real token.

    w starts as N(0, 1/(d+1)) (standard deviation 1/sqrt(d+1)), b as 0 (Stiennon et al. 2020). Preferences fix a
    reward only up to a constant, and its scale only loosely: `normalise` sets both afterwards.

    outputs: how many numbers a text gets, or their names. With one, scores are (B,); with K they are (B, K).
    """

    def __init__(self, trunk: nn.Module, generator: torch.Generator | None = None, outputs: int | Sequence[str] = 1):
        super().__init__()
        self.trunk, self.names = trunk, _output_names(outputs)
        width = trunk.config.hidden_size
        self.head = nn.utils.skip_init(nn.Linear, width, len(self.names))  # float32, whatever the trunk's dtype
        with torch.no_grad():
            self.head.weight.normal_(0.0, 1.0 / math.sqrt(width + 1), generator=generator)
            self.head.bias.zero_()

    @classmethod
    def from_language_model(
        cls, model: nn.Module, generator: torch.Generator | None = None, outputs: int | Sequence[str] = 1
    ) -> "RewardModel":
        """A reward model on a copy of the language model's trunk. The language model does not change."""
        trunk, _ = trunk_and_head(model)
        reward_model = cls(copy.deepcopy(trunk).requires_grad_(True), generator, outputs)
        return reward_model.to(next(model.parameters()).device).eval()

    def features(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Hidden states (B, d) of the last real tokens of ids (B, L); mask (B, L) is true on real tokens.

        Padding may be on either side, but a row's real tokens must be contiguous. ValueError if they are not, or if a
        row has none. Neither padding nor the other rows influence a row's result.
        """
        mask = mask.bool()
        lengths = mask.sum(1)
        if not bool((lengths > 0).all()):
            raise ValueError("A text without any token cannot be scored: a row of the mask is all false.")
        if bool(((mask[:, 1:] & ~mask[:, :-1]).sum(1) + mask[:, 0] > 1).any()):
            raise ValueError("A row of the mask has a gap between real tokens. Padding may be on the sides only.")
        hidden = hidden_states(self.trunk, _shift_to_the_left(ids, mask))  # (B, L, d)
        return hidden[torch.arange(len(ids), device=ids.device), lengths - 1]

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Rewards (B,), or (B, K) for K outputs, in at least float32. Parameters and errors: as in `features`."""
        last = self.features(ids, mask)
        scores = at_least_float32(self.head(last.to(self.head.weight.dtype)))
        return scores if len(self.names) > 1 else scores[:, 0]

    @torch.no_grad()
    def score_rollout(self, rollout, micro_batch_tokens: int = 2048) -> Tensor:
        """Rewards (B,) or (B, K) of a rollout, without gradients. Can be the reward function of `train_policy`.

        A completion that was cut short is scored without an end token.
        """
        ids, _, lengths = rollout.sequences()
        return self._in_pieces(self, ids, lengths, micro_batch_tokens)

    @torch.no_grad()
    def score_texts(
        self, tokenizer, prompts: Sequence[str], completions: Sequence[str], micro_batch_tokens: int = 2048
    ):
        """Rewards (B,) or (B, K) of texts, without gradients. Every completion gets an end token."""
        prompts, completions = encode_prompts(tokenizer, prompts), encode_completions(tokenizer, completions)
        rows = [prompt + completion for prompt, completion in zip(prompts, completions, strict=True)]
        return self._in_pieces(self, *self._padded(rows), micro_batch_tokens)

    @torch.no_grad()
    def features_of(self, rows: Sequence[Sequence[int]], micro_batch_tokens: int = 2048) -> Tensor:
        """Features (B, d) of rows of token ids, without gradients."""
        return self._in_pieces(self.features, *self._padded(rows), micro_batch_tokens)

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        ids, mask = pad_right(rows, 0)  # any filler: it is never looked at
        return ids.to(self.head.weight.device), mask.sum(1).to(self.head.weight.device)

    def _in_pieces(self, read, ids: Tensor, lengths: Tensor, micro_batch_tokens: int) -> Tensor:
        """Apply `read` (forward or features) to right-padded ids (B, L), piece by piece."""
        check_vocabulary(self.trunk, int(ids.max()))
        pieces = micro_batches_by_length(lengths, micro_batch_tokens)
        found = []
        for rows in pieces:
            longest = int(lengths[rows].max())
            mask = torch.arange(longest, device=ids.device) < lengths[rows, None]
            found.append(read(ids[rows, :longest], mask))
        return torch.cat(found)[torch.cat(pieces).argsort()]

    @torch.no_grad()
    def normalise(self, scores: Tensor) -> None:
        """Scale and shift the head so that `scores`, its scores of reference samples, get mean 0 and variance 1.

        scores: (B,) or (B, K); each output is normalised separately. ValueError if there are fewer than two scores, or
        they are all the same or not finite.
        """
        if scores.ndim not in (1, 2) or scores.numel() != len(scores) * len(self.names):
            raise ValueError(
                f"Cannot normalise on scores of shape {tuple(scores.shape)}: the model gives {len(self.names)} to each"
                " text. Pass what `score_texts` or `score_rollout` returned."
            )
        columns = scores.cpu().double().reshape(len(scores), len(self.names))  # there, because MPS has no float64
        mean, deviation = columns.mean(0), columns.std(0, correction=0)
        if len(columns) < 2 or not bool(torch.isfinite(columns).all()) or bool((deviation < 1e-8).any()):
            raise ValueError(
                f"Cannot normalise on {len(columns)} scores with values {columns.flatten()[:5].tolist()}: they"
                " must be at least two, finite, and not all alike. Score a few hundred reference samples."
            )
        weight, bias = self.head.weight.cpu().double(), self.head.bias.cpu().double()
        self.head.weight.copy_((weight / deviation[:, None]).to(self.head.weight.dtype))
        self.head.bias.copy_(((bias - mean) / deviation).to(self.head.bias.dtype))

    def save(self, folder: str | Path, tokenizer=None) -> Path:
        """Write the model, and the tokenizer if given, as an ordinary `transformers` folder.

        `AutoModelForSequenceClassification.from_pretrained(folder)` then gives the same scores to right-padded texts.
        Its head has no constant, so we move ours into the bias of the trunk's last layer norm. If that norm has no bias
        (Llama), other tools see scores that lack the constant, `reward_bias` in the configuration. If `transformers`
        has no such model for the architecture, only `load` can read the folder.
        A save that fails or is killed leaves the folder as it was. Errors: `written_whole`, and a ValueError if there
        is no padding token, because other tools need it to find the last real token.
        """
        config = copy.deepcopy(self.trunk.config)
        if tokenizer is not None:
            config.pad_token_id = tokenizer.pad_token_id
        if config.pad_token_id is None:
            raise ValueError("The configuration names no padding token. Pass the tokenizer: save(folder, tokenizer).")
        config.id2label = dict(enumerate(self.names))
        config.label2id = {name: i for i, name in enumerate(self.names)}
        state, file_name = self.state_dict(), OWN_FILE
        if type(config) in AutoModelForSequenceClassification._model_mapping:
            with torch.device("meta"):  # for the names of its weights only
                other = AutoModelForSequenceClassification.from_config(config)
            state, bias = self._folded_constant()
            prefix = {"trunk.": f"{other.base_model_prefix}.", "head.": "score."}
            state = {prefix[key[: key.index(".") + 1]] + key[key.index(".") + 1 :]: v for key, v in state.items()}
            wrong = set(state) ^ set(other.state_dict())
            if wrong:
                raise ValueError(
                    f"The weights do not fit {type(other).__name__}, for example {min(wrong)}. If the trunk has"
                    " adapters (LoRA), merge them first."
                )
            config.architectures, config.reward_bias, file_name = [type(other).__name__], bias, WEIGHTS
        with written_whole(folder) as aside:
            save_file({k: v.contiguous() for k, v in state.items()}, aside / file_name, metadata={"format": "pt"})
            config.save_pretrained(aside)
            if tokenizer is not None:
                tokenizer.save_pretrained(aside)
        return Path(folder)

    def _folded_constant(self) -> tuple[dict[str, Tensor], list[float]]:
        """The weights, with the head's constant b moved into the trunk's last norm, and what could not be moved (K,).

        The norm's bias changes by the smallest v with w . v = b. If the outputs are linearly dependent, none may exist.
        """
        state = {key: value.detach() for key, value in self.state_dict().items()}
        weight, bias = state["head.weight"].double(), state.pop("head.bias").double()
        for name in FINAL_NORMS:
            key = f"trunk.{name}.bias"
            if key in state:
                change = torch.linalg.pinv(weight) @ bias  # (d,)
                if torch.allclose(weight @ change, bias, rtol=1e-6, atol=1e-8):
                    state[key] = (state[key].double() + change).to(state[key].dtype)
                    return state, [0.0] * len(bias)
        return state, bias.tolist()

    @classmethod
    def load(cls, folder: str | Path, device=None) -> "RewardModel":
        """Read a reward model that `save` wrote, or any model for sequence classification with a linear head `score`.

        FileNotFoundError if there is none. ValueError, with what is wrong, if the folder is damaged or has no such head
        (a language model, for example).
        """
        folder = Path(folder)
        settle(folder)
        if not os.path.isfile(folder / "config.json"):
            raise FileNotFoundError(f"There is no reward model in {folder}. Write one with RewardModel.save(folder).")
        config = load_config(folder)
        names = _saved_names(config, folder)
        if (folder / OWN_FILE).is_file() and type(config) not in AutoModelForSequenceClassification._model_mapping:
            return cls._load_own(config, names, folder).to(device).eval()
        other = assemble(AutoModelForSequenceClassification, config, folder)
        if not isinstance(getattr(other, "score", None), nn.Linear):
            raise ValueError(f"{type(other).__name__} has no linear head called `score`, so we cannot read its scores.")
        reward_model = cls(other.base_model, outputs=names)
        with torch.no_grad():
            reward_model.head.weight.copy_(other.score.weight)
            reward_model.head.bias.copy_(torch.tensor(getattr(config, "reward_bias", None) or [0.0] * len(names)))
        return reward_model.to(device).eval()

    @classmethod
    def _load_own(cls, config, names: Sequence[str], folder: Path) -> "RewardModel":
        """Load from our own format, used if `transformers` has no sequence classification for the architecture."""
        weights, _ = read_tensors(folder / OWN_FILE)
        trunk, found = (
            {key.removeprefix(part): value for key, value in weights.items() if key.startswith(part)}
            for part in ("trunk.", "head.")
        )
        reward_model = cls(assemble(AutoModel, config, folder, weights=trunk), outputs=names)
        wanted = reward_model.head.state_dict()
        shapes = {key: (found[key].shape, wanted[key].shape) for key in wanted.keys() & found.keys()}
        wrong = {key: both for key, both in shapes.items() if both[0] != both[1]}
        refuse_misfit(folder, wanted.keys() - found.keys(), found.keys() - wanted.keys(), wrong)
        reward_model.head.load_state_dict(found)
        return reward_model


def _saved_names(config, folder: Path) -> list[str]:
    """The names of the outputs in a saved configuration. ValueError if they or their constants are invalid."""
    labels, bias = config.id2label, getattr(config, "reward_bias", None)
    if not labels or sorted(labels) != list(range(len(labels))) or len(set(labels.values())) < len(labels):
        raise ValueError(f"{folder / 'config.json'}: id2label must name the outputs 0, 1, ... It is {labels}. {AGAIN}")
    numbers = isinstance(bias, list) and all(isinstance(b, int | float) and math.isfinite(b) for b in bias)
    if bias is not None and not (numbers and len(bias) == len(labels)):
        raise ValueError(
            f"{folder / 'config.json'}: reward_bias must be {len(labels)} finite numbers, one for each output. It is"
            f" {bias}. {AGAIN}"
        )
    return [labels[i] for i in range(len(labels))]


def cautious(scores: Tensor, caution: float = 1.0) -> Tensor:
    """One reward (B,) from an ensemble's scores (B, K): their mean minus `caution` standard deviations.

    A policy trained against one reward model finds and exploits its errors. Members that learned from different ratings
    seldom make the same errors, so this pays less where they disagree (Coste et al. 2023, who subtract the variance).
    Normalise the members first, so that they share one scale.
    """
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError(f"Expected scores (B, K) of two members or more; got the shape {tuple(scores.shape)}.")
    return scores.mean(1) - caution * scores.std(1)


def _output_names(outputs: int | Sequence[str]) -> tuple[str, ...]:
    if isinstance(outputs, str):
        raise TypeError(f"Expected names of outputs and got one string, {outputs!r}. Pass [name].")
    if isinstance(outputs, int):
        outputs = ["reward"] if outputs == 1 else [f"reward {i}" for i in range(1, outputs + 1)]
    names = tuple(outputs)
    if not names or len(set(names)) != len(names):
        raise ValueError(f"A reward model needs at least one output, each with a name of its own; got {names}.")
    return names


def _shift_to_the_left(ids: Tensor, mask: Tensor) -> Tensor:
    """Move each row's real tokens to the front, so that positions count from the first of them."""
    start = mask.int().argmax(1, keepdim=True)  # (B, 1) where the real tokens begin
    columns = torch.arange(ids.shape[1], device=ids.device) + start  # (B, L)
    return ids.gather(1, columns.clamp(max=ids.shape[1] - 1))
