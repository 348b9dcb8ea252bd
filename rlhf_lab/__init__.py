"""RLHF Lab: the helper package behind the notebooks. This docstring is its map.

    objectives/    formulas only, pure functions of tensors: KL, advantages, policy losses, preference losses, best-of-n
    models/        tokens, folders, loading, precision, reward model, value head, sampling (Rollout), log-probabilities
    training/      one loop engine (loop, checkpoint, optimisation); one file a loop: language_model, reward_model,
                   policy_gradient with its algorithms, preference_optimisation (DPO and relatives), best_of_n
    feedback/      what people say: records, store, sessions, queues, raters, agreement, import and export
    evaluation/    win rates, intervals, calibration, probes, judges
    widgets/       rating panels, quizzes (what they ask is in notebooks/quizzes/), sliders, progress
    exercises/     the engine that checks exercises and names mistakes; their content is in notebooks/exercises/
    world/         the tiny town: grammar, scorers, tastes, simulated raters; its words are in data/world/
    plots          figures, live charts, token heat maps
    paths          where data and a learner's own files are
    databases      opening SQLite files
    texts          what counts as a text

Beside the pages, in notebooks/lessons/, is what one or a few of them need and nobody else: the whole loop of page 00,
the shared task of pages 03 to 09, the bug hunt.

Imports point down: notebooks -> lessons, data/make -> training, evaluation, widgets -> models, feedback, world,
exercises -> objectives, paths. A test holds every file to it. To read one PPO update, start at `train_policy` in
training/policy_gradient.py, go on to training/algorithms.py, and end at the clip in objectives/policy.py.

Import the part you need (`from rlhf_lab.models.sampling import sample`). Importing the package itself loads nothing
else, so that it is quick and works where torch or Jupyter are not needed.
"""

__version__ = "0.1.0"
