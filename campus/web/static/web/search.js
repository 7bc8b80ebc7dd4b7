// The search box: results while somebody types, "/" to go to it, Escape to leave it, the arrow keys to choose.
// Without this script, Enter opens the page of results.
for (const form of document.querySelectorAll("[data-search]")) {
  const TYPING_PAUSE_MS = 150;
  const box = form.querySelector("[role=combobox]");
  const list = form.querySelector("[role=listbox]");
  const status = form.querySelector("[role=status]");
  let request = new AbortController();
  let timer = 0;
  let cameFrom = null;

  const options = () => [...list.querySelectorAll("[role=option]")];
  const choose = (option) => {
    for (const other of options()) other.setAttribute("aria-selected", String(other === option));
    if (option) box.setAttribute("aria-activedescendant", option.id);
    else box.removeAttribute("aria-activedescendant");
    option?.scrollIntoView({ block: "nearest" });
  };
  const show = (isOpen) => {
    list.hidden = !isOpen;
    box.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) choose(null);
  };
  const close = () => {
    clearTimeout(timer);
    request.abort();
    status.textContent = "";
    show(false);
  };

  const suggest = async () => {
    request = new AbortController();
    const { signal } = request;
    try {
      const address = `${form.dataset.search}?${new URLSearchParams(new FormData(form))}`;
      const answer = await fetch(address, { signal, redirect: "error" });
      if (!answer.ok) return;
      const { body } = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (signal.aborted) return;
      const [said, ...found] = body.children;
      status.textContent = said.textContent;
      list.replaceChildren(...found.map((part) => document.adoptNode(part)));
      show(found.length > 0);
    } catch {
      // Typed on, or the server is unreachable: Enter still opens the page of results.
    }
  };

  box.addEventListener("input", () => {
    clearTimeout(timer);
    request.abort();
    if (!box.value.trim()) close();
    else timer = setTimeout(suggest, TYPING_PAUSE_MS);
  });

  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const found = options();
    const chosen = found.findIndex((option) => option.id === box.getAttribute("aria-activedescendant"));
    if (event.key === "Escape") {
      close();
      if (cameFrom?.isConnected) cameFrom.focus();
      if (document.activeElement === box) box.blur();
    } else if (event.key === "Enter" && chosen >= 0) {
      found[chosen].click();
    } else if (!list.hidden && event.key === "ArrowDown") {
      choose(found[chosen + 1] ?? found[0]);
    } else if (!list.hidden && event.key === "ArrowUp") {
      choose(found[chosen - 1] ?? found.at(-1));
    } else return;
    event.preventDefault();
  });

  list.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus, and the list stays
  box.addEventListener("blur", close);

  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, dialog");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping) return;
    event.preventDefault();
    cameFrom = document.activeElement;
    box.focus();
    box.select();
  });
}
