// The frame that all rating panels share: headline, progress, guidelines, prompt, the panel's own body, confidence,
// note, save, skip, undo, status and banner. It handles keys, the clock and messages to the kernel. Its rules:
// - Text from a model is only set as textContent.
// - An answer names its turn. Only one message is under way at a time. If an answer does not count, the panel says so.
// - The second click of a double click is ignored, and so is a key pressed too soon to have read the new question.
// - Keys only count while the focus is inside and nobody is typing text. The focus never leaves the panel by itself,
//   or the next key would reach the notebook.
// - A draft stays until its question is answered, even if a message is lost or the page reloads. Undo brings it back.

const SETTLING_MS = 300; // nobody can have read a new question in this time
const SCROLLING_KEYS = ["arrowup", "arrowdown", "arrowleft", "arrowright", "pageup", "pagedown", "home", "end", " "];

// Draws a panel into `el`. `makeBody(panel)` makes the part between prompt and foot:
//   node; buttons and footButtons   with their keys; use getters if they change
//   draw(view, kept)                shows a question; `kept` is what was sent for it before an undo, if anything
//   refresh()                       shows the draft; called after every change of it
//   collect()                       {answer, missing}: the draft, and what it lacks, in words; adds a Save button
//   onKey(key, event)               handles more keys; returns true if it used this one
//   flash(answer)                   signals that an answer was saved, if not on the Save button
function ratingPanel({ model, el }, makeBody) {
  const ending = new AbortController();
  const { signal } = ending;
  const frame = model.get("_frame");
  let view = model.get("_view");
  let waiting = null; // the message that has not been answered yet
  let failed = null; // the message that could not be saved
  const unanswered = new Set(); // ids of messages that the kernel may still be about to save
  let changed = false; // whether the draft changed between a message and its reply
  let count = 0;
  let timers = [];
  let settled = null; // timer
  let asked = null; // the question that the draft is about
  const drafts = new Map(); // drafts and answers of this sitting's questions

  const root = element("div", {
    className: "rlhf-panel",
    tabIndex: -1,
    attributes: { role: "group", "aria-label": frame.question },
  });
  root.style.setProperty("--rlhf-text-lines", frame.text_lines);
  root.style.setProperty("--rlhf-prompt-lines", frame.prompt_lines);

  const panel = {
    frame,
    answer: (answer, method) => send("answer", method, { answer }),
    say: (text) => { status.textContent = text; },
    refresh: () => refresh(),
    // Change the draft, but not while a message is under way or before anybody can have read the question.
    drafting: (change) => (...details) => {
      if (isSaving() || root.dataset.settling) return;
      change(...details);
      refresh();
    },
  };
  const body = makeBody(panel);
  const extras = extraRow(frame, panel);
  const save = body.collect
    && keyButton("Save", body.saveKey || "enter", "rlhf-save", (method) => panel.answer(body.collect().answer, method));
  if (save) save.explain = () => { if (!root.dataset.settling) panel.say(body.collect().missing); };
  const skip = keyButton("Skip", "s", "rlhf-quiet", (method) => send("skip", method));
  const undo = keyButton("Undo", "u", "rlhf-quiet", (method) => send("undo", method));
  const footButtons = [...(save ? [save] : []), ...body.footButtons];
  const buttons = () => [...body.buttons, ...footButtons, ...extras.buttons, skip, undo];

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
      body.node, ...(extras.node.hasChildNodes() ? [extras.node] : [])),
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
      element("div", { className: "rlhf-foot-main" }, ...footButtons),
      status,
      element("div", { className: "rlhf-foot-side" }, skip, undo)),
  );
  el.append(root);
  const clock = visibleClock(stage, signal);

  // -- to the kernel --

  function send(action, method, more = {}) {
    if (isSaving() || (action !== "undo" && action !== "refresh" && root.dataset.settling)) return;
    const message = { action, turn: view.turn, ms: clock.read(), input_method: method, ...more };
    transmit(action === "undo" || action === "refresh" ? message : { ...message, ...extras.get() });
  }

  function transmit(message) {
    // An identical message that is sent again keeps its id, so that it counts once.
    const words = ({ action, turn, answer, confidence, note }) => JSON.stringify([action, turn, answer, confidence, note]);
    const id = failed && words(failed) === words(message) ? failed.id : `${Date.now()}-${++count}`;
    waiting = { ...message, id, unanswered: [...unanswered] };
    unanswered.add(id);
    failed = null;
    changed = false;
    if (message.action !== "undo" && asked) drafts.set(asked, draft());
    root.setAttribute("aria-busy", "true");
    timers = [
      setTimeout(() => { status.textContent = "Saving…"; }, 400),
      setTimeout(() => {
        const unsaved = waiting;
        settle();
        failed = unsaved;
        alarm("The kernel does not answer. If it is busy, your answer is saved as soon as it is free, or another one "
          + "that you give in its place. If it was restarted, run this cell again: everything saved before is still there.");
      }, 5000),
    ];
    model.send(waiting);
  }

  // Whether a message is under way. Clicks meanwhile do not count, and the panel says so.
  function isSaving() {
    if (waiting) status.textContent = "Still saving. What you click meanwhile does not count.";
    return Boolean(waiting);
  }

  function settle() {
    timers.forEach(clearTimeout);
    waiting = null;
    root.removeAttribute("aria-busy");
  }

  function alarm(text, mayHelpAgain = true) {
    status.textContent = "";
    if (!text) {
      const focused = banner.contains(document.activeElement);
      banner.replaceChildren();
      if (focused) root.focus({ preventScroll: true });
      return;
    }
    const again = element("button", { type: "button", className: "rlhf-button", textContent: "Try again" });
    again.addEventListener("click", tryAgain);
    const words = element("div", {},
      element("strong", { textContent: "NOT SAVED. " }), element("span", { textContent: text }));
    banner.replaceChildren(words, ...(mayHelpAgain ? [again] : []));
  }

  // Try again with the current draft: it may have changed since.
  function tryAgain() {
    if (!failed || waiting) return;
    const isShown = failed.action === "answer" && failed.turn === view.turn;
    const { answer, missing } = (isShown && body.collect?.()) || { answer: failed.answer };
    if (missing) panel.say(missing);
    else transmit({ ...failed, answer, ...(isShown ? extras.get() : {}) });
  }

  model.on("msg:custom", onReply);
  function onReply(reply) {
    if (!reply || reply.type !== "reply") return;
    unanswered.delete(reply.id);
    const mine = waiting && reply.id === waiting.id;
    const message = mine ? waiting : failed;
    if (mine) settle();
    else if (!failed || reply.id !== failed.id) return;
    failed = reply.alert && !reply.late ? message : null;
    alarm(reply.alert, !reply.late);
    if (reply.saved) {
      const more = changed && message.action !== "undo" ? " What you changed after that is there again after Undo." : "";
      status.textContent = reply.status + more;
      if (message.action === "answer") save ? flash(save) : body.flash(message.answer);
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
    for (const button of buttons()) switchOff(button, button === undo ? !view.can_undo : !rating);
    if (rating) {
      const question = JSON.stringify([view.number, view.prompt, view.texts]);
      if (question !== asked) {
        leave();
        asked = question;
        const kept = drafts.get(question) || recall(key()) || {};
        prompt.show(view.prompt);
        body.draw(view, kept.answer);
        extras.set(kept);
      } else if (failed) {
        failed.turn = view.turn; // the same question again: a retry is for it
      }
      end.replaceChildren();
    } else {
      leave();
      asked = null;
      drawEnd();
    }
    refresh();
    if (turned) {
      clock.restart();
      root.dataset.settling = "true";
      clearTimeout(settled);
      settled = setTimeout(() => delete root.dataset.settling, SETTLING_MS);
      root.classList.add("rlhf-still"); // the pointer is still where it clicked last, so ignore its hover
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      if (!calm) stage.firstChild.animate([{ opacity: 0.35 }, { opacity: 1 }], { duration: 160, easing: "ease-out" });
    }
    const lost = !root.contains(document.activeElement) || getComputedStyle(document.activeElement).visibility === "hidden";
    if (inside && lost) root.focus({ preventScroll: true });
  }

  // -- the draft --

  function draft() {
    return { answer: body.collect?.().answer, ...extras.get() };
  }

  function key() {
    return `${frame.task} ${frame.question} ${asked}`;
  }

  // Called before another question is shown. `drafts` has what was sent, but it may have changed since.
  function leave() {
    if (!asked) return;
    changed = JSON.stringify(drafts.get(asked)) !== JSON.stringify(draft());
    drafts.set(asked, draft());
    remember(key(), null);
  }

  root.addEventListener("input", () => { if (asked) remember(key(), draft()); });

  // Show the draft, and whether it can be saved.
  function refresh() {
    if (asked) remember(key(), draft());
    body.refresh?.();
    extras.refresh();
    if (save) switchOff(save, view.state !== "rate" || Boolean(body.collect().missing));
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
    if (event.isComposing) return;
    const key = event.key.toLowerCase();
    const field = event.target.closest("input, textarea, select, [contenteditable]");
    if ((event.ctrlKey || event.metaKey) && !event.altKey && key === "enter" && save) {
      event.preventDefault();
      if (!event.repeat) save.press("keyboard");
    } else if (field) {
      if (key === "escape" || (key === "enter" && field === extras.input)) {
        event.preventDefault();
        root.focus({ preventScroll: true });
      }
    } else if (!event.ctrlKey && !event.metaKey && !event.altKey) {
      onPanelKey(event, key);
    }
  });

  function onPanelKey(event, key) {
    if (SCROLLING_KEYS.includes(key) && event.target.closest(".rlhf-text")) return;
    const focused = event.target.closest("button");
    // Enter on a check box or a radio button saves; on another button it presses that.
    const presses = focused && (key === " " || (key === "enter" && !(save && focused.hasAttribute("role"))));
    const button = key === "enter" ? save : buttons().find((one) => one.key === key);
    if (event.repeat && (presses || button) && !key.startsWith("arrow")) {
      event.preventDefault(); // a key held down answers once
      return;
    }
    if (presses) return;
    if (key === "n" && extras.input && view.state === "rate") {
      event.preventDefault();
      extras.input.focus();
      return;
    }
    if (view.state === "rate" && body.onKey?.(key, event)) {
      event.preventDefault();
      return;
    }
    if (!button) return;
    event.preventDefault();
    if (!isOff(button)) {
      button.classList.add("rlhf-pressed");
      setTimeout(() => button.classList.remove("rlhf-pressed"), 140);
      // The focus is now on the whole panel, because a ring around A would look like a choice.
      root.focus({ preventScroll: true });
    }
    button.press("keyboard");
  }

  root.addEventListener("pointermove", (event) => {
    if (event.movementX || event.movementY) root.classList.remove("rlhf-still");
  });

  keepKeys(root, signal);

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
