// The labelling panel: one text, and tags. Several of them may apply, or none.

function labelBody(panel) {
  const { tags } = panel.frame;
  let chosen = new Set();
  let none = false;
  const text = textBox("rlhf-card-text");

  const pick = panel.drafting((tag) => {
    if (!chosen.delete(tag)) chosen.add(tag);
    none = false;
    panel.say(`${tag}: ${chosen.has(tag) ? "yes" : "no longer"}.`);
  });
  const pickNone = panel.drafting(() => {
    none = !none;
    chosen = new Set();
    panel.say(none ? "None of these." : "Nothing chosen.");
  });

  const box = (name, words, key, run) => {
    const button = keyButton(name, key, "rlhf-tag", run, "checkbox");
    if (words) button.append(element("span", { className: "rlhf-soft rlhf-tag-words", textContent: words }));
    return button;
  };
  const boxes = tags.map(([name, words], place) => box(name, words, String(place + 1), () => pick(name)));
  const noneBox = box("None of these", "", "0", pickNone);

  return {
    node: element("div", { className: "rlhf-body rlhf-single" },
      card("", text),
      element("div", { className: "rlhf-tags", attributes: { role: "group", "aria-label": "Labels" } }, ...boxes, noneBox)),
    buttons: [...boxes, noneBox],
    footButtons: [],
    draw(view, kept) {
      text.show(view.texts[0]);
      chosen = new Set(kept);
      none = Boolean(kept && !kept.length);
    },
    refresh() {
      boxes.forEach((one, place) => one.setAttribute("aria-checked", String(chosen.has(tags[place][0]))));
      noneBox.setAttribute("aria-checked", String(none));
    },
    collect: () => ({
      answer: none || chosen.size ? tags.map(([name]) => name).filter((name) => chosen.has(name)) : undefined,
      missing: none || chosen.size ? "" : "Choose what applies, or 0 for none of these.",
    }),
  };
}

export default {
  render: (context) => ratingPanel(context, labelBody),
};
