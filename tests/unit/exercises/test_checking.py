"""`check` and `hint`: the four answers, what is returned, and that nothing a learner writes can raise or hang."""

import functools
import threading
import time

import pytest
import torch
from torch import Tensor

from rlhf_lab.exercises import check, find, hint, judge
from rlhf_lab.exercises.attempts import ProgressStore
from rlhf_lab.exercises.checking import _GIVEN
from rlhf_lab.exercises.drawing import TinyRewardModel
from rlhf_lab.exercises.framework import Case, Exercise, mistake

REFERENCE = find("perplexity").reference


def events():
    return [(event.kind, event.name) for event in ProgressStore().events()]


def says(capsys, function, name="perplexity"):
    """What a check prints, and whether the learner's function is what the notebook goes on with."""
    returned = check(function, name=name)
    assert returned is function or returned is find(name).reference
    return capsys.readouterr().out, returned is function


def only_docstring(mean_losses, token_counts):
    """Perplexity."""


def only_pass(mean_losses, token_counts):
    pass


def only_dots(mean_losses, token_counts): ...


def returns_dots(mean_losses, token_counts):
    """Perplexity."""
    return ...  # your code here


def returns_none(mean_losses, token_counts):
    return None


def raises_not_implemented(mean_losses, token_counts):
    raise NotImplementedError("later")


def works_before_the_dots(mean_losses, token_counts):
    total = mean_losses.sum()  # noqa: F841
    return ...


@pytest.mark.parametrize(
    "stub",
    [only_docstring, only_pass, only_dots, returns_dots, returns_none, raises_not_implemented, works_before_the_dots],
)
def test_a_stub_is_not_an_error(stub, capsys, home):
    words, kept = says(capsys, stub)
    assert words == "perplexity: not attempted yet. The notebook goes on with the package's own.\n"
    assert not kept and events() == [] and list(home.iterdir()) == []


def test_correct(capsys):
    def perplexity(losses, counts):  # other names of parameters are no mistake
        return ((losses * counts).sum() / counts.sum()).exp()

    assert check(perplexity) is perplexity
    assert "perplexity: correct" in capsys.readouterr().out
    assert events() == [("solved", "perplexity")]


def test_a_known_mistake_shows_the_smallest_case(capsys):
    words, kept = says(capsys, lambda losses, counts: losses.mean().exp())
    assert not kept and events() == [("attempted", "perplexity")]
    assert ProgressStore().events()[0].detail == {"mistake": "unweighted"}
    assert words.splitlines() == [
        "perplexity: not yet. A short document counts as much as a long one.",
        "  Weigh each mean loss by its tokens: perplexity is per token.",
        "  The smallest case that shows it,",
        "    a long easy document and a short hard one:",
        "      mean_losses = [1, 3]",
        "      token_counts = [30, 10]",
        "    yours:    7.389",
        "    expected: 4.482",
        "  The notebook goes on with the package's own until then. For a hint, run in a new cell:",
        '    from rlhf_lab.exercises import hint; hint("perplexity")',
    ]


def test_an_unknown_mistake_shows_the_first_case_that_differs(capsys):
    words, kept = says(capsys, lambda losses, counts: REFERENCE(losses, counts) + (len(losses) == 1))
    assert "In case 3 of" in words and "one document:" in words and "expected: 7.389" in words and not kept


def test_two_mistakes_at_once_name_the_one_that_explains_most(capsys):
    def twice_wrong(losses, counts):  # unweighted, and it cannot do with one document
        return losses.mean().exp() if len(losses) > 1 else losses.sum() * 0

    words = says(capsys, twice_wrong)[0]
    assert "A short document counts as much" in words and "Something else is wrong as well" in words

    def no_reference_and_not_safe(chosen, rejected, ref_chosen, ref_rejected, beta):
        return -torch.log(torch.sigmoid(beta * (chosen - rejected))).mean()

    words = says(capsys, no_reference_and_not_safe, "dpo_loss")[0]
    assert "You left out the reference model." in words and "Something else is wrong as well" in words


