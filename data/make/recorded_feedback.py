"""Recorded feedback: three simulated people rate texts by the shipped tiny model, in the same way as the learner.

    python data/make/recorded_feedback.py --write    about a minute; writes data/feedback/ and a section of the README

Three raters with different tastes and failings answer questions of all five kinds in a `RatingSession`. All three get
part of the comparisons, so that their agreement can be measured. Gold items and repeats are mixed in. The files contain
what a session records, so a notebook can replay them. The same model and seed give the same files: times and ids, which
would differ, are set at the end.
"""

import argparse
import tempfile
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from lessons.recorded_raters import RATERS

from rlhf_lab.feedback import FeedbackStore, Item, RatingSession, Record, question, rate_with, write_records
from rlhf_lab.feedback.queues import MixedQueue, deal
from rlhf_lab.models.loading import load_language_model
from rlhf_lab.models.sampling import sample
from rlhf_lab.paths import data_dir
from rlhf_lab.world import TASTES, TEXT_KINDS, SimulatedRater, load_prompts, passes_floor

LONGEST = 80  # tokens; longer completions are cut off
TEXTS = 4  # completions of each prompt
RECORDED_AT = "2025-01-01T00:00:00.000+00:00"  # simulated ratings have no real time
AXES = {
    "review": ("overall", "specificity"),
    "conversation": ("overall", "helpfulness"),
    "translation": ("overall", "adequacy"),
    "story": ("overall", "faithfulness"),
}
GOLD = "gold"  # the rater id of the right answers


@dataclass(frozen=True)
class RecordingConfig:
    """How much is recorded."""

    comparisons: int = 120  # different comparisons of reviews
    shared: int = 40  # those of them that all three raters answer
    gold_items: int = 12  # comparisons with a known answer, for each rater
    others: int = 10  # questions of each other kind, per kind of text and rater
    repeat_rate: float = 0.1  # of each rater's comparisons
    seed: int = 0


def record(config: RecordingConfig = RecordingConfig(), model=None, tokenizer=None) -> dict[str, list[Record]]:
    """{file name: its records}: compare, score, label, rank, edit, and gold, the answers to the gold items.

    model, tokenizer: these write the texts; by default the shipped tiny model.
    """
    if model is None:
        model, tokenizer = load_language_model("tiny")
    texts = _texts(model, tokenizer, config)
    with tempfile.TemporaryDirectory() as folder:
        store = FeedbackStore(Path(folder) / "recording.sqlite")
        gold = _gold_items(texts["review"], config)
        _record_gold(store, gold)
        _record_comparisons(store, texts["review"], gold, config)
        for kind in ("score", "label", "rank", "edit"):
            _record_others(store, kind, texts, config)
        records = [_settled(record, number) for number, record in enumerate(store.events())]
    files: dict[str, list[Record]] = {}
    for each in records:
        files.setdefault("gold" if each.source == "gold" else each.kind, []).append(each)
    return files


def write(config: RecordingConfig = RecordingConfig(), folder: Path | None = None) -> dict[str, int]:
    """Record, and write <name>.jsonl files to the folder (data/feedback). Returns the number of records in each."""
    folder = folder or data_dir() / "feedback"
    folder.mkdir(parents=True, exist_ok=True)
    files = record(config)
    return {name: write_records(folder / f"{name}.jsonl", records) for name, records in files.items()}


def readme_section(config: RecordingConfig, counts: dict[str, int]) -> str:
    """What data/README.md says about the recording."""
    people = []
    for name, (taste, failings) in RATERS.items():
        traits = ", ".join(f"{key.replace('_', ' ')} {value:g}" for key, value in failings.items())
        people.append(f"| {name} | {taste}: {TASTES[taste].description} | {traits} |")
    files = ", ".join(f"`{name}.jsonl` {count}" for name, count in sorted(counts.items()))
    return "\n".join(
        [
            "## Recorded feedback",
            "",
            "`feedback/`: answers of three simulated people to questions about texts that `tiny` wrote at temperature"
            " 1,",
            "one record per line (`rlhf_lab.feedback.read_records`), one file per kind of question. Records in each:",
            f"{files}. Made by",
            "",
            "```",
            "python data/make/recorded_feedback.py --write",
            "```",
            "",
            f"with seed {config.seed}. No real person's answers are included: every record has `source: simulated`,"
            " except those in",
            "`gold.jsonl`, the right answers to the gold items, with `source: gold`. Comparisons are about reviews for"
            " training prompts:",
            f"{config.shared} of {config.comparisons} went to all three raters, the others to one each, with gold items"
            " (`is_gold`) and repeats",
            f"(ids ending in `#2`, {config.repeat_rate:.0%} of the questions) mixed in. The other kinds are about all"
            " four kinds of text.",
            "",
            "| rater | taste | failings (see `rlhf_lab.world.simulated_raters`) |",
            "|---|---|---|",
            *people,
            "",
        ]
    )


