"""Any number of fresh documents of the tiny world, to train the tiny model on."""

import bisect
import itertools
import random

from rlhf_lab.world import TEXT_KINDS, Document, generate_document

# Share of each kind among the training documents; reviews are the longest and most varied
MIXTURE = (
    ("review", 0.4),
    ("conversation", 0.2),
    ("translation", 0.2),
    ("story", 0.2),
)


def generate_documents(seed: int, count: int, split: str = "train", mixture: tuple = MIXTURE) -> list[Document]:
    """`count` fresh documents of one split. A shorter list is the beginning of a longer one."""
    if count < 1:
        raise ValueError(f"Cannot generate {count} documents; ask for at least one.")
    if {kind for kind, _ in mixture} - set(TEXT_KINDS):
        raise ValueError(f"The mixture {mixture} names a kind that the world does not have. It has {TEXT_KINDS}.")
    rng = random.Random(seed)
    kinds, bounds = [kind for kind, _ in mixture], list(itertools.accumulate(share for _, share in mixture))
    documents = []
    for _ in range(count):
        kind = kinds[bisect.bisect(bounds, rng.random() * bounds[-1], hi=len(kinds) - 1)]
        documents.append(generate_document(kind, rng, split))
    return documents
