// The frame that every rating panel shares: headline, progress, guidelines, prompt, a body of the panel's
// own, skip and undo, status and banner. It handles keys, the clock and the messages to the kernel.
//
// Rules it keeps: text from a model is only ever set as textContent; an answer names the turn it is for;
// one message is on its way at a time; the second half of a double click, and a key pressed before anybody
// can have read the new question, count for nothing; keys count only while the focus is inside; the focus
// never leaves the panel by itself, or the next key would reach the notebook.

const SETTLING_MS = 300; // after a new question is drawn: too short to have read anything

function element(tag, properties = {}, ...children) {
  const { attributes = {}, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// A button with its key on it. The key is told to screen readers by aria-keyshortcuts.
function keyButton(label, key, className, run) {
  const button = element(
    "button",
    { type: "button", className: `rlhf-button ${className}`, attributes: { "aria-keyshortcuts": key } },
    element("span", { textContent: label }),
    element("kbd", { textContent: key.toUpperCase(), attributes: { "aria-hidden": "true" } }),
  );
  button.press = (method) => { if (!isOff(button)) run(method); };
  button.addEventListener("click", (event) => {
    if (event.detail > 1) return; // the second click of a double click was meant for what stood here before
    button.press(event.pointerType || (event.detail ? "mouse" : "keyboard"));
  });
  return button;
}

// Switched off without the `disabled` attribute, which would throw the focus out of the panel.
function switchOff(button, off) {
  button.setAttribute("aria-disabled", String(off));
}

function isOff(button) {
  return button.getAttribute("aria-disabled") === "true";
}

// A scrolling box for text that somebody, or some model, wrote.
function textBox(className) {
  const box = element("div", { className: `rlhf-text ${className}`, dir: "auto" });
  box.show = (text) => {
    box.textContent = text.replace(/^ /, ""); // a completion starts with the space that follows its prompt
    box.classList.toggle("rlhf-empty", box.textContent.trim() === "");
    box.scrollTop = 0;
    box.measure();
  };
  box.measure = () => {
    // Only a box that scrolls is a stop for the Tab key.
    if (box.scrollHeight > box.clientHeight + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
    box.classList.toggle("rlhf-more", box.scrollTop + box.clientHeight < box.scrollHeight - 1);
  };
  box.addEventListener("scroll", box.measure, { passive: true });
  return box;
}

// Milliseconds for which a node was really in view: not while the tab is hidden or it is scrolled away.
function visibleClock(node, signal) {
  let total = 0;
  let since = null;
  let onScreen = false;
  const update = () => {
    const running = onScreen && !document.hidden;
    if (running && since === null) since = performance.now();
    if (!running && since !== null) {
      total += performance.now() - since;
      since = null;
    }
  };
  const observer = new IntersectionObserver((entries) => {
    onScreen = entries[entries.length - 1].isIntersecting;
    update();
  });
  observer.observe(node);
  document.addEventListener("visibilitychange", update, { signal });
  signal.addEventListener("abort", () => observer.disconnect());
  return {
    restart() {
      total = 0;
      if (since !== null) since = performance.now();
    },
    read: () => Math.round(total + (since === null ? 0 : performance.now() - since)),
  };
}

// Draws a panel into `el`. `makeBody(panel)` gives {label, node, buttons, draw(view), flash(answer)}: the node
// between prompt and foot, the buttons for the foot, by key, and how to draw a view.
function ratingPanel({ model, el }, makeBody) {
  const ending = new AbortController();
  const { signal } = ending;
  const frame = model.get("_frame");
  let view = model.get("_view");
  let waiting = null; // the message that has not been answered yet
  let failed = null; // the message that could not be saved
  let count = 0;
  let timers = [];
  let settled = null; // timer

  const root = element("div", {
    className: "rlhf-panel",
    tabIndex: -1,
    attributes: { role: "group", "aria-label": frame.question },
  });
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take `b` for "insert a cell below"
  root.style.setProperty("--rlhf-text-lines", frame.text_lines);
  root.style.setProperty("--rlhf-prompt-lines", frame.prompt_lines);

  const panel = {
    answer: (answer, method) => send("answer", method, { answer }),
  };
  const body = makeBody(panel);
  const skip = keyButton("Skip", "s", "rlhf-quiet", (method) => send("skip", method));
  const undo = keyButton("Undo", "u", "rlhf-quiet", (method) => send("undo", method));
  const buttons = [...body.buttons, ...body.footButtons, skip, undo];
  const byKey = new Map(buttons.map((button) => [button.getAttribute("aria-keyshortcuts"), button]));

  const bar = element("div", { className: "rlhf-bar-fill" });
  const counter = element("span", { className: "rlhf-counter" });
  const progress = element(
    "div",
    { className: "rlhf-bar", attributes: { role: "progressbar", "aria-label": "Progress", "aria-valuemin": "0" } },
    bar,
  );
  const prompt = textBox("rlhf-prompt-text");
  const end = element("div", { className: "rlhf-end" });
  const stage = element(
    "div",
    { className: "rlhf-stage" },
    element("div", { className: "rlhf-question" },
      element("div", { className: "rlhf-prompt" },
        element("div", { className: "rlhf-label", textContent: "Prompt" }), prompt),
      body.node),
    end,
  );
  const status = element("span", { className: "rlhf-status", attributes: { role: "status" } });
  const banner = element("div", { className: "rlhf-alert", attributes: { role: "alert" } });
  root.append(
    progress,
    element("div", { className: "rlhf-head" },
      element("div", { className: "rlhf-title", textContent: frame.question }), counter),
  );
  if (frame.guidelines) root.append(element("div", { className: "rlhf-guidelines", textContent: frame.guidelines }));
  root.append(
    stage,
    banner,
    element("div", { className: "rlhf-foot" },
      element("div", { className: "rlhf-foot-main" }, ...body.footButtons),
      status,
      element("div", { className: "rlhf-foot-side" }, skip, undo)),
  );
  el.append(root);
  const clock = visibleClock(stage, signal);

  // -- to the kernel --

  function send(action, method, more = {}) {
    if (waiting || (action !== "undo" && action !== "refresh" && root.dataset.settling)) return;
    transmit({ action, turn: view.turn, ms: clock.read(), input_method: method, ...more });
  }

  function transmit(message) {
    failed = null;
    waiting = { ...message, id: `${Date.now()}-${++count}` };
    root.setAttribute("aria-busy", "true");
    timers = [
      setTimeout(() => { status.textContent = "Saving…"; }, 400),
      setTimeout(() => {
        const unsaved = waiting;
        settle();
        failed = unsaved;
        alarm("The kernel does not answer. If it is busy, your answer is saved as soon as it is free. "
          + "If it was restarted, run this cell again: everything saved before is still there.");
      }, 5000),
    ];
    model.send(waiting);
  }

  function settle() {
    timers.forEach(clearTimeout);
    waiting = null;
    root.removeAttribute("aria-busy");
  }

  function alarm(text) {
    status.textContent = "";
    if (!text) {
      const focused = banner.contains(document.activeElement);
      banner.replaceChildren();
      if (focused) root.focus({ preventScroll: true });
      return;
    }
    const again = element("button", { type: "button", className: "rlhf-button", textContent: "Try again" });
    again.addEventListener("click", () => { if (failed && !waiting) transmit(failed); });
    const words = element("div", {},
      element("strong", { textContent: "NOT SAVED. " }), element("span", { textContent: text }));
    banner.replaceChildren(words, again);
  }

  model.on("msg:custom", onReply);
  function onReply(reply) {
    if (!reply || reply.type !== "reply") return;
    const mine = waiting && reply.id === waiting.id;
    const message = mine ? waiting : failed;
    if (mine) settle();
    else if (!failed || reply.id !== failed.id) return;
    failed = reply.alert ? message : null;
    alarm(reply.alert);
    if (reply.saved) {
      status.textContent = reply.status;
      if (message.action === "answer") body.flash(message.answer);
    }
  }

  // -- from the kernel --

  model.on("change:_view", onView);
  function onView() {
    const turned = view.turn !== model.get("_view").turn;
    view = model.get("_view");
    draw(turned);
  }

  function draw(turned) {
    const inside = root.contains(document.activeElement);
    const rating = view.state === "rate";
    root.dataset.state = view.state;
    const done = rating ? view.number - 1 : view.number;
    progress.setAttribute("aria-valuemax", view.total);
    progress.setAttribute("aria-valuenow", done);
    bar.style.width = `${view.total ? (100 * done) / view.total : 100}%`;
    counter.textContent = rating ? `${view.number} of ${view.total}` : "";
    for (const button of buttons) switchOff(button, button === undo ? !view.can_undo : !rating);
    if (rating) {
      prompt.show(view.prompt);
      body.draw(view);
      end.replaceChildren();
    } else {
      drawEnd();
    }
    if (turned) {
      clock.restart();
      root.dataset.settling = "true";
      clearTimeout(settled);
      settled = setTimeout(() => delete root.dataset.settling, SETTLING_MS);
      root.classList.add("rlhf-still"); // the pointer still lies where it clicked; that is no sign for this item
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      if (!calm) stage.firstChild.animate([{ opacity: 0.35 }, { opacity: 1 }], { duration: 160, easing: "ease-out" });
    }
    const lost = !root.contains(document.activeElement) || getComputedStyle(document.activeElement).visibility === "hidden";
    if (inside && lost) root.focus({ preventScroll: true });
  }

  function drawEnd() {
    if (view.state === "stuck") {
      const again = element("button", { type: "button", className: "rlhf-button", textContent: "Try again" });
      again.addEventListener("click", () => send("refresh", "mouse"));
      end.replaceChildren(element("div", { className: "rlhf-end-words", textContent: view.problem }), again);
      return;
    }
    end.replaceChildren(
      element("div", { className: "rlhf-end-mark", textContent: "✓", attributes: { "aria-hidden": "true" } }),
      element("div", { className: "rlhf-end-title", textContent: view.done }),
      element("div", { className: "rlhf-end-words", textContent: view.next_step }),
    );
  }

  // -- keys --

  root.addEventListener("keydown", (event) => {
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const key = event.key.toLowerCase();
    const presses = (key === "enter" || key === " ") && event.target.closest("button");
    if (event.repeat && (presses || byKey.has(key))) {
      event.preventDefault(); // a key held down answers once
      return;
    }
    const button = byKey.get(key);
    if (!button) return;
    event.preventDefault();
    if (isOff(button)) return;
    button.classList.add("rlhf-pressed");
    setTimeout(() => button.classList.remove("rlhf-pressed"), 140);
    // From here the focus is on the panel as a whole: a ring around A would look like a choice.
    root.focus({ preventScroll: true });
    button.press("keyboard");
  });

  root.addEventListener("pointermove", (event) => {
    if (event.movementX || event.movementY) root.classList.remove("rlhf-still");
  });

  // Saving the notebook is the one shortcut of JupyterLab that goes on working inside the panel.
  window.addEventListener("keydown", (event) => {
    if (!root.contains(event.target)) return;
    const saves = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "s";
    if (saves) delete root.dataset.lmSuppressShortcuts;
    else root.dataset.lmSuppressShortcuts = "true";
  }, { capture: true, signal });

  const sizes = new ResizeObserver(() => root.querySelectorAll(".rlhf-text").forEach((box) => box.measure()));
  sizes.observe(root);

  draw(false);
  return () => {
    [...timers, settled].forEach(clearTimeout);
    sizes.disconnect();
    model.off("change:_view", onView);
    model.off("msg:custom", onReply);
    ending.abort();
  };
}