def test_a_mistake_that_explains_little_is_not_blamed(capsys):
    """Wrong everywhere, and in one extreme case as a known mistake is: that is not what is wrong."""

    def odd(chosen, rejected):
        loss = -torch.log(torch.sigmoid(chosen - rejected)).mean()
        return loss if loss.isinf() else loss + 1

    assert "In case 1 of" in says(capsys, odd, "bradley_terry_loss")[0]


def raises(error):
    raise error


def recursion(losses, counts):
    return recursion(losses, counts)


WRONG_IN_OTHER_WAYS = {
    "is the `return` missing": lambda losses, counts: print(end=""),
    "returns a float, expected a tensor. Leave out .item()": lambda losses, counts: float(losses.sum()),
    "returns a numpy ndarray": lambda losses, counts: (losses * counts).detach().numpy(),
    "returns a tuple, expected one tensor": lambda losses, counts: (losses, counts),
    "the shape is (2,), expected ()": lambda losses, counts: losses,
    "the shape is (1,), expected ()": lambda losses, counts: REFERENCE(losses, counts)[None],
    "The shapes do not fit": lambda losses, counts: losses @ torch.ones(17),
    "Keep the parameters of the stub": lambda losses: losses,
    "no gradient reaches mean_losses": lambda losses, counts: REFERENCE(losses, counts).detach(),
    "NaN": lambda losses, counts: losses.sum() * torch.nan,
    "infinite": lambda losses, counts: losses.sum() / 0,
    "name is misspelt": lambda losses, counts: does_not_exist,  # noqa: F821
    "no such method": lambda losses, counts: losses.add_up(),
    "calls itself without end": recursion,
    "stops with SystemExit": lambda losses, counts: raises(SystemExit(1)),
    "stops with KeyboardInterrupt": lambda losses, counts: raises(KeyboardInterrupt()),
    "ZeroDivisionError": lambda losses, counts: 1 / 0,
    "the dtype is bool": lambda losses, counts: losses.sum() > 0,
    "complex": lambda losses, counts: REFERENCE(losses, counts) + 0j,
}


@pytest.mark.parametrize(("expected", "function"), WRONG_IN_OTHER_WAYS.items(), ids=list(WRONG_IN_OTHER_WAYS))
def test_other_errors_become_a_sentence(expected, function, capsys):
    words, kept = says(capsys, function)
    assert expected.lower() in words.lower() and not kept
    assert "Traceback" not in words and 'File "' not in words


def test_an_error_names_the_line(capsys):
    def perplexity(losses, counts):
        total = losses.sum()
        return total.reshape(3, 5)

    check(perplexity)
    words = capsys.readouterr().out
    assert "`return total.reshape(3, 5)`" in words and "RuntimeError in line" in words


def test_loops_without_end_are_stopped(capsys):
    def loops(losses, counts):
        while True:
            try:
                time.sleep(0.001)
            except Exception:
                pass

    started = time.perf_counter()
    words, kept = says(capsys, loops)
    assert "has not finished" in words and not kept and time.perf_counter() - started < 2
    time.sleep(0.2)
    assert not [thread for thread in threading.enumerate() if thread.name == "exercise"]


def test_what_catches_everything_is_left_behind(capsys):
    deadline = time.perf_counter() + 2.5

    def stubborn(losses, counts):
        while time.perf_counter() < deadline:
            try:
                while time.perf_counter() < deadline:
                    pass
            except BaseException:
                pass

    started = time.perf_counter()
    words, _ = says(capsys, stubborn)
    assert "has not finished" in words and time.perf_counter() - started < 2.3


def test_what_a_function_prints_is_shown_in_short(capsys):
    def chatty(losses, counts):
        print("losses", losses)
        return REFERENCE(losses, counts)

    words, kept = says(capsys, functools.partial(chatty))
    assert kept and words.startswith("(your function printed)\nlosses tensor([1., 3.]")
    assert len(words.splitlines()) < 16
    exercise = find("perplexity")
    assert judge(exercise, chatty).printed.count("losses") == len(exercise.all_cases()), "once a case"


