// The scoring panel: one text, and a row of numbers for each axis. A number key scores the marked row and marks the
// next, so three axes take three keys and Enter.

function scoreBody(panel) {
  const { axes, low, high, ends } = panel.frame;
  let scores = {};
  let current = 0; // the row that is marked
  const text = textBox("rlhf-card-text");

  const rows = axes.map(([name, words], place) => {
    const marks = [];
    for (let score = low; score <= high; score += 1) {
      const mark = keyButton("", String(score), "rlhf-mark", 
        () => give(place, score, !mark.matches(":focus-visible")), "radio"); // keep the focus if it is on a number
      const end = { [low]: `, ${ends[0]}`, [high]: `, ${ends[1]}` }[score] || "";
      mark.setAttribute("aria-label", `${score}${end}`);
      mark.addEventListener("focus", () => mark.matches(":focus-visible") && goTo(place));
      marks.push(mark);
    }
    const node = element("div", { className: "rlhf-axis" },
      element("div", { className: "rlhf-axis-name" },
        element("strong", { textContent: name }), element("span", { className: "rlhf-soft", textContent: words })),
      element("div", { className: "rlhf-scale" },
        element("span", { className: "rlhf-soft rlhf-low", textContent: ends[0], attributes: { "aria-hidden": "true" } }),
        element("div", { className: "rlhf-marks", attributes: { role: "radiogroup", "aria-label": words ? `${name}: ${words}` : name } },
          ...marks),
        element("span", { className: "rlhf-soft", textContent: ends[1], attributes: { "aria-hidden": "true" } })));
    return { name, marks, node };
  });

  const missing = () => axes.filter(([name]) => !(name in scores)).map(([name]) => name);

  const give = panel.drafting((place, score, movesOn) => {
    const { name } = rows[place];
    scores[name] = score;
    const following = [...rows.keys()].map((step) => (place + 1 + step) % rows.length);
    const next = movesOn ? following.find((other) => !(rows[other].name in scores)) : undefined;
    current = next ?? place;
    panel.say(`${name}: ${score}.${next === undefined ? "" : ` Next: ${rows[next].name}.`}`);
  });

  const goTo = (place) => {
    current = Math.min(Math.max(place, 0), rows.length - 1);
    panel.refresh();
  };

  const follow = (inside) => {
    // The focus follows the arrow key, if it was on a number.
    if (inside) rows[current].marks.find((mark) => mark.tabIndex === 0).focus();
  };

  return {
    node: element("div", { className: "rlhf-body rlhf-single" },
      card("", text), element("div", { className: "rlhf-axes" }, ...rows.map((row) => row.node))),
    get buttons() {
      return rows[current].marks.concat(...rows.filter((row) => row !== rows[current]).map((row) => row.marks));
    },
    footButtons: [],
    draw(view, kept) {
      text.show(view.texts[0]);
      scores = { ...kept };
      current = 0;
    },
    refresh() {
      rows.forEach((row, place) => {
        const score = scores[row.name];
        row.node.classList.toggle("rlhf-current", place === current && rows.length > 1);
        row.marks.forEach((mark, step) => {
          mark.setAttribute("aria-checked", String(low + step === score));
          mark.tabIndex = low + step === (score ?? low) ? 0 : -1; // one stop for the Tab key in each row
        });
      });
    },
    collect() {
      const open = missing();
      return { answer: { ...scores }, missing: open.length ? `Still to score: ${open.join(", ")}.` : "" };
    },
    onKey(key) {
      const inside = rows.some((row) => row.node.contains(document.activeElement));
      if (key === "arrowup" || key === "arrowdown") {
        goTo(current + (key === "arrowup" ? -1 : 1));
        const { name } = rows[current];
        panel.say(`${name}: ${scores[name] ?? "no score yet"}.`);
      } else if (key === "arrowleft" || key === "arrowright") {
        const step = key === "arrowleft" ? -1 : 1;
        const score = scores[rows[current].name] ?? (step > 0 ? low - 1 : high + 1);
        give(current, Math.min(Math.max(score + step, low), high), false);
      } else {
        return false;
      }
      follow(inside);
      return true;
    },
  };
}

export default {
  render: (context) => ratingPanel(context, scoreBody),
};
