// The page of a recording in work: asks how far it is. Where the state has changed, the page's content is exchanged for the new one.
const EVERY = 2000;
const QUIET = 6000; // while there is nothing new
const SLOWEST = 15000; // while there is no answer
let wait = EVERY;
let told = -1;
let tag = ""; // of the answer that is on the page
let timer = 0;

const clock = (seconds) => {
  const whole = Math.round(seconds);
  const tail = `${String(Math.floor(whole / 60) % 60)}:${String(whole % 60).padStart(2, "0")}`;
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${tail.padStart(5, "0")}` : tail;
};

const watch = (card, first) => {
  const find = (name) => card.querySelector(`[data-${name}]`);
  const say = wordsOf(card.querySelector("template[data-words]"));
  const left = (seconds) => {
    if (seconds === null) return "";
    return seconds < 90 ? say("seconds", { n: Math.max(1, Math.round(seconds)) }) : say("minutes", { n: Math.round(seconds / 60) });
  };

  const strip = (parts) => {
    parts.forEach((part, n) => {
      const item = find("strip").children[n];
      const name = part.running ? "running" : part.state === "pending" ? "waiting" : part.state;
      if (item.className === name) return;
      item.className = name;
      item.title = `${clock(part.start)} – ${clock(part.end)}: ${say(`part-${name}`)}`;
      item.firstElementChild.textContent = `${clock(part.start)} ${say(`part-${name}`)}`;
    });
  };

  const found = (students) => {
    const box = find("found");
    const list = box.querySelector("ul");
    const there = new Map([...list.children].map((item) => [item.dataset.student, item]));
    box.hidden = !students.length;
    find("found-count").textContent = students.length;
    for (const student of students) {
      const id = String(student.id);
      if (!there.has(id)) {
        const item = find("found-line").content.cloneNode(true).firstElementChild;
        item.dataset.student = id;
        item.querySelector("[data-name]").textContent = student.name;
        if (student.face) item.querySelector(".noface").replaceWith(Object.assign(new Image(48, 48), { src: student.face, alt: "" }));
        there.set(id, item);
      }
      list.append(there.get(id)); // in the order of names
      there.delete(id);
    }
    there.forEach((item) => item.remove());
  };

  const show = async (progress) => {
    const parts = progress.segments.length;
    const strips = find("strip") ? find("strip").children.length : 0;
    if (progress.state !== card.dataset.state || (parts > 1 && parts !== strips)) {
      await exchange();
      return false;
    }
    const percent = Math.round(progress.share * 100);
    find("state-label").textContent = progress.state_label;
    find("share").value = progress.share;
    find("percent").textContent = `${percent} %`;
    find("eta").textContent = left(progress.eta_seconds);
    find("faces").textContent = say("faces", { n: progress.faces });
    if (parts > 1) strip(progress.segments);
    found(progress.recognised_students);
    if (Math.floor(percent / 10) !== told) {
      told = Math.floor(percent / 10);
      find("said").textContent = say("done", { percent, left: left(progress.eta_seconds) });
    }
    return true;
  };

  const ask = async () => {
    clearTimeout(timer);
    if (document.hidden) return; // it asks at once when it is looked at again
    try {
      const headers = { Accept: "application/json", ...(tag && { "If-None-Match": tag }) };
      const answer = await fetch(card.dataset.progress, { headers, redirect: "error" });
      if (answer.status === 404) {
        window.location.reload();
        return;
      }
      if (answer.status === 304) {
        wait = Math.min(wait * 1.5, QUIET);
      } else {
        if (!answer.ok) throw new Error(String(answer.status));
        wait = EVERY;
        if (!(await show(await answer.json()))) return;
        tag = answer.headers.get("ETag") ?? "";
      }
    } catch {
      tag = "";
      find("eta").textContent = say("lost");
      wait = Math.min(wait * 2, SLOWEST);
    }
    timer = setTimeout(ask, wait);
  };

  timer = setTimeout(ask, first);
  return ask;
};

let again = () => {};

// The new content in place of the old one: no flash, and the reader's place stays.
const exchange = async () => {
  const answer = await fetch(window.location.href, { headers: { Accept: "text/html" }, redirect: "error" });
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const loaded = [...document.scripts].map((one) => one.src);
  const scripts = [...page.querySelectorAll("script[src]")].map((one) => one.src);
  const old = document.querySelector("main");
  const held = old.contains(document.activeElement);
  const main = document.adoptNode(page.querySelector("main"));
  const label = main.querySelector("[data-state-label]");
  old.replaceWith(main);
  if (held) main.focus({ preventScroll: true });
  for (const src of scripts) {
    if (!loaded.includes(src)) document.head.append(Object.assign(document.createElement("script"), { src })); // parsed ones never run
  }
  if (label) label.setAttribute("role", "status");
  begin(EVERY); // the answer that all share may be older than the new content
};

const begin = (first) => {
  const card = document.querySelector("[data-progress]");
  again = card ? watch(card, first) : () => {};
};

document.addEventListener("visibilitychange", () => !document.hidden && again());
begin(0);
