// Optional fields below a question: how sure the rater is, and a note. The rater may leave both empty.

const SURE = [["guess", "j"], ["fairly sure", "k"], ["certain", "l"]];

// Gives {node, buttons, input, get(), set(draft), refresh()}; `input` is the field of the note, if there is one.
function extraRow(frame, panel) {
  let sure = null;
  const buttons = (frame.confidence ? SURE : []).map(([label, key], step) =>
    keyButton(label, key, "rlhf-toggle", panel.drafting(() => {
      sure = sure === step ? null : step;
      panel.say(sure === null ? "How sure: left open." : `How sure: ${label}.`);
    })));
  const input = frame.notes && element("input", {
    type: "text", className: "rlhf-field", maxLength: 1000, autocomplete: "off", dir: "auto",
    attributes: { "aria-label": "Note", "aria-keyshortcuts": "n" },
  });
  const node = element("div", { className: "rlhf-extras" });
  if (frame.confidence) {
    node.append(element("div", { className: "rlhf-sure", attributes: { role: "group", "aria-label": "How sure are you?" } },
      element("span", { className: "rlhf-label", textContent: "How sure?" }), ...buttons));
  }
  if (input) {
    node.append(element("label", { className: "rlhf-note" },
      element("span", { className: "rlhf-label", textContent: "Note" }), keySign("n"), input));
  }
  return {
    node, buttons, input,
    get: () => ({ confidence: sure, note: input ? input.value : "" }),
    set({ confidence = null, note = "" }) {
      sure = confidence;
      if (input) input.value = note;
    },
    refresh() {
      buttons.forEach((button, step) => button.setAttribute("aria-pressed", String(step === sure)));
    },
  };
}
