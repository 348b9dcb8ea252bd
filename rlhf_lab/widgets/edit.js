// The editing panel: a field to rewrite the text in, and below it the changes.

function editBody(panel) {
  let original = "";
  const field = element("textarea", {
    className: "rlhf-text rlhf-field rlhf-edit-text", spellcheck: false, dir: "auto",
    attributes: { "aria-label": "Your version", "aria-keyshortcuts": "e" },
  });
  field.measure = () => {}; // a field is a stop for the Tab key, and shows its own scroll bar
  const changes = textBox("rlhf-changes");
  const count = element("span", { className: "rlhf-soft" });
  field.addEventListener("input", panel.refresh);
  const reset = keyButton("Start over", "r", "", panel.drafting(() => {
    field.value = original;
    panel.say("The text is as it was.");
  }));

  const labelled = (words, more, node) => element("div", { className: "rlhf-part" },
    element("div", { className: "rlhf-part-head" }, element("span", { className: "rlhf-label", textContent: words }), more), node);
  const words = (text) => (text.match(/[\p{L}\p{M}\p{N}_'’]+/gu) || []).length;
  const counted = (number) => `${number} ${number === 1 ? "word" : "words"}`;
  const total = (parts, kind) => words(parts.filter(([one]) => one === kind).map(([, text]) => text).join(" "));

  function drawChanges() {
    const parts = wordChanges(original, field.value);
    const tags = { ins: "ins", del: "del", same: "span" };
    const top = changes.scrollTop;
    changes.replaceChildren(...parts.map(([kind, text]) => element(tags[kind], { textContent: text })));
    changes.scrollTop = top;
    changes.measure();
    count.textContent = field.value === original ? "nothing yet"
      : `${counted(total(parts, "ins"))} in, ${counted(total(parts, "del"))} out`;
  }

  return {
    node: element("div", { className: "rlhf-body" },
      labelled("Your version", keySign("e"), field), labelled("Changes", count, changes)),
    buttons: [],
    footButtons: [reset],
    saveKey: "control+enter",
    draw(view, kept) {
      field.value = view.texts[0].replace(/^ /, "");
      original = field.value; // read back from the field, which normalises line ends
      if (kept !== undefined) field.value = kept;
      field.setSelectionRange(0, 0);
      field.scrollTop = 0;
      changes.scrollTop = 0;
    },
    refresh() {
      drawChanges();
      switchOff(reset, field.value === original);
    },
    collect() {
      const unchanged = field.value === original;
      const empty = !field.value.trim();
      return {
        answer: field.value,
        missing: unchanged ? "Nothing is changed yet. Skip leaves the text as it is." : empty ? "Write something, or skip." : "",
      };
    },
    onKey(key) {
      if (key !== "e") return false;
      field.focus();
      return true;
    },
  };
}

export default {
  render: (context) => ratingPanel(context, editBody),
};
