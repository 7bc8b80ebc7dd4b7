// The page of a recording in work: asks for its progress, and loads itself again when the state has changed.
const card = document.querySelector("[data-progress]");

if (card) {
  const find = (name) => card.querySelector(`[data-${name}]`);
  const EVERY = 1500;
  const SLOWEST = 15000;
  let wait = EVERY;
  let told = -1;

  const clock = (seconds) => {
    const whole = Math.round(seconds);
    const tail = `${String(Math.floor(whole / 60) % 60)}:${String(whole % 60).padStart(2, "0")}`;
    return whole >= 3600 ? `${Math.floor(whole / 3600)}:${tail.padStart(5, "0")}` : tail;
  };

  const left = (seconds) => {
    if (seconds === null) return "";
    return seconds < 90 ? `about ${Math.max(1, Math.round(seconds))} s left` : `about ${Math.round(seconds / 60)} min left`;
  };

  const strip = (parts) => {
    const list = find("strip");
    if (parts.length < 2) return;
    if (!list || list.children.length !== parts.length) {
      window.location.reload();
      return;
    }
    parts.forEach((part, n) => {
      const item = list.children[n];
      const name = part.running ? "running" : part.state === "pending" ? "waiting" : part.state;
      if (item.className === name) return;
      item.className = name;
      item.title = `${clock(part.start)} to ${clock(part.end)}: ${name}`;
      item.firstElementChild.textContent = `${clock(part.start)} ${name}`;
    });
  };

  const show = (progress) => {
    if (progress.state !== card.dataset.state) {
      window.location.reload();
      return;
    }
    const percent = Math.round(progress.share * 100);
    find("state-label").textContent = progress.state_label;
    find("share").value = progress.share;
    find("percent").textContent = `${percent} %`;
    find("eta").textContent = left(progress.eta_seconds);
    find("faces").textContent = `${progress.faces} faces found so far`;
    strip(progress.segments);
    if (Math.floor(percent / 10) !== told) {
      told = Math.floor(percent / 10);
      find("said").textContent = `${percent} % done ${left(progress.eta_seconds)}`;
    }
  };

  const ask = async () => {
    try {
      const answer = await fetch(card.dataset.progress, { headers: { Accept: "application/json" }, redirect: "error" });
      if (answer.status === 404) {
        window.location.reload();
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      show(await answer.json());
      wait = EVERY;
    } catch {
      find("eta").textContent = "No answer from the server; asking again.";
      wait = Math.min(wait * 2, SLOWEST);
    }
    setTimeout(ask, wait);
  };

  // A hidden page asks nothing; it asks at once when it is looked at again.
  const start = () => (document.hidden ? document.addEventListener("visibilitychange", start, { once: true }) : ask());
  start();
}
