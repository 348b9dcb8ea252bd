// What the panels are made of: elements, buttons with their keys, boxes of text, and a clock.

function element(tag, properties = {}, ...children) {
  const { attributes = {}, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const KEY_SIGNS = {
  "control+enter": "Ctrl ⏎", enter: "⏎", backspace: "⌫", arrowleft: "←", arrowright: "→", arrowup: "↑", arrowdown: "↓",
};
const KEY_NAMES = {
  "control+enter": "Control+Enter", enter: "Enter", backspace: "Backspace", arrowleft: "ArrowLeft", arrowright: "ArrowRight",
};

// The sign of a key, shown on its control. Screen readers use aria-keyshortcuts instead.
function keySign(key) {
  return element("kbd", { textContent: KEY_SIGNS[key] || key.toUpperCase(), attributes: { "aria-hidden": "true" } });
}

// A button with its key on it: `key` is what the event calls it, in lower case. `role` makes it a radio button or
// a check box. Pressing a disabled button says why, if it has an `explain`.
function keyButton(label, key, className, run, role = "") {
  const words = element("span", { textContent: label });
  const button = element(
    "button",
    { type: "button", className: `rlhf-button ${className}`, attributes: { "aria-keyshortcuts": KEY_NAMES[key] || key } },
    ...(label ? [words] : []), keySign(key),
  );
  if (role) button.setAttribute("role", role);
  button.key = key;
  button.rename = (text) => { words.textContent = text; };
  button.press = (method) => {
    if (!isOff(button)) run(method);
    else if (button.explain) button.explain();
  };
  button.addEventListener("click", (event) => {
    if (event.detail > 1) return; // the second click of a double click was meant for the previous content
    button.press(event.pointerType || (event.detail ? "mouse" : "keyboard"));
  });
  return button;
}

// Disable without the `disabled` attribute, which would move the focus out of the panel.
function switchOff(button, off) {
  button.setAttribute("aria-disabled", String(off));
}

function isOff(button) {
  return button.getAttribute("aria-disabled") === "true";
}

// A scrolling box for text by a person or model.
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

// A completion in a card of its own, with what belongs to it below.
function card(name, text, ...below) {
  const label = name ? `Completion ${name}` : "Completion";
  const badge = element("div", { className: name ? "rlhf-badge" : "rlhf-label rlhf-card-label", textContent: name || label });
  badge.setAttribute("aria-hidden", "true");
  return element("div", { className: "rlhf-card", attributes: { role: "group", "aria-label": label } }, badge, text, ...below);
}

// Counts the milliseconds that a node was in view: not while the tab is hidden or the node is scrolled away.
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

// Keep drafts in the browser's memory of this tab, so that they survive a reload, if the browser allows it.
function remember(key, draft) {
  try {
    if (draft) sessionStorage.setItem(`rlhf-lab ${key}`, JSON.stringify(draft));
    else sessionStorage.removeItem(`rlhf-lab ${key}`);
  } catch { /* not allowed, or full */ }
}

function recall(key) {
  try {
    return JSON.parse(sessionStorage.getItem(`rlhf-lab ${key}`));
  } catch {
    return null;
  }
}

// Briefly light up a node, to show that it was accepted.
function flash(node) {
  node.classList.remove("rlhf-flash");
  void node.offsetWidth; // start the animation again
  node.classList.add("rlhf-flash");
}

// Hide keys pressed inside `root` from JupyterLab, which would read `b` as "insert a cell below". Only the shortcut for
// saving the notebook still works. JupyterLab looks for this mark on the focused element and its ancestors.
function keepKeys(root, signal) {
  root.dataset.lmSuppressShortcuts = "true";
  window.addEventListener("keydown", (event) => {
    if (!root.contains(event.target)) return;
    const saves = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "s";
    for (const node of [root, event.target]) {
      if (saves) delete node.dataset.lmSuppressShortcuts;
      else node.dataset.lmSuppressShortcuts = "true";
    }
  }, { capture: true, signal });
}
