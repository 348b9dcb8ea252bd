"""Models as ordinary `transformers` objects, what sits on them, and how completions are sampled and scored."""
