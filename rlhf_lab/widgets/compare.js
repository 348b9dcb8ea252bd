// The comparison panel: two texts side by side, A and B. If it asks for a strength, the rater first chooses a side and
// then says how much better it is. Choosing the same side again skips the strength.

const STRENGTHS = ["slightly", "clearly", "much"];

function compareBody(panel) {
  let chosen = null; // the chosen side, while waiting for its strength
  const sides = [["A", "a", "left"], ["B", "b", "right"]].map(([name, key, answer]) => {
    const text = textBox("rlhf-card-text");
    const side = { name, answer, text, strengths: [] };
    side.button = keyButton(`${name} is better`, key, "rlhf-choose", (method) => {
      if (!panel.frame.strength || chosen === side) panel.answer(answer, method);
      else choose(side);
    });
    if (panel.frame.strength) {
      side.strengths = STRENGTHS.map((words, place) => {
        const button = keyButton(words, String(place + 1), "rlhf-strength",
          (method) => panel.answer({ verdict: answer, strength: place + 1 }, method));
        button.setAttribute("aria-label", `${name} is ${words} better`);
        return button;
      });
    }
    const row = element("div", { className: "rlhf-strengths" }, ...side.strengths);
    side.node = card(name, text, side.button, ...(panel.frame.strength ? [row] : []));
    return side;
  });
  const tie = keyButton("Tie", "t", "", (method) => panel.answer("tie", method));
  const bothBad = keyButton("Both bad", "x", "", (method) => panel.answer("both_bad", method));
  const lights = { left: sides[0].node, right: sides[1].node, tie, both_bad: bothBad };
  const choose = panel.drafting((side) => {
    chosen = side;
    panel.say(`${side.name} is better. How much? 1 slightly, 2 clearly, 3 much; ${side.name} again to leave it open.`);
  });
  return {
    node: element("div", { className: "rlhf-cards" }, ...sides.map((side) => side.node)),
    get buttons() {
      // The keys 1 to 3 belong to the side that was chosen.
      return [...sides.map((side) => side.button), ...(chosen ? [chosen] : sides).flatMap((side) => side.strengths)];
    },
    footButtons: [tie, bothBad],
    draw(view) {
      sides.forEach((side, place) => side.text.show(view.texts[place]));
      chosen = null;
    },
    refresh() {
      for (const side of sides) {
        side.node.classList.toggle("rlhf-chosen", side === chosen);
        if (panel.frame.strength) side.button.setAttribute("aria-pressed", String(side === chosen));
      }
    },
    onKey(key) {
      if (!panel.frame.strength || !["1", "2", "3"].includes(key) || chosen) return false;
      panel.say("First A or B, then how much better.");
      return true;
    },
    flash: (answer) => flash(lights[answer.verdict || answer]),
  };
}

export default {
  render: (context) => ratingPanel(context, compareBody),
};
