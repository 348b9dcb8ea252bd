"""Prompts and completions as chat messages, {"role": ..., "content": ...}, and back.

A prompt in the form of hh-rlhf's transcripts, "\\n\\nHuman: ...\\n\\nAssistant:", becomes one message a turn; its
completion loses the one space that follows the colon. Any other prompt is one message of the user, exactly
as it stands, and its completion one message of the assistant, its leading space included.

Back again, one message of the user alone is ambiguous: `plain` says whether it becomes a prompt as it stands or a
transcript of one turn. Several messages always become a transcript.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rlhf_lab.feedback.errors import RecordError, shown
from rlhf_lab.texts import fault_in

ROLES = {"Human": "user", "Assistant": "assistant", "System": "system"}
_NAMES = {role: name for name, role in ROLES.items()}
_TURN = re.compile(r"\n\n(Human|Assistant|System):")
END = "\n\nAssistant:"  # how the prompt of a transcript ends

Messages = list[dict[str, str]]


def to_messages(prompt: str, *completions: str) -> tuple[Messages, ...]:
    """Messages of the prompt, and of each completion of it."""
    asked = _turns(prompt.removesuffix(END)) if is_transcript(prompt) else None
    whole = [_turns(prompt + completion) for completion in completions]
    if asked and all(turns and turns[: len(asked)] == asked for turns in whole):
        return asked, *(turns[len(asked) :] for turns in whole)
    return [{"role": "user", "content": prompt}], *([{"role": "assistant", "content": c}] for c in completions)


def from_messages(prompt: Any, completion: Any, plain: bool = True) -> tuple[str, str]:
    """(prompt, completion) of what `to_messages` gave, and of any other chat. RecordError if it is none."""
    prompt, completion = list(checked(prompt)), list(checked(completion))
    if prompt and [message["role"] for message in (*prompt, *completion)] == ["user", "assistant"]:
        if plain or is_transcript(prompt[0]["content"]):
            return prompt[0]["content"], completion[0]["content"]
    if not completion or completion[0]["role"] != "assistant":
        raise RecordError("A completion begins with a message of the assistant. Is the prompt part of it?")
    return transcript(prompt) + END, transcript(completion).removeprefix(END)


def transcript(messages: Any) -> str:
    """Messages in the form of hh-rlhf's transcripts."""
    return "".join(f"\n\n{_NAMES[message['role']]}: {message['content']}" for message in checked(messages))


def is_transcript(prompt: str) -> bool:
    """Whether a prompt has the form of hh-rlhf's transcripts."""
    return prompt.endswith(END) and bool(_turns(prompt.removesuffix(END)))


def is_chat(value: Any) -> bool:
    """Whether a value is messages rather than a text."""
    return isinstance(value, list | tuple)


def shared_start(one: Sequence[Any], other: Sequence[Any]) -> Sequence[Any]:
    """The messages that two chats begin with; the last message of either is not one, it is a completion."""
    shared = 0
    while shared < min(len(one), len(other)) - 1 and one[shared] == other[shared]:
        shared += 1
    return one[:shared]


def _turns(text: str) -> Messages | None:
    """The messages of a transcript, or None for a text that does not come back from them unchanged."""
    marks = list(_TURN.finditer(text))
    if not marks or marks[0].start() != 0:
        return None
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    found = [
        {"role": ROLES[mark[1]], "content": text[mark.end() : end].removeprefix(" ")}
        for mark, end in zip(marks, ends, strict=True)
    ]
    return found if transcript(found) == text else None


def checked(messages: Any) -> Sequence[dict[str, str]]:
    """The same messages, a list of {"role", "content"}. RecordError for what is none."""
    if not is_chat(messages):
        raise RecordError(f"A chat is a list of messages; got {shown(messages)}.")
    for message in messages:
        role, content = (message.get("role"), message.get("content")) if isinstance(message, Mapping) else (None, None)
        if not isinstance(role, str) or role not in _NAMES:
            raise RecordError(f"A message is {{'role': one of {list(_NAMES)}, 'content': text}}; got {shown(message)}.")
        if not isinstance(content, str):
            raise RecordError(f"We read messages of text only; got the content {shown(content)}.")
        if fault := fault_in(content):
            raise RecordError(f"A message of the {role} {fault}")
    return messages
