// The comparison panel: two texts side by side, A and B.

function compareBody(panel) {
  const sides = [["A", "a", "left"], ["B", "b", "right"]].map(([name, key, answer]) => {
    const text = textBox("rlhf-card-text");
    const button = keyButton(`${name} is better`, key, "rlhf-choose", (method) => panel.answer(answer, method));
    const node = element("div", { className: "rlhf-card", attributes: { role: "group", "aria-label": `Completion ${name}` } },
      element("div", { className: "rlhf-badge", textContent: name, attributes: { "aria-hidden": "true" } }), text, button);
    return { answer, text, button, node };
  });
  const tie = keyButton("Tie", "t", "", (method) => panel.answer("tie", method));
  const bothBad = keyButton("Both bad", "x", "", (method) => panel.answer("both_bad", method));
  const nodes = {
    left: [sides[0].node], right: [sides[1].node], tie: [tie], both_bad: [bothBad],
  };
  return {
    node: element("div", { className: "rlhf-cards" }, ...sides.map((side) => side.node)),
    buttons: sides.map((side) => side.button),
    footButtons: [tie, bothBad],
    draw(view) {
      sides.forEach((side, place) => side.text.show(view.texts[place]));
    },
    flash(answer) {
      for (const node of nodes[answer]) {
        node.classList.remove("rlhf-flash");
        void node.offsetWidth; // start the animation again
        node.classList.add("rlhf-flash");
      }
    },
  };
}

export default {
  render: (context) => ratingPanel(context, compareBody),
};