def _texts(model, tokenizer, config: RecordingConfig) -> dict[str, list[tuple[str, list[str]]]]:
    """Kind of text -> [(prompt, different completions of it)]."""
    generator = torch.Generator().manual_seed(config.seed)
    found = {}
    for kind in TEXT_KINDS:
        # More than needed: for some prompts the model writes equal texts, which cannot be ranked.
        wanted = max(3 * config.others, (config.comparisons + config.gold_items) * (kind == "review"))
        prompts = load_prompts("train", kind)[: wanted + wanted // 10 + 2]
        rollout = sample(
            model, tokenizer, [p for p in prompts for _ in range(TEXTS)], max_new_tokens=LONGEST, generator=generator
        )
        texts: dict[str, dict[str, None]] = {}
        for prompt, text in zip(rollout.prompts, rollout.texts, strict=True):
            texts.setdefault(prompt, {})[text] = None
        found[kind] = [(prompt, list(each)) for prompt, each in texts.items()]
    return found


def _pairs(texts: Sequence[tuple[str, list[str]]]) -> list[Item]:
    return [_item(prompt, each[:2]) for prompt, each in texts if len(each) > 1]


def _item(prompt: str, texts: Sequence[str]) -> Item:
    return question(prompt, texts, policies=("tiny",) * len(texts), sampling={"temperature": 1.0})


def _gold_items(texts: Sequence[tuple[str, list[str]]], config: RecordingConfig) -> list[Item]:
    """A good review against the same one cut in half: any reader sees which is better."""
    items = []
    for prompt, completions in reversed(texts):  # the comparisons take prompts from the front
        sound = next((text for text in completions if passes_floor(prompt, text)), "")
        cut = sound[: len(sound) // 3].rstrip()
        if cut and not passes_floor(prompt, cut) and len(items) < config.gold_items:
            items.append(replace(_item(prompt, [sound, cut]), is_gold=True))
    return items


def _record_gold(store: FeedbackStore, gold: Sequence[Item]) -> None:
    session = RatingSession(store, "recorded-compare", gold, GOLD, "gold")
    while (view := session.view()).state == "rate":
        whole = max(view.options, key=lambda option: len(option.text))
        session.answer({"winner": whole.id}, view.turn, input_method="rater")


def _record_comparisons(
    store: FeedbackStore, texts: Sequence[tuple[str, list[str]]], gold: Sequence[Item], config: RecordingConfig
) -> None:
    asked = {item.prompt for item in gold}
    items = [item for item in _pairs(texts) if item.prompt not in asked][: config.comparisons]
    queues = deal(items, tuple(RATERS), min(config.shared, len(items)), config.seed)
    for number, (name, rater) in enumerate(_raters(config).items()):
        rate = len(gold) / (len(queues[name]) + len(gold))
        queue = MixedQueue(
            queues[name],
            gold=gold,
            gold_rate=min(rate, 0.4) if gold else 0.0,
            repeat_rate=config.repeat_rate,
            seed=config.seed + number,
        )
        rate_with(RatingSession(store, "recorded-compare", queue, name, "simulated", config.seed), rater)


def _record_others(
    store: FeedbackStore, kind: str, texts: dict[str, list[tuple[str, list[str]]]], config: RecordingConfig
) -> None:
    """All raters answer the same questions about each kind of text."""
    for kind_of_text, prompts in texts.items():
        take = prompts[: config.others]
        if kind == "rank":
            items = [_item(prompt, each) for prompt, each in prompts if len(each) > 2][: config.others]
        else:
            items = [_item(prompt, each[:1]) for prompt, each in take]
        for name, rater in _raters(config, kind_of_text).items():
            task = f"recorded-{kind}-{kind_of_text}"
            session = RatingSession(store, task, items, name, "simulated", config.seed, kind=kind)
            rate_with(session, rater)


def _raters(config: RecordingConfig, kind_of_text: str = "review") -> dict[str, SimulatedRater]:
    """Fresh raters for each task, so that their fatigue does not depend on other tasks."""
    return {
        name: SimulatedRater(
            TASTES[taste], seed=config.seed + number, strengths=(0.7, 1.8), axes=AXES[kind_of_text], **failings
        )
        for number, (name, (taste, failings)) in enumerate(RATERS.items())
    }


def _settled(record: Record, number: int) -> Record:
    """The record with an id, a session and a time that are the same in every run."""

    def name(what: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"recording/{what}"))

    sitting = name(f"{record.task_id}/{record.rater_id}")
    return replace(record, uid=name(f"{sitting}/{number}"), session_id=sitting, ts_utc=RECORDED_AT)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="replace data/feedback/ and its section of data/README.md")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    config = RecordingConfig(seed=options.seed)
    if options.write:
        counts = write(config)
        replace_section(data_dir() / "README.md", readme_section(config, counts))
    else:
        counts = dict(Counter({name: len(records) for name, records in record(config).items()}))
    print(", ".join(f"{name}: {count}" for name, count in counts.items()))


def replace_section(path: Path, section: str) -> None:
    """Replace the section with the same heading ("## ..." up to the next "## ") in a Markdown file."""
    heading, content = section.split("\n", 1)[0], path.read_text(encoding="utf-8")
    before, found, rest = content.partition(f"{heading}\n")
    _, mark, after = rest.partition("\n## ")
    tail = f"\n## {after}" if mark else ""
    body = before if found else content.rstrip("\n") + "\n\n"
    path.write_text(f"{body}{section.rstrip()}\n{tail}", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
