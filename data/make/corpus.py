"""Writes the corpus that ships in data/: `python data/make/corpus.py`. The same seed gives the same bytes."""

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from rlhf_lab import paths
from rlhf_lab.world import TEXT_KINDS, generate_document

SEED = 11
SIZES = {"train": 6000, "heldout": 700}  # documents of each kind, all with different prompts


def write_corpus(folder: Path, seed: int = SEED, sizes: Mapping[str, int] = SIZES) -> list:
    """Write <folder>/<kind>.<split>.jsonl for all kinds and splits; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in TEXT_KINDS:
        for split, size in sizes.items():
            rng = random.Random(f"{seed} {kind} {split}")
            documents: dict = {}
            while len(documents) < size:
                document = generate_document(kind, rng, split)
                documents.setdefault(document.prompt, document)
            path = folder / f"{kind}.{split}.jsonl"
            with open(path, "w", encoding="ascii", newline="\n") as out:
                for d in documents.values():
                    row = {"prompt": d.prompt, "completion": d.completion}
                    out.write(json.dumps(row, sort_keys=True, separators=(",", ":")) + "\n")
            written.append(path)
    return written


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write the corpus of the tiny world.")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=None, help="folder to write to (default: data/corpus)")
    options = parser.parse_args(arguments)
    for path in write_corpus(options.out or paths.data_dir() / "corpus", options.seed):
        print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
