// The ranking panel: some texts, placed by typing their letters in order of preference, or by clicking them. The
// texts stay where they are. A row below shows the order; in it, letters can be moved, tied or removed.

function rankBody(panel) {
  const cards = []; // one per letter, hidden if a question has fewer texts
  let size = 0; // texts of this question
  let tiers = []; // places on the screen, best first; those in one tier are tied
  let selected = null; // the text that moving and tying are about

  const name = (place) => "ABCDEFGH"[place];
  const tierOf = (place) => tiers.findIndex((tier) => tier.includes(place));
  const placed = () => tiers.flat().length;
  const ordinal = (number) => `${number}${["st", "nd", "rd"][number - 1] || "th"}`;
  const rankOf = (place) => 1 + tiers.slice(0, tierOf(place)).flat().length;
  const inWords = () => tiers.map((tier) =>
    (tier.length > 1 ? `${tier.slice(0, -1).map(name).join(", ")} and ${name(tier.at(-1))} tied` : name(tier[0]))).join(", then ");

  // Each of these changes the order, then says it. `to` counts tiers after `place` has been taken out.
  const changing = (change) => panel.drafting((...details) => {
    if (change(...details) !== false) panel.say(tiers.length ? `Order: ${inWords()}.` : "Nothing placed.");
  });
  const without = (place) => tiers.map((tier) => tier.filter((other) => other !== place)).filter((tier) => tier.length);
  const insert = changing((place, to) => {
    tiers = without(place);
    tiers.splice(to, 0, [place]);
    selected = place;
  });
  const join = changing((place, other) => {
    tiers = without(place);
    tiers[tierOf(other)].push(place);
    selected = place;
  });
  const choose = panel.drafting((place) => {
    selected = place;
    panel.say(`${name(place)} is ${ordinal(rankOf(place))}${tiers[tierOf(place)].length > 1 ? ", tied" : ""}.`);
  });
  const takeOut = changing(() => {
    if (selected === null) return false;
    tiers = without(selected);
    selected = tiers.length ? tiers.at(-1).at(-1) : null;
  });

  function move(step) {
    if (selected === null) return;
    const at = tierOf(selected);
    const tied = tiers[at].length > 1;
    // A tied text moves just above or below its tie. A single text moves past its neighbour.
    insert(selected, tied ? at + (step > 0 ? 1 : 0) : Math.min(Math.max(at + step, 0), tiers.length - 1));
  }

  function tie() {
    if (selected === null) return;
    const at = tierOf(selected);
    if (tiers[at].length > 1) insert(selected, tiers[at][0] === selected ? at : at + 1);
    else if (at > 0) join(selected, tiers[at - 1][0]);
    else panel.say("There is nothing above it to tie it with.");
  }

  const earlier = keyButton("Better", "arrowleft", "rlhf-quiet", () => move(-1));
  const later = keyButton("Worse", "arrowright", "rlhf-quiet", () => move(1));
  const tying = keyButton("Tie with the one above", "=", "rlhf-quiet", tie);
  const out = keyButton("Take out", "backspace", "rlhf-quiet", takeOut);

  const order = element("ol", { className: "rlhf-order", attributes: { "aria-label": "Your order, best first" } });
  const grid = element("div", { className: "rlhf-cards rlhf-many" });
  grid.style.setProperty("--rlhf-columns", panel.frame.columns);

  function addCard() {
    const place = cards.length;
    const text = textBox("rlhf-card-text");
    const button = keyButton("next", name(place).toLowerCase(), "rlhf-choose", () => {
      if (tierOf(place) < 0) insert(place, tiers.length);
      else choose(place);
    });
    const chip = element("button", { type: "button", className: "rlhf-chip", textContent: name(place) });
    chip.addEventListener("click", () => { if (!chip.wasDragged) choose(place); });
    dragging(chip, place);
    cards.push({ text, button, chip, node: card(name(place), text, button) });
    grid.append(cards.at(-1).node);
  }
  for (let place = 0; place < panel.frame.most; place += 1) addCard();

  function dragging(chip, place) {
    let from = null;
    let drop = null; // {node, side}: side "on" ties with that tier, "before" and "after" go beside it
    const clear = () => { if (drop) drop.node.classList.remove(`rlhf-drop-${drop.side}`); drop = null; };
    chip.addEventListener("pointerdown", (event) => {
      chip.wasDragged = false;
      if (event.button !== 0) return;
      from = { x: event.clientX, y: event.clientY };
      chip.setPointerCapture(event.pointerId);
    });
    chip.addEventListener("pointermove", (event) => {
      if (!from || !(event.buttons & 1)) return;
      const [x, y] = [event.clientX - from.x, event.clientY - from.y];
      if (!chip.wasDragged && Math.hypot(x, y) < 5) return;
      chip.wasDragged = true;
      chip.style.transform = `translate(${x}px, ${y}px)`;
      clear();
      drop = slotAt(event.clientX, event.clientY);
      if (drop) drop.node.classList.add(`rlhf-drop-${drop.side}`);
    });
    const end = (event) => {
      const target = drop;
      clear();
      from = null;
      chip.style.transform = "";
      setTimeout(() => { chip.wasDragged = false; }); // after the click that ends it
      if (!target || event.type !== "pointerup") return;
      const { first } = target.node; // a text of the tier it was dropped at
      const own = tiers[tierOf(first)];
      const other = first === place ? own.find((one) => one !== place) : first;
      if (other === undefined || (target.side === "on" && own.includes(place))) return; // dropped where it was
      if (target.side === "on") join(place, other);
      else insert(place, without(place).findIndex((tier) => tier.includes(other)) + (target.side === "after" ? 1 : 0));
    };
    chip.addEventListener("pointerup", end);
    chip.addEventListener("pointercancel", end);
  }

  function slotAt(x, y) {
    for (const node of order.querySelectorAll(".rlhf-tier")) {
      const box = node.getBoundingClientRect();
      if (y < box.top - 12 || y > box.bottom + 12 || x < box.left - 10 || x > box.right + 10) continue;
      const share = (x - box.left) / box.width;
      return { node, side: share < 0.25 ? "before" : share > 0.75 ? "after" : "on" };
    }
    return null;
  }

  function drawOrder() {
    const focused = cards.find((one) => one.chip === document.activeElement);
    const slots = tiers.map((tier) => {
      const node = element("li", { className: "rlhf-tier" },
        element("span", { className: "rlhf-soft", textContent: `${ordinal(rankOf(tier[0]))}${tier.length > 1 ? " =" : ""}` }),
        ...tier.map((place) => cards[place].chip));
      node.first = tier[0];
      return node;
    });
    for (let number = placed() + 1; number <= size; number += 1) {
      slots.push(element("li", { className: "rlhf-slot", attributes: { "aria-hidden": "true" } },
        element("span", { className: "rlhf-soft", textContent: ordinal(number) })));
    }
    order.replaceChildren(...slots);
    if (focused) focused.chip.focus({ preventScroll: true });
  }

  return {
    node: element("div", { className: "rlhf-body" }, grid,
      element("div", { className: "rlhf-order-row" }, order,
        element("div", { className: "rlhf-order-keys" }, earlier, later, tying, out))),
    get buttons() {
      return [...cards.slice(0, size).map((one) => one.button), earlier, later, tying, out];
    },
    footButtons: [],
    draw(view, kept) {
      size = view.texts.length;
      while (cards.length < size) addCard();
      cards.forEach((one, place) => {
        one.node.classList.toggle("rlhf-absent", place >= size);
        one.text.show(view.texts[place] ?? "");
      });
      tiers = (kept || []).map((tier) => [...tier]);
      selected = tiers.length ? tiers.at(-1).at(-1) : null;
    },
    refresh() {
      const next = `Place ${ordinal(placed() + 1)}`;
      cards.slice(0, size).forEach((one, place) => {
        const isPlaced = tierOf(place) >= 0;
        const words = isPlaced ? `${ordinal(rankOf(place))}${tiers[tierOf(place)].length > 1 ? ", tied" : ""}` : "";
        one.button.rename(isPlaced ? words : next);
        one.button.setAttribute("aria-label", isPlaced ? `${words}: ${name(place)}` : `${next}: ${name(place)}`);
        one.node.classList.toggle("rlhf-placed", isPlaced);
        one.node.classList.toggle("rlhf-chosen", place === selected);
        one.chip.setAttribute("aria-pressed", String(place === selected));
        one.chip.setAttribute("aria-label", `${name(place)}, ${words}`);
      });
      drawOrder();
      for (const button of [earlier, later, tying, out]) switchOff(button, selected === null);
    },
    collect: () => ({
      answer: tiers.map((tier) => [...tier]),
      missing: placed() < size
        ? `Still to place: ${[...Array(size).keys()].filter((place) => tierOf(place) < 0).map(name).join(", ")}.` : "",
    }),
    onKey(key) {
      if (key !== "arrowup" && key !== "arrowdown") return false;
      (key === "arrowup" ? earlier : later).press("keyboard");
      return true;
    },
  };
}

export default {
  render: (context) => ratingPanel(context, rankBody),
};
