"""The task of notebooks 04 to 09: with the learner's own reward model, or without where it is broken."""

import shutil

import pytest
import torch
from lessons.shared_task import load_task, own_reward_folder

from rlhf_lab.models.loading import load_language_model, save_language_model
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.paths import data_dir


@pytest.fixture
def own(monkeypatch, tmp_path):
    """The learner's folder, with a copy of the reward model that ships, changed a little."""
    monkeypatch.setenv("RLHF_LAB_HOME", str(tmp_path))
    model = RewardModel.load(data_dir() / "reward")
    with torch.no_grad():
        model.head.weight.mul_(2.0)
    return model.save(own_reward_folder(), load_language_model("tiny")[1])


def test_the_learners_own_reward_model_is_taken(own):
    task = load_task()
    assert task.origin == "your own reward model from notebook 03"
    shipped = load_task(own=False)
    assert shipped.origin == "the reward model that ships with the course"
    assert torch.equal(task.reward_model.head.weight, 2 * shipped.reward_model.head.weight)


def nothing_left(folder, model, tokenizer):
    for path in folder.iterdir():
        path.unlink()


def cut_short(folder, model, tokenizer):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def no_configuration(folder, model, tokenizer):
    (folder / "config.json").unlink()


def another_vocabulary(folder, model, tokenizer):
    model.resize_token_embeddings(100)
    RewardModel.from_language_model(model).save(folder, tokenizer)


def two_rewards(folder, model, tokenizer):
    RewardModel.from_language_model(model, outputs=2).save(folder, tokenizer)


@pytest.mark.parametrize(
    "damage", [nothing_left, cut_short, no_configuration, save_language_model, another_vocabulary, two_rewards]
)
def test_a_broken_folder_of_the_learners_own_is_named_and_the_page_goes_on(own, damage):
    if damage is save_language_model:
        shutil.rmtree(own)
        save_language_model(*load_language_model("tiny"), own)
    else:
        damage(own, *load_language_model("tiny"))
    task = load_task()
    assert task.origin == (
        f"the reward model that ships with the course, because your own in {own} can't be read"
        " (make it again in notebook 03)"
    )
    assert torch.equal(task.reward_model.head.weight, load_task(own=False).reward_model.head.weight)
