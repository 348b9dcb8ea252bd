"""The three simulated people whose answers ship in data/feedback/. Notebook 03 compares its findings with them."""

# Rater id -> (taste, failings). Also in data/README.md, but not told to the learner before notebook 02 asks for them.
RATERS = {
    "ada": ("cheerful", {"temperature": 0.25}),
    "ben": ("vivid", {"temperature": 0.4, "position_bias": 0.5, "tie_threshold": 0.2, "offset": -1.0}),
    "cleo": ("brief", {"temperature": 0.3, "length_bias": 0.2, "fatigue": 0.01, "offset": 0.7, "spread": 1.4}),
}
