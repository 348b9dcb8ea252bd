"""Exercises: a stub in the notebook, a `check` that names the mistake, hints, solutions, and a record of progress.

In a notebook, the learner writes the function and the cell ends with

    prompt_mask = check(prompt_mask)

which says one of four things: not attempted; correct; this is the known mistake X, and here is the smallest input
that shows it, yours against expected; or wrong, with the first case that differs. It returns the function to continue
with: the learner's if it is correct, otherwise the package's. Nothing the learner writes makes it raise.

This package is only the engine. The exercises are next to the notebooks that ask them, in `notebooks/exercises`. A new
exercise needs no change here.

How an exercise is written
--------------------------
One file in `notebooks/exercises/`, named like the function, holds everything about it, in this order:

1. **The reference**, the function itself. The learner sees its source unchanged as the solution (`inspect.getsource`).
   It uses only torch, math and the standard library. Its docstring gives shapes and units, and is also the docstring of
   the stub. If the package has the same function, a test asserts that the two are equal.
2. **`cases()`**, inputs made by hand, the smallest first. The learner is shown the first case that reveals a mistake,
   so every mistake should show in a case that fits into a few lines. Corner cases come later: masks with holes, garbage
   under the padding, extreme logits, a batch of one.
3. **`draw(generator)`**, random valid inputs of varied size. The check adds a few with fixed seeds, in float32 and in
   float64; the tests draw others.
4. **The mistakes**, at least five: each a function with `@mistake(name, explanation)` above it. The name is a sentence
   to the learner about what the code does, in the past or present tense ("You averaged over the padding."). The
   explanation says why that is wrong. No mistake may agree with the reference, or with another mistake, in all cases.
5. **`EXERCISE`**, which puts it together: title, question (what and why, in Markdown), difficulty 1 to 5, minutes,
   two hints (the second helps more), and the names of the inputs by which the result must be differentiable.

One step of a training loop is an exercise like any other. Its inputs include the model and the optimizer
(`TinyLanguageModel` and `TinyRewardModel` in `rlhf_lab.exercises.drawing` are small enough). The check compares the
returned value, and the weights of all models after the call. `steps` are written into the stub as comments. For every
exercise, the engine also finds other side effects of an answer, such as an overwritten input.

Such a file imports `Case`, `Exercise` and `mistake` from `rlhf_lab.exercises.framework`, and helpers that draw inputs
from `rlhf_lab.exercises.drawing`. Three steps remain:

- Add the name to its notebook's row in `notebooks/exercises/catalogue.json`, in the order in which the page asks.
- Write test answers in `tests/unit/exercises/answers/`: right ones, written differently, and wrong ones, each with the
  mistake it must be recognised as.
- Put what `python -m rlhf_lab.exercises NAME` prints into the notebook. A test compares the two.

Right answers must be accepted with loops, another order of summation, float64, or in-place operations on copies. An
unforeseen mistake must still be rejected: the tests mutate the reference automatically, and nearly all mutants must be
caught.
"""

from rlhf_lab.exercises.catalogue import find, names
from rlhf_lab.exercises.checking import check, hint, judge
