// Takes the roll without a reload: a tap on a button or on a status, which opens a menu, or the keyboard. Without this
// script, each button posts the form, and each status leads to the page where it is changed.
attachTo("[data-roll]", (roll) => {
  const say = sentencesFrom(roll.querySelector("template[data-sentences]"));
  const menu = roll.querySelector("[data-status-menu]");
  const toasts = roll.querySelector("[role=status]");
  const STATUS = ".badge a";
  let sent = Promise.resolve(); // one request after the other, so that the last tap wins
  let opener = null; // the status whose menu is open

  const rowOf = (element) => element.closest(".roll > li");

  // What has the focus in the row of another student as `element` has it in its own.
  const counterpart = (row, element) => {
    if (element?.matches(".mark")) {
      const column = [...element.parentElement.children].indexOf(element);
      const mark = row.querySelectorAll(".mark")[column];
      if (mark) return mark;
    }
    const pick = element?.matches(".pick") ? row.querySelector(".pick") : null;
    return pick ?? row.querySelector(STATUS) ?? row.querySelector(".name a");
  };

  const replaceParts = (html) => {
    const parts = new DOMParser().parseFromString(html, "text/html").body.children;
    const hadFocus = document.activeElement !== document.body;
    let changed = null;
    for (const part of [...parts]) {
      const shown = document.getElementById(part.id);
      if (!shown) continue;
      if (shown === toasts) {
        toasts.replaceChildren(...part.childNodes);
        announceContent(toasts);
        continue;
      }
      const focused = shown.contains(document.activeElement) ? document.activeElement : null;
      const picked = shown.querySelector(".pick")?.checked;
      const target = focused && shown.matches(".roll > li") ? counterpart(part, focused) : null;
      shown.replaceWith(document.adoptNode(part));
      if (picked) part.querySelector(".pick").checked = true;
      if (part.matches(".roll > li")) changed ??= part;
      target?.focus({ preventScroll: true });
    }
    const lost = hadFocus && document.activeElement === document.body;
    if (lost) (changed ? counterpart(changed) : document.querySelector("#roll-filters a"))?.focus({ preventScroll: true });
    showPicked();
  };

  const send = async ({ action, name, value, sheet }) => {
    const form = document.getElementById("roll");
    const body = new FormData(form);
    for (const [field, entry] of sheet ? new FormData(sheet) : [[name, value]]) body.append(field, entry);
    const headers = { "X-Requested-With": "XMLHttpRequest" };
    try {
      const answer = await fetch(action ?? form.action, { method: "POST", body, headers, redirect: "error" });
      if (sheet && answer.status === 409) return sheet.submit(); // some marks are by hand: the page asks
      if (!answer.ok) throw new Error(String(answer.status));
      replaceParts(await answer.text());
      if (sheet) endPicking(sheet);
    } catch {
      if (name === "mark") {
        const row = document.getElementById(`student-${value.split(":")[0]}`);
        for (const mark of row.querySelectorAll(".mark")) mark.setAttribute("aria-pressed", "false");
      }
      roll.querySelector("[data-problem]").textContent = say("lost");
    } finally {
      for (const status of roll.querySelectorAll(`${STATUS}[aria-busy]`)) status.removeAttribute("aria-busy");
    }
  };

  const setStatus = (row, item) => {
    row.querySelector(STATUS).setAttribute("aria-busy", "true");
    const value = `${row.id.replace("student-", "")}:${item.dataset.status}`;
    sent = sent.then(() => send({ name: "mark", value }));
  };

  const openMenu = (status) => {
    opener = status;
    const items = [...menu.querySelectorAll("[data-status]")];
    for (const item of items) item.setAttribute("aria-checked", String(item.dataset.status === status.dataset.override));
    const page = menu.querySelector("a");
    page.href = status.href;
    page.hidden = status.getAttribute("href").startsWith("#");
    menu.showPopover();
    const at = status.getBoundingClientRect();
    const below = at.bottom + 4 + menu.offsetHeight <= window.innerHeight || at.top < menu.offsetHeight;
    const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - menu.offsetWidth - 8));
    menu.style.left = `${left + window.scrollX}px`;
    menu.style.top = `${window.scrollY + (below ? at.bottom + 4 : at.top - 4 - menu.offsetHeight)}px`;
    items.find((item) => item.getAttribute("aria-checked") === "true").focus({ preventScroll: true });
  };

  // A press beside the menu closes it before the click; a click on its own status is then not to open it again.
  let closing = null;
  roll.addEventListener("pointerdown", () => { closing = menu?.matches(":popover-open") ? opener : null; });
  window.addEventListener("resize", () => menu?.hidePopover()); // its status is elsewhere now
  menu?.addEventListener("toggle", (event) => opener.setAttribute("aria-expanded", String(event.newState === "open")));

  roll.addEventListener("click", (event) => {
    const status = event.target.closest(STATUS);
    if (status && menu?.showPopover && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      if (closing !== status) openMenu(status);
      closing = null;
      return;
    }
    const button = event.target.closest("button[form=roll]");
    if (!button) return;
    event.preventDefault();
    if (menu?.contains(button)) {
      menu.hidePopover();
      setStatus(rowOf(opener), button);
      return;
    }
    if (button.name === "mark") {
      for (const mark of button.parentElement.children) mark.setAttribute("aria-pressed", String(mark === button));
    }
    const { name, value } = button;
    sent = sent.then(() => send({ action: button.getAttribute("formaction"), name, value }));
  });

  menu?.addEventListener("keydown", (event) => {
    const items = [...menu.querySelectorAll("[role^=menuitem]:not([hidden])")];
    const place = items.indexOf(document.activeElement);
    const targets = {
      ArrowUp: items.at(place - 1),
      ArrowDown: items[(place + 1) % items.length],
      Home: items[0],
      End: items.at(-1),
    };
    const item = items.find((choice) => choice.dataset.key === event.key.toLowerCase());
    if (event.key === "Tab") menu.hidePopover();
    else if (event.key in targets) targets[event.key].focus();
    else if (item) item.click();
    else return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
  });

  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (target.matches("input:not([type=checkbox]), select, textarea, [role^=menuitem]")) return;
    const row = rowOf(target);
    const rows = [...roll.querySelectorAll(".roll > li[id]")];
    const place = rows.indexOf(row);
    const key = event.key.toLowerCase();
    const act = (work) => {
      event.preventDefault();
      work();
    };
    const steps = { j: 1, k: -1, ...(row ? { arrowdown: 1, arrowup: -1 } : {}) };
    if (key in steps && rows.length) {
      const next = row ? rows[place + steps[key]] : rows[0];
      act(() => next && counterpart(next, target).focus());
      return;
    }
    if (!row || !menu) return;
    const marks = [...row.querySelectorAll(".mark")];
    const column = marks.indexOf(target);
    const mark = marks.find((button) => button.dataset.key === key);
    const item = menu.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (column >= 0 && (key === "arrowleft" || key === "arrowright")) {
      act(() => marks[column + (key === "arrowleft" ? -1 : 1)]?.focus());
    } else if (key === "x") {
      act(() => row.querySelector(".pick").click());
    } else if (mark) {
      act(() => {
        mark.focus();
        mark.click();
      });
    } else if (item) {
      act(() => setStatus(row, item));
    }
  });

  // Several students at once.
  const all = roll.querySelector("[data-pick-all]");
  const picks = () => [...roll.querySelectorAll(".pick")];

  const showPicked = () => {
    const shown = picks();
    const n = shown.filter((pick) => pick.checked).length;
    const count = roll.querySelector("[data-picked]");
    if (count) count.textContent = say("picked", { n });
    if (!all) return;
    all.checked = n === shown.length;
    all.indeterminate = n > 0 && n < shown.length;
  };

  const endPicking = (sheet) => {
    const first = picks().find((pick) => pick.checked);
    if (roll.querySelector("[data-problem]").textContent || !first) return;
    sheet.reset();
    counterpart(rowOf(first)).focus({ preventScroll: true }); // the button that had it is hidden now
  };

  const sheet = roll.querySelector(".sheet");
  sheet.addEventListener("submit", (event) => {
    event.preventDefault();
    sent = sent.then(() => send({ action: sheet.action, sheet }));
  });

  roll.addEventListener("change", (event) => {
    if (event.target === all) for (const pick of picks()) pick.checked = all.checked;
    showPicked();
  });
  roll.addEventListener("reset", () => setTimeout(showPicked)); // the boxes change after the event
  for (const part of roll.querySelectorAll(".pick-all, [data-keys]")) part.hidden = false;
  showPicked();
});

attachTo("[data-print]", (button) => {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
});