def test_changing_the_inputs_harms_nobody(capsys):
    def spoils(prompt_lengths, lengths, width):
        answer = find("prompt_mask").reference(prompt_lengths, lengths, width)
        prompt_lengths.zero_()
        lengths.zero_()
        return answer

    for _ in range(2):
        words, kept = says(capsys, spoils, "prompt_mask")
        assert not kept and "it overwrites its input prompt_lengths" in words
    assert says(capsys, find("prompt_mask").reference, "prompt_mask")[1]


def test_the_kernel_is_left_as_it_was(capsys):
    def careless(losses, counts):
        torch.set_grad_enabled(False)
        return losses

    says(capsys, careless)
    assert torch.is_grad_enabled()


def test_a_call_instead_of_a_function(capsys):
    assert check(torch.tensor(1.0), name="perplexity") is REFERENCE
    assert "without calling it" in capsys.readouterr().out
    assert check(None) is None
    assert "No exercise is called 'None'" in capsys.readouterr().out


def test_an_unknown_name_tells_which_comes_close(capsys):
    def perplexitty(losses, counts):
        return losses

    assert check(perplexitty) is perplexitty
    assert "Did you mean perplexity?" in capsys.readouterr().out


def test_what_a_message_says_to_run_gives_a_hint(capsys):
    """In a page that has imported nothing but `check`."""
    _GIVEN.clear()
    words, _ = says(capsys, lambda losses, counts: losses.mean().exp())
    exec(words.splitlines()[-1].strip(), {})
    assert capsys.readouterr().out.startswith("Hint 1 of 2.")
    _GIVEN.clear()


def test_hints_grow_and_are_kept(capsys):
    def words(*arguments):
        hint(*arguments)
        return capsys.readouterr().out

    _GIVEN.clear()
    first = words("perplexity")
    assert first.startswith("Hint 1 of 2. Which numbers")
    assert words(REFERENCE).startswith("Hint 2 of 2. Mean times count")
    assert "those were both hints" in words("perplexity") and words("perplexity", 1) == first
    assert "No exercise is called 'nothing'" in words("nothing")
    assert events() == [("hinted", "perplexity")] * 3
    _GIVEN.clear()


def test_a_broken_progress_file_is_one_sentence(capsys, home):
    (home / "progress.sqlite").write_bytes(b"not a database, but long enough to be taken for one" * 50)
    words, kept = says(capsys, REFERENCE)
    assert kept and "correct" in words and "Your progress was not kept: progress.sqlite is damaged" in words


