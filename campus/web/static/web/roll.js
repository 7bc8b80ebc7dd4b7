// Takes the roll without a reload: one tap a student, or the arrow keys and the letters of the buttons. Without this
// script, each button posts the form.
attachTo("[data-roll]", (roll) => {
  const say = sentencesFrom(roll.querySelector("template[data-sentences]"));
  let sent = Promise.resolve(); // one request after the other, so that the last tap wins

  const replaceParts = (html) => {
    const parts = new DOMParser().parseFromString(html, "text/html");
    for (const part of parts.querySelectorAll("[id]")) {
      const shown = document.getElementById(part.id);
      if (!shown) continue;
      const { activeElement } = document;
      const focused = shown.contains(activeElement) ? activeElement.value : null;
      const picked = shown.querySelector(".pick")?.checked;
      shown.replaceWith(document.adoptNode(part));
      if (picked) part.querySelector(".pick").checked = true;
      if (focused !== null) part.querySelector(`button[value="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    }
  };

  const send = async (button) => {
    const form = document.getElementById("roll");
    const body = new FormData(form);
    body.append(button.name, button.value);
    const headers = { "X-Requested-With": "XMLHttpRequest" };
    try {
      const answer = await fetch(button.getAttribute("formaction") ?? form.action, { method: "POST", body, headers, redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      replaceParts(await answer.text());
    } catch {
      if (button.name === "mark") button.setAttribute("aria-pressed", "false");
      roll.querySelector("[data-problem]").textContent = say("lost");
    }
  };

  roll.addEventListener("click", (event) => {
    const button = event.target.closest("button[form=roll]");
    if (!button) return;
    event.preventDefault();
    if (button.name === "mark") {
      for (const mark of button.parentElement.children) mark.setAttribute("aria-pressed", String(mark === button));
    }
    sent = sent.then(() => send(button));
  });

  roll.addEventListener("keydown", (event) => {
    const row = event.target.closest("li");
    if (!event.target.matches(".mark") || event.ctrlKey || event.metaKey || event.altKey) return;
    const marks = [...event.target.parentElement.children];
    const column = marks.indexOf(event.target);
    const targets = {
      ArrowLeft: marks[column - 1],
      ArrowRight: marks[column + 1],
      ArrowUp: row.previousElementSibling?.querySelectorAll(".mark")[column],
      ArrowDown: row.nextElementSibling?.querySelectorAll(".mark")[column],
    };
    if (event.key in targets) {
      event.preventDefault();
      targets[event.key]?.focus();
      return;
    }
    const mark = marks.find((button) => button.dataset.key === event.key.toLowerCase());
    if (mark) {
      event.preventDefault();
      mark.focus();
      mark.click();
    }
  });
});

attachTo("[data-print]", (button) => {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
});
