"""Exercises: a stub in the notebook, a `check` that names the mistake, hints, solutions, and what was done so far.

In a notebook, the learner writes the function and the cell ends with

    prompt_mask = check(prompt_mask)

which says one of four things: not attempted; correct; this is the known mistake X, and here is the smallest input
that shows it, yours against expected; or wrong, with the first case that differs. It returns the function to go on
with: the learner's where it is correct, otherwise the package's. It never raises because of what the learner wrote.

The package is the engine. The exercises themselves live beside the pages that ask them, in `notebooks/exercises`: a
new exercise touches no file here.

How an exercise is written
--------------------------
One file in `notebooks/exercises/`, named like the function, holds everything about it, in this order:

1. **The reference**, the function itself: the solution that the learner sees, to the letter (`inspect.getsource`). It
   needs torch, math or the standard library and nothing of ours. Its docstring gives shapes and units and is the
   stub's docstring. Where the package has the same function, a test asserts that the two are equal.
2. **`cases()`**, inputs made by hand, the smallest first: the first one in which a mistake shows is what the learner
   gets to see, so every mistake should show in one that fits into a few lines. Later ones are the corners: masks with
   holes, garbage under the padding, extreme logits, a batch of one.
3. **`draw(generator)`**, random valid inputs of varied size. The check adds a few with fixed seeds, in float32 and in
   float64; the tests draw others.
4. **The mistakes**, five at least: each a function with `@mistake(name, explanation)` above it. The name is a sentence
   to the learner in the past or present tense, about what the code does ("You averaged over the padding."), the
   explanation says why that is wrong. No mistake may agree with the reference, or with another mistake, in all cases.
5. **`EXERCISE`**, which puts it together: title, question (what and why, in Markdown), difficulty 1 to 5, minutes,
   two hints of growing help, and the names of the inputs by which the result must be differentiable.

A step of a loop is an exercise like any other. Its inputs hold the model and the optimizer (`TinyLanguageModel` and
`TinyRewardModel` of `rlhf_lab.exercises.drawing` are small enough). Besides what is returned, the check compares all
weights of all models afterwards. `steps` puts the steps into the stub, as comments. Whatever else an answer leaves
behind, such as an input that is overwritten, is found by the engine, for every exercise.

Such a file imports `Case`, `Exercise` and `mistake` from `rlhf_lab.exercises.framework`, and helpers that draw inputs
from `rlhf_lab.exercises.drawing`. Then three steps are left:

- Add the name to its notebook's row in `notebooks/exercises/catalogue.json`. A row is in the order of the page.
- Write the answers that the tests feed to it, in `tests/unit/exercises/answers/`: right ones, written differently, and
  wrong ones, each with the mistake it must be recognised as.
- Put what `python -m rlhf_lab.exercises NAME` prints into the notebook. A test holds the notebook to it.

Loops, other orders of summation and float64 must all be accepted, and in-place operations on copies. A mistake that
nobody thought of must still be rejected: the tests change the reference automatically and require that nearly all of it
is noticed.
"""

from rlhf_lab.exercises.catalogue import find, names
from rlhf_lab.exercises.checking import check, hint, judge
