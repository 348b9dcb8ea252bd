"""The processes that `speed.py` starts: each prepares one loop, makes steps when told to, and reports their seconds."""

import json
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

PROMPT, NEW, BATCH, GROUP, PAIRS = 16, 48, 64, 8, 32
SIZES = {  # layers, width, heads, vocabulary
    "1m": (3, 128, 4, 4096),
    "5m": (4, 256, 8, 4096),
    "124m": (12, 768, 12, 50257),
}
STEPS = 100_000  # practically endless: the caller decides when to stop
MARK = "@@"


@dataclass(frozen=True)
class Settings:
    who: str  # "ours", "trl", "generate"
    part: str
    size: str
    folder: str  # what `prepare` made
    started: float  # when the process was started, time.time()
    device: str
    dtype: str
    threads: int


@dataclass(frozen=True)
class Document:
    prompt: str
    completion: str


# --- What all share: a random model, a tokenizer, texts -----------------------------------------------


def prepare(size: str, folder: Path) -> None:
    """Write a randomly initialised model and reward model, two tokenizers, and texts of exact length."""
    from transformers import GPT2Config

    from rlhf_lab.models.loading import load_language_model, new_language_model, save_language_model
    from rlhf_lab.models.reward_model import RewardModel

    _, tokenizer = load_language_model("tiny")
    layers, width, heads, vocabulary = SIZES[size]
    config = GPT2Config(
        vocab_size=vocabulary,
        n_positions=192,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    model = new_language_model(config)
    save_language_model(model, tokenizer, folder / "model")
    RewardModel.from_language_model(model).save(folder / "reward", tokenizer)
    (folder / "texts.json").write_text(json.dumps(texts_of_exact_length(tokenizer)))
    # For rollouts: an end token beyond the model's vocabulary, so that every completion has all its 48 tokens.
    tokenizer.add_special_tokens({"eos_token": "<|never|>"})
    tokenizer.save_pretrained(folder / "endless")


def texts_of_exact_length(tokenizer, count: int = 256) -> list[dict]:
    """Texts of the tiny world, cut so that a prompt has 16 tokens and a completion 47: with its end token, 48."""
    import random

    from rlhf_lab.world import generate_completion, generate_prompt

    rng, found = random.Random(0), []
    while len(found) < count:
        prompt = generate_prompt("review", rng, "train")
        ids = tokenizer(prompt + "".join(generate_completion(prompt, rng) for _ in range(8)))["input_ids"]
        cut = [ids[:PROMPT], ids[PROMPT : PROMPT + NEW - 1]]
        prompt, completion = (tokenizer.decode(part, clean_up_tokenization_spaces=False) for part in cut)
        if [tokenizer(prompt)["input_ids"], tokenizer(completion)["input_ids"]] == cut and len(cut[1]) == NEW - 1:
            found.append({"prompt": prompt, "completion": completion})
    return found


def share_of_even_tokens(ids: list[int]) -> float:
    return sum(token % 2 == 0 for token in ids) / len(ids)


class Gate:
    """Says how long a step took, and waits for the word to make another."""

    def __init__(self, settings: Settings):
        self.device, self.last = settings.device, time.perf_counter() - (time.time() - settings.started)

    def __call__(self, *_, **others) -> None:
        import torch

        if self.device != "cpu":
            torch.cuda.synchronize()
        record = {"seconds": time.perf_counter() - self.last, "gigabytes": peak_gigabytes(self.device)} | others
        print(f"\n{MARK}{json.dumps(record)}", flush=True)
        if sys.stdin.readline() != "go\n":
            sys.exit()
        self.last = time.perf_counter()


def peak_gigabytes(device: str) -> float:
    if device != "cpu":
        import torch

        return torch.cuda.max_memory_allocated() / 1e9
    status = Path("/proc/self/status")
    if status.exists():  # not getrusage: its peak includes what the parent had when it started us
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1e6
    return float("nan")


# --- Ours --------------------------------------------------------------------------------------------


def ours(settings: Settings, gate: Gate) -> None:
    import torch

    from rlhf_lab.models.loading import load_language_model
    from rlhf_lab.models.reward_model import RewardModel

    folder, texts = Path(settings.folder), json.loads((Path(settings.folder) / "texts.json").read_text())
    dtype = getattr(torch, settings.dtype)
    model, tokenizer = load_language_model(folder / "model", device=settings.device, dtype=dtype)
    documents = [Document(**text) for text in texts]
    pieces = 2**16  # a batch at once; the loops' own 1024 is for rows of uneven length, and here none has padding
    if settings.part == "decode":
        decode(settings, gate, model, type(tokenizer).from_pretrained(folder / "endless"), texts)
    elif settings.part == "sft":
        from rlhf_lab.training.language_model import LanguageModelConfig, train_language_model

        config = LanguageModelConfig(steps=STEPS, batch_size=BATCH, learning_rate=1e-5, micro_batch_tokens=pieces)
        train_language_model(model, tokenizer, documents, config, callback=gate)
    elif settings.part == "reward":
        from rlhf_lab.feedback.pairs import PreferencePair
        from rlhf_lab.training.reward_model import RewardModelConfig, train_reward_model

        pairs = [PreferencePair(a.prompt, a.completion, b.completion, a.prompt) for a, b in pairwise(documents)]
        config = RewardModelConfig(epochs=STEPS, batch_size=PAIRS, learning_rate=1e-5, micro_batch_tokens=pieces)
        train_reward_model(RewardModel.from_language_model(model), tokenizer, pairs, config, callback=gate)
    else:
        endless = type(tokenizer).from_pretrained(folder / "endless")
        prompts = [document.prompt for document in documents]
        rewards = {"ppo": "reward", "ppo4": "reward"}.get(settings.part)
        score = _score_even if rewards is None else RewardModel.load(folder / rewards, settings.device).score_rollout
        policy_gradient(settings, gate, model, endless, prompts, score, pieces)


def _score_even(rollout):
    import torch

    pairs = zip(rollout.completion_ids.tolist(), rollout.lengths.tolist(), strict=True)
    return torch.tensor([share_of_even_tokens(ids[:n]) for ids, n in pairs])


def policy_gradient(settings: Settings, gate: Gate, model, tokenizer, prompts, score, pieces: int) -> None:
    from rlhf_lab.models.loading import frozen_copy
    from rlhf_lab.training.algorithms import GRPO, PPO, RLOO
    from rlhf_lab.training.policy_gradient import PolicyGradientConfig, train_policy

    algorithm = {
        "grpo": replace(GRPO, kl_in=None, epochs=1),
        "rloo": RLOO,
        "ppo": replace(PPO, epochs=1, minibatches=1),
        "ppo4": replace(PPO, epochs=4, minibatches=1),
    }[settings.part]
    config = PolicyGradientConfig(
        steps=STEPS,
        batch_size=BATCH,
        samples_per_prompt=1 if settings.part.startswith("ppo") else GROUP,
        max_new_tokens=NEW,
        learning_rate=1e-6,
        missing_eos_penalty=0.0,
        micro_batch_tokens=pieces,
    )
    reference = (
        None if settings.part == "grpo" else frozen_copy(model)
    )  # TRL's GRPO without a KL penalty has none either
    train_policy(model, reference, score, tokenizer, prompts, algorithm, config, callback=gate)


def prompts_to_continue(settings: Settings, texts: list[dict]) -> list[str]:
    batch = 512 if settings.device != "cpu" else BATCH
    return [texts[i % len(texts)]["prompt"] for i in range(batch)]


def decode(settings: Settings, gate: Gate, model, tokenizer, texts: list[dict]) -> None:
    """Batches by our sampler."""
    from rlhf_lab.models import sampling
    from rlhf_lab.training.loop import keep_freed_memory

    keep_freed_memory()  # as every loop of ours does
    prompts = prompts_to_continue(settings, texts)
    while True:
        sampling.sample(model, tokenizer, prompts, max_new_tokens=NEW)
        gate(tokens=len(prompts) * NEW, batch=len(prompts))


# --- transformers' own -------------------------------------------------------------------------------


def generate(settings: Settings, gate: Gate) -> None:
    import torch
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    folder = Path(settings.folder)
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=getattr(torch, settings.dtype))
    model = model.to(settings.device).eval()
    model.generation_config.eos_token_id = None
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "endless")
    prompts = prompts_to_continue(settings, json.loads((folder / "texts.json").read_text()))
    while True:
        ids = torch.tensor(tokenizer(prompts)["input_ids"], device=settings.device)
        mask = torch.ones_like(ids)
        output = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=NEW, do_sample=True, top_k=0)
        tokenizer.batch_decode(output[:, PROMPT:])  # ours gives texts too
        gate()


