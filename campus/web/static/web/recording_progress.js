// Polls the progress of a recording. When its state changes, the content of the page is replaced.
const POLL_MS = 2000;
const MAX_UNCHANGED_POLL_MS = 6000;
const MAX_OFFLINE_POLL_MS = 15000;
let delay = POLL_MS;
let announcedTenth = -1;
let etag = ""; // of the response that is shown
let timer = 0;

const clock = (seconds) => {
  const whole = Math.round(seconds);
  const tail = `${String(Math.floor(whole / 60) % 60)}:${String(whole % 60).padStart(2, "0")}`;
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${tail.padStart(5, "0")}` : tail;
};

const startPolling = (card, first) => {
  const find = (name) => card.querySelector(`[data-${name}]`);
  const say = sentencesFrom(card.querySelector("template[data-sentences]"));
  const timeLeft = (seconds) => {
    if (seconds === null) return "";
    if (seconds < 90) return say("seconds", { n: Math.max(1, Math.round(seconds)) });
    return seconds < 5400 ? say("minutes", { n: Math.round(seconds / 60) }) : say("hours", { n: Math.round(seconds / 3600) });
  };

  const showSegments = (segments) => {
    segments.forEach((segment, n) => {
      const item = find("strip").children[n];
      const name = segment.running ? "running" : segment.state === "pending" ? "waiting" : segment.state;
      if (item.className === name) return;
      item.className = name;
      item.title = `${clock(segment.start)} – ${clock(segment.end)}: ${say(`segment-${name}`)}`;
      item.firstElementChild.textContent = `${clock(segment.start)} ${say(`segment-${name}`)}`;
    });
  };

  const showRecognised = (students) => {
    const box = find("recognised");
    const list = box.querySelector("ul");
    const itemsById = new Map([...list.children].map((item) => [item.dataset.student, item]));
    box.hidden = !students.length;
    find("recognised-count").textContent = students.length;
    for (const student of students) {
      const id = String(student.id);
      if (!itemsById.has(id)) {
        const item = find("recognised-line").content.cloneNode(true).firstElementChild;
        item.dataset.student = id;
        item.querySelector("[data-name]").textContent = student.name;
        if (student.face) item.querySelector(".noface").replaceWith(Object.assign(new Image(48, 48), { src: student.face, alt: "" }));
        itemsById.set(id, item);
      }
      list.append(itemsById.get(id)); // in the order of names
      itemsById.delete(id);
    }
    itemsById.forEach((item) => item.remove());
  };

  const show = async (progress) => {
    const segments = progress.segments.length;
    if (progress.state !== card.dataset.state || segments !== Number(card.dataset.segments)) {
      await replaceContent();
      return false;
    }
    const percent = Math.round(progress.share * 100);
    find("state-label").textContent = progress.state_label;
    if (segments) {
      find("share").value = progress.share;
      find("percent").textContent = `${percent} %`;
    }
    find("eta").textContent = timeLeft(progress.eta_seconds);
    const foundNothing = !progress.recognised_students.length && progress.segments.some((segment) => segment.state === "done");
    find("faces").textContent = progress.faces ? say("faces", { n: progress.faces }) : foundNothing ? say("no-faces") : "";
    find("step").textContent = progress.step;
    if (segments > 1) showSegments(progress.segments);
    showRecognised(progress.recognised_students);
    if (Math.floor(percent / 10) !== announcedTenth) {
      announcedTenth = Math.floor(percent / 10);
      find("announcement").textContent = say("done", { percent, left: timeLeft(progress.eta_seconds) });
    }
    return true;
  };

  const poll = async () => {
    clearTimeout(timer);
    if (document.hidden) return; // polls at once when the page becomes visible
    try {
      const headers = { Accept: "application/json", ...(etag && { "If-None-Match": etag }) };
      const answer = await fetch(card.dataset.progress, { headers, redirect: "error" });
      if (answer.status === 404) {
        window.location.reload();
        return;
      }
      if (answer.status === 304) {
        delay = Math.min(delay * 1.5, MAX_UNCHANGED_POLL_MS);
      } else {
        if (!answer.ok) throw new Error(String(answer.status));
        delay = POLL_MS;
        if (!(await show(await answer.json()))) return;
        etag = answer.headers.get("ETag") ?? "";
      }
    } catch {
      etag = "";
      find("eta").textContent = say("lost");
      delay = Math.min(delay * 2, MAX_OFFLINE_POLL_MS);
    }
    timer = setTimeout(poll, delay);
  };

  timer = setTimeout(poll, first);
  return poll;
};

let pollNow = () => {};

// Replaces the content without a reload, so that nothing flashes and the scroll position stays.
const replaceContent = async () => {
  const answer = await fetch(window.location.href, { headers: { Accept: "text/html" }, redirect: "error" });
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const loaded = [...document.scripts].map((script) => script.src);
  const scripts = [...page.querySelectorAll("script[src]")].map((script) => script.src);
  const old = document.querySelector("main");
  const hadFocus = old.contains(document.activeElement);
  const main = document.adoptNode(page.querySelector("main"));
  const label = main.querySelector("[data-state-label]");
  old.replaceWith(main);
  if (hadFocus) main.focus({ preventScroll: true });
  for (const src of scripts) {
    if (!loaded.includes(src)) document.head.append(Object.assign(document.createElement("script"), { src })); // scripts inserted by a parser never run
  }
  if (label) label.setAttribute("role", "status");
  announceContent(main);
  watchCard(POLL_MS); // the cached response may be older than the new content
};

const watchCard = (first) => {
  const card = document.querySelector("[data-progress]");
  pollNow = card ? startPolling(card, first) : () => {};
};

document.addEventListener("visibilitychange", () => !document.hidden && pollNow());
watchCard(0);
