"""Random feedback of all five kinds, for property-based tests."""

from hypothesis import strategies as st

from rlhf_lab.feedback import Record, question

TEXTS = st.sampled_from([" a", " b", " c", " d d", "", " e\n\nHuman: f", "\u2028 g \U0001f35e"])
PROMPTS = st.sampled_from(
    [
        "p",
        "q",
        "Review of the inn:",
        "\n\nHuman: hi\n\nAssistant:",
        "\n\nHuman: hi\n\nAssistant: ho\n\nHuman: so?\n\nAssistant:",
    ]
)
TAGS = st.lists(st.sampled_from(["unsafe", "untrue", "off-topic"]), unique=True, max_size=3)
STATUSES = ("submitted", "skipped", "retracted", "superseded")


@st.composite
def values(draw, kind, ids):
    if kind == "compare":
        winner = draw(st.sampled_from([*ids, "tie", "both_bad"]))
        strength = draw(st.sampled_from([None, 1, 2, 3]))
        return {"winner": winner} if strength is None or winner not in ids else {"winner": winner, "strength": strength}
    if kind == "score":
        axes = draw(st.lists(st.sampled_from(["overall", "tone", "truth"]), min_size=1, unique=True))
        return {axis: draw(st.integers(1, 5)) for axis in axes}
    if kind == "label":
        return draw(TAGS)
    if kind == "edit":
        return {"base_id": ids[0], "text": draw(TEXTS)}
    order, tiers = draw(st.permutations(ids)), []
    for each in order:
        if tiers and draw(st.booleans()):
            tiers[-1].append(each)
        else:
            tiers.append([each])
    return tiers


@st.composite
def events(draw, kinds=("compare", "score", "label", "rank", "edit"), max_size=10, statuses=STATUSES):
    """A history: answers, skips, answers taken back and answers replaced. Each event's item_id says its status."""
    found = []
    for number in range(draw(st.integers(0, max_size))):
        kind, status = draw(st.sampled_from(kinds)), draw(st.sampled_from(statuses))
        count = {"compare": 2, "rank": draw(st.integers(2, 4))}.get(kind, 1)
        item = question(
            draw(PROMPTS),
            [draw(TEXTS) for _ in range(count)],
            [draw(st.sampled_from(["", "old", "new"])) for _ in range(count)],
        )
        ids = [candidate.id for candidate in item.candidates]
        common = {
            "rater_id": draw(st.sampled_from(["ann", "bob"])),
            "source": "human",
            "session_id": "s",
            "task_id": "t",
            "kind": kind,
            "item_id": f"{number}-{status}",
            "prompt": item.prompt,
            "candidates": item.candidates,
            "display_order": tuple(draw(st.permutations(ids))),
        }
        if status == "skipped":
            found.append(Record(**common, status="skipped"))
            continue
        found.append(Record(**common, status="submitted", value=draw(values(kind, ids))))
        if status == "retracted":
            found.append(Record(**common, status="retracted", supersedes=found[-1].uid))
        if status == "superseded":
            found.append(Record(**common, status="skipped", supersedes=found[-1].uid))
    return found


def swapped(record):
    """The same record with its candidates and the screen the other way round."""
    from dataclasses import replace

    return replace(record, candidates=record.candidates[::-1], display_order=record.display_order[::-1])
