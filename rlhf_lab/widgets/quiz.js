// A multiple-choice question. A pick at once shows why it is right or wrong, without waiting for the kernel, which only
// records it. Explanations of wrong picks stay visible, and the learner may try again.

function quiz({ model, el }) {
  const ending = new AbortController();
  const { question, options } = model.get("_frame");
  const root = element("div", {
    className: "rlhf-panel rlhf-quiz",
    tabIndex: -1,
    attributes: { role: "group", "aria-label": question },
  });
  const status = element("div", { className: "rlhf-foot", attributes: { role: "status" } });
  const tried = new Set(model.get("_tried"));

  const rows = options.map((option, i) => {
    const key = String(i + 1);
    const pick = element("button", { type: "button", className: "rlhf-button rlhf-pick",
      attributes: { "aria-keyshortcuts": key, "aria-pressed": "false" } },
      element("kbd", { textContent: key, attributes: { "aria-hidden": "true" } }),
      element("span", { textContent: option.text }));
    const why = element("div", { className: "rlhf-why" });
    const node = element("div", { className: "rlhf-option" }, pick, why);
    const show = () => {
      node.dataset.tried = option.right ? "right" : "wrong";
      pick.setAttribute("aria-pressed", "true");
      why.replaceChildren(
        element("strong", { textContent: option.right ? "✓ Right." : "✗ Not this one." }),
        element("span", { textContent: option.why }));
    };
    const choose = () => {
      show();
      status.textContent = `${option.right ? "Right." : "Not this one."} ${option.why}`;
      if (tried.has(i)) return;
      tried.add(i);
      model.send({ action: "pick", option: i });
    };
    pick.addEventListener("click", choose);
    return { node, choose, show };
  });

  root.append(
    element("div", { className: "rlhf-title", textContent: question }),
    element("div", { className: "rlhf-options" }, ...rows.map((row) => row.node)),
    status,
  );
  // The status is for screen readers; the explanation below the choice shows the same.
  Object.assign(status.style, { position: "absolute", width: "1px", height: "1px", overflow: "hidden", clipPath: "inset(50%)" });
  const trouble = element("div", { className: "rlhf-alert", attributes: { role: "alert" } });
  root.append(trouble);
  tried.forEach((i) => rows[i]?.show());

  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const row = rows[Number(event.key) - 1];
    if (!row) return;
    event.preventDefault();
    if (!event.repeat) row.choose();
  });
  keepKeys(root, ending.signal);

  const onReply = (reply) => { if (reply?.type === "reply") trouble.textContent = reply.alert; };
  model.on("msg:custom", onReply);
  el.append(root);
  return () => {
    model.off("msg:custom", onReply);
    ending.abort();
  };
}

export default { render: quiz };