# --- TRL's -------------------------------------------------------------------------------------------


def trl(settings: Settings, gate: Gate) -> None:
    import datasets
    import transformers
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, PreTrainedTokenizerFast

    transformers.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    folder, texts = Path(settings.folder), json.loads((Path(settings.folder) / "texts.json").read_text())
    name = "model" if settings.part in ("sft", "reward") else "endless"
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / name)
    common = {
        "output_dir": str(folder / "out"),
        "max_steps": STEPS,
        "per_device_train_batch_size": PAIRS if settings.part == "reward" else BATCH,
        "learning_rate": 1e-6 if name == "endless" else 1e-5,
        "max_grad_norm": 1.0,
        "gradient_checkpointing": False,
        "use_cpu": settings.device == "cpu",
        "bf16": settings.dtype == "bfloat16",
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": STEPS,
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }

    class AtTheGate(transformers.TrainerCallback):
        def on_step_end(self, *_, **__):
            gate()

    def load(kind=AutoModelForCausalLM, which="model"):
        extra = {"num_labels": 1} if kind is AutoModelForSequenceClassification else {}
        return kind.from_pretrained(folder / which, **extra).to(settings.device)

    def rows(documents):
        return [
            tokenizer(d["prompt"])["input_ids"] + tokenizer(d["completion"])["input_ids"] + [tokenizer.eos_token_id]
            for d in documents
        ]

    dataset, others = datasets.Dataset.from_dict, {"processing_class": tokenizer, "callbacks": [AtTheGate()]}
    prompts = {"prompt": [text["prompt"] for text in texts]}
    if settings.part == "sft":
        from trl import SFTConfig, SFTTrainer

        config = SFTConfig(max_length=PROMPT + NEW, **common)
        trainer = SFTTrainer(load(), config, train_dataset=dataset({"input_ids": rows(texts)}), **others)
    elif settings.part == "reward":
        from trl import RewardConfig, RewardTrainer

        swapped = [{"prompt": a["prompt"], "completion": b["completion"]} for a, b in pairwise(texts)]
        pairs = dataset({"chosen_ids": rows(texts[:-1]), "rejected_ids": rows(swapped)})
        model = load(AutoModelForSequenceClassification, "reward")
        trainer = RewardTrainer(model, RewardConfig(max_length=PROMPT + NEW, **common), train_dataset=pairs, **others)
    elif settings.part in ("grpo", "rloo"):
        from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

        def reward(completion_ids, **_):
            return [share_of_even_tokens(ids) for ids in completion_ids]

        kind = {"num_generations": GROUP, "max_completion_length": NEW, "temperature": 1.0, **common}
        # The reference is read from the model's path: so the model is loaded from one.
        if settings.part == "grpo":
            trainer = GRPOTrainer(load(), reward, GRPOConfig(beta=0.0, **kind), dataset(prompts), **others)
        else:
            trainer = RLOOTrainer(load(), reward, RLOOConfig(beta=0.05, **kind), dataset(prompts), **others)
    else:
        from trl.experimental.ppo import PPOConfig, PPOTrainer

        del common["max_steps"]
        config = PPOConfig(
            total_episodes=BATCH * 1000,
            num_ppo_epochs=4 if settings.part == "ppo4" else 1,
            num_mini_batches=1,
            response_length=NEW,
            temperature=1.0,
            num_sample_generations=0,
            **common,
        )
        judge = partial(load, AutoModelForSequenceClassification, "reward")
        ids = dataset({"input_ids": tokenizer(prompts["prompt"])["input_ids"]})
        models = {"model": load(), "ref_model": load(), "reward_model": judge(), "value_model": judge()}
        trainer = PPOTrainer(config, train_dataset=ids, **models, **others)
    trainer.train()


def main() -> None:
    if sys.argv[1] == "prepare":
        prepare(sys.argv[2], Path(sys.argv[3]))
        return
    settings = Settings(**json.loads(sys.argv[1]))
    import torch

    torch.set_num_threads(settings.threads)
    torch.manual_seed(0)
    contestant = {"trl": trl, "generate": generate}.get(settings.who, ours)
    contestant(settings, Gate(settings))


if __name__ == "__main__":
    main()
