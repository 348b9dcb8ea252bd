"""Exercise of notebook 01: the perplexity of a corpus, from the losses of its documents."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import size, whole
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def perplexity(mean_losses: Tensor, token_counts: Tensor) -> Tensor:
    """Perplexity of all tokens of a corpus together.

    mean_losses: (N,) of each document, in nats a token. token_counts: (N,) tokens of each document. Returns a scalar.
    """
    total_loss = (mean_losses * token_counts).sum()  # nats; totals may be added up, means may not
    return (total_loss / token_counts.sum()).exp()


def cases():
    yield Case("a long easy document and a short hard one", (torch.tensor([1.0, 3.0]), torch.tensor([30, 10])))
    yield Case("two of one length", (torch.tensor([1.0, 3.0]), torch.tensor([20, 20])))
    yield Case("one document", (torch.tensor([2.0]), torch.tensor([7])))
    yield Case("an empty document among others", (torch.tensor([1.0, 0.0, 2.0]), torch.tensor([3, 0, 4])))
    yield Case("long, hard documents", (torch.tensor([20.0, 12.0]), torch.tensor([90_000, 120_000])))


def draw(generator):
    n = size(generator, 2, 7)
    return 3 * torch.rand(n, generator=generator), whole(generator, 1, 60, n)


@mistake(
    "A short document counts as much as a long one.", "Weigh each mean loss by its tokens: perplexity is per token."
)
def unweighted(mean_losses, token_counts):
    return mean_losses.mean().exp()


@mistake(
    "You averaged perplexities.", "Average the losses first, by tokens, and take the exponential once, at the end."
)
def mean_of_perplexities(mean_losses, token_counts):
    return (mean_losses.exp() * token_counts).sum() / token_counts.sum()


@mistake(
    "You averaged perplexities, and unweighted too.",
    "Average the losses, each weighed by its tokens, and take the exponential at the end.",
)
def unweighted_mean_of_perplexities(mean_losses, token_counts):
    return mean_losses.exp().mean()


@mistake("That is the loss in nats.", "Take its exponential: that is the perplexity.")
def no_exponential(mean_losses, token_counts):
    return (mean_losses * token_counts).sum() / token_counts.sum()


@mistake("You raised 2 to the power of the loss.", "The losses are in nats, so the base is e. 2 belongs to bits.")
def base_two(mean_losses, token_counts):
    return 2 ** no_exponential.function(mean_losses, token_counts)


@mistake(
    "You divided by the number of documents, not of tokens.",
    "The total loss is in nats; nats a token come from dividing by the tokens.",
)
def divided_by_documents(mean_losses, token_counts):
    return ((mean_losses * token_counts).sum() / len(mean_losses)).exp()


@mistake(
    "You added up the mean losses without weighing them by their tokens.",
    "Mean times count gives the total of a document. Only totals may be added up and divided by all tokens.",
)
def sum_of_means(mean_losses, token_counts):
    return (mean_losses.sum() / token_counts.sum()).exp()


@mistake("The sign is wrong.", "The losses are -log p already. A perplexity is never below 1.")
def wrong_sign(mean_losses, token_counts):
    return (-no_exponential.function(mean_losses, token_counts)).exp()


EXERCISE = Exercise(
    reference=perplexity,
    title="the perplexity of a corpus",
    question="""
        You know the mean loss of each document, and how many tokens it has. What is the perplexity of the corpus, per
        token, when all tokens count alike?
    """,
    difficulty=2,
    minutes=5,
    hints=(
        "Which numbers may be added up over documents? Not the means.",
        "Mean times count gives the total of a document in nats. All totals, divided by all tokens, is the loss a"
        " token; its exponential is what you want.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        unweighted,
        mean_of_perplexities,
        unweighted_mean_of_perplexities,
        no_exponential,
        base_two,
        divided_by_documents,
        sum_of_means,
        wrong_sign,
    ),
    gradients=("mean_losses",),
)