def add(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The sum."""
    return x + y


@mistake("You subtract.", "It is a sum.")
def subtract(x, y):
    return x - y


@mistake("You forget y when it is one.", "It counts always.")
def forgets_one(x, y):
    return x + y * (y != 1)


def test_exercises_of_ones_own():
    """The framework does not depend on the catalogue; and a mistake that shows in few cases only is found in those."""
    exercise = Exercise(
        reference=add,
        title="a sum",
        question="Add.",
        difficulty=1,
        minutes=1,
        hints=("Add.", "x + y."),
        cases=lambda: [Case("one", (torch.ones(2), torch.ones(2)))],
        draw=lambda g: (torch.randn(3, generator=g), torch.randn(3, generator=g)),
        mistakes=(subtract, forgets_one),
        gradients=("x",),
    )
    assert judge(exercise, add).state == "correct"
    assert judge(exercise, lambda x, y: y + x).state == "correct"
    assert judge(exercise, lambda x, y: -y + x).mistake == "subtract"
    assert judge(exercise, lambda x, y: torch.where(y == 1, x, x + y)).mistake == "forgets_one"
    value_right = judge(exercise, lambda x, y: x.detach() + 0 * x + y)
    assert value_right.state == "wrong" and "gradient with respect to x is not" in value_right.text
    assert "gradient of x, expected" in value_right.text
    too_much = judge(exercise, lambda x, y: (x + y).tolist())
    assert "returns a list, expected one tensor" in too_much.text


def test_an_exercise_must_make_sense():
    arguments = dict(reference=add, title="", question="", minutes=1, hints=("", ""), cases=list, draw=list)
    arguments["mistakes"] = ()
    with pytest.raises(ValueError, match="1 to 5"):
        Exercise(difficulty=6, **arguments)
    with pytest.raises(ValueError, match="no parameter"):
        Exercise(difficulty=1, gradients=("z",), **arguments)


def reward_step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, ids: Tensor, mask: Tensor) -> Tensor:
    """A step."""
    loss = -model(ids, mask).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def step_inputs(generator):
    model = TinyRewardModel(generator)
    model.head.grad = torch.ones(3)  # somebody forgot it
    ids = torch.randint(6, (2, 3), generator=generator)
    return model, torch.optim.SGD(model.parameters(), lr=0.5), ids, torch.ones(2, 3).bool()


@mistake("The gradients of earlier are still there.", "They add up.")
def not_zeroed(model, optimizer, ids, mask):
    loss = -model(ids, mask).mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


STEP = Exercise(
    reference=reward_step,
    title="a step",
    question="Make one.",
    difficulty=1,
    minutes=1,
    hints=("", ""),
    cases=lambda: [Case("one step", step_inputs(torch.Generator().manual_seed(9)))],
    draw=step_inputs,
    mistakes=(not_zeroed,),
)


def test_a_step_of_training_is_compared_by_the_weights_that_it_leaves():
    before = STEP.all_cases()[0].inputs[0].head.detach().clone()
    assert judge(STEP, reward_step).state == "correct" == judge(STEP, reward_step).state
    assert torch.equal(STEP.all_cases()[0].inputs[0].head, before), "a check trains copies"
    found = judge(STEP, lambda *inputs: not_zeroed.function(*inputs))
    assert found.mistake == "not_zeroed" and "weights of model afterwards, yours:" in found.text
    assert "model = a model with 21 weights" in found.text and "optimizer = SGD, learning rate 0.5" in found.text

    def without_step(model, optimizer, ids, mask):
        return -model(ids, mask).mean().detach()

    assert "the weights of model are not, afterwards" in judge(STEP, without_step).text


def test_a_model_that_is_left_in_another_mode_is_not_accepted():
    def left_in_eval(model, optimizer, ids, mask):
        loss = reward_step(model, optimizer, ids, mask)
        model.eval()
        return loss

    def left_frozen(model, optimizer, ids, mask):
        loss = reward_step(model, optimizer, ids, mask)
        model.head.requires_grad_(False)
        return loss

    assert "leaves model in eval() mode" in judge(STEP, left_in_eval).text
    assert "switches requires_grad of the weights of model" in judge(STEP, left_frozen).text


GRADIENT = find("softmax_policy_gradient").reference


def overwrites(logits, rewards):
    result = GRADIENT(logits, rewards)
    rewards -= 1
    return result


def turns_the_switch(logits, rewards):
    logits.requires_grad_()
    return GRADIENT(logits, rewards).detach()


def keeps_the_graph(logits, rewards):
    return GRADIENT(logits.clone().requires_grad_(), rewards)


def by_backward(logits, rewards):
    logits.requires_grad_()
    (torch.softmax(logits, 0) * rewards).sum().backward()
    return logits.grad


def by_backward_where_it_is_asked_for(logits, rewards):
    if not logits.requires_grad:
        return GRADIENT(logits, rewards)
    (torch.softmax(logits, 0) * rewards).sum().backward()
    return logits.grad


def is_another_one_the_second_time(logits, rewards, calls=[0]):  # noqa: B006
    calls[0] += logits.requires_grad
    return GRADIENT(logits, rewards) + calls[0] % 2


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (overwrites, "it overwrites its input rewards"),
        (turns_the_switch, "it switches requires_grad on in its input logits"),
        (keeps_the_graph, "what it returns still hangs on to a graph"),
        (by_backward, "it switches requires_grad on in its input logits"),
        (by_backward_where_it_is_asked_for, "it leaves a gradient in logits.grad"),
        (is_another_one_the_second_time, "gives something else"),
    ],
)
def test_what_a_later_cell_would_trip_over_is_not_accepted(function, words, capsys):
    said, kept = says(capsys, function, "softmax_policy_gradient")
    assert not kept and "What it returns is right, but" in said and words in said


def test_a_nan_in_the_gradient_is_named():
    text = judge(find("bradley_terry_probability"), lambda a, b: 1 / (1 + (b - a).exp())).text
    assert "none belongs" not in text and "its gradient with respect to reward_a holds a NaN" in text
