// Uploads enrolment photos that are dropped, chosen or taken with the camera, in batches, and shows each verdict.
const drop = document.querySelector("[data-drop]");

if (drop) {
  const BATCH_SIZE = 10;
  const VERDICT_POLL_MS = 1500;
  const MAX_IDS_PER_REQUEST = 100;
  const SYSTEM_FILES = /(^|\/)(\.|thumbs\.db$|desktop\.ini$|__macosx\/)/i; // left in folders by operating systems
  const find = (name) => drop.querySelector(`[data-${name}]`);
  const list = find("list");
  const waiting = new Map(); // by photo id, its line in the list
  const queue = [];
  const counts = { done: 0, usable: 0, refused: 0, all: 0 };
  let sending = false;

  const updateSummary = () => {
    const values = { "%n": counts.done, "%m": counts.all, "%u": counts.usable, "%r": counts.refused };
    find("summary").textContent = drop.dataset.count.replace(/%[nmur]/g, (name) => values[name]);
  };

  const addLine = (path) => {
    const item = document.createElement("li");
    const [picture, name, state, reason] = ["span", "strong", "span", "span"].map((tag) => document.createElement(tag));
    picture.className = "picture";
    name.textContent = path;
    state.className = "state";
    reason.className = "reason";
    item.append(picture, name, state, reason);
    list.prepend(item);
    return item;
  };

  const setState = (item, kind, label, reason = "") => {
    item.dataset.state = kind;
    item.querySelector(".state").textContent = label;
    item.querySelector(".reason").textContent = reason;
  };

  const finish = (item, kind, label, reason) => {
    setState(item, kind, label, reason);
    counts.done += 1;
    counts[kind === "rejected" || kind === "refused" ? "refused" : "usable"] += 1;
    updateSummary();
  };

  const showProblem = (text) => {
    find("problem").textContent = text;
    find("problem").hidden = !text;
  };

  const send = async () => {
    if (sending) return;
    sending = true;
    while (queue.length) {
      const batch = queue.splice(0, BATCH_SIZE);
      const body = new FormData();
      body.append("csrfmiddlewaretoken", drop.dataset.token);
      body.append("course", document.querySelector("[name=course]")?.value ?? "");
      batch.forEach(({ file, path }) => {
        body.append("path", path);
        body.append("photos", file, file.name);
      });
      try {
        const response = await fetch(drop.dataset.address, { method: "POST", body, headers: { Accept: "application/json" } });
        if (!response.ok) throw new Error(response.status);
        const answer = await response.json();
        showProblem(answer.error);
        batch.forEach(({ item, path, file }) => {
          const n = answer.rows.findIndex((row) => row.path === path || row.path === file.name);
          const row = n < 0 ? undefined : answer.rows.splice(n, 1)[0];
          if (row?.id) {
            setState(item, "pending", drop.dataset.waits, row.student);
            waiting.set(row.id, item);
          } else if (row?.state === "waiting") {
            counts.done += 1;
            setState(item, "waiting", drop.dataset.unknown, row.reason);
            find("choose").href = answer.waiting;
            find("choose").parentElement.hidden = false;
            updateSummary();
          } else {
            finish(item, "refused", drop.dataset.refused, row?.reason ?? answer.error);
          }
        });
      } catch {
        showProblem(drop.dataset.lost);
        batch.forEach(({ item }) => finish(item, "refused", drop.dataset.refused, ""));
      }
    }
    sending = false;
  };

  const add = (files) => {
    for (const { file, path } of files) {
      if (SYSTEM_FILES.test(path)) continue;
      const item = addLine(path);
      setState(item, "sending", drop.dataset.asks);
      queue.push({ file, path, item });
      counts.all += 1;
    }
    updateSummary();
    send();
  };

  const pollVerdicts = async () => {
    const ids = [...waiting.keys()].slice(0, MAX_IDS_PER_REQUEST);
    try {
      if (ids.length) {
        const query = new URLSearchParams(ids.map((id) => ["id", id]));
        const { rows } = await (await fetch(`${drop.dataset.verdicts}?${query}`)).json();
        const known = new Map(rows.map((row) => [row.id, row]));
        for (const id of ids) {
          const row = known.get(id);
          if (row?.state === "pending") continue;
          const item = waiting.get(id);
          waiting.delete(id);
          if (row?.picture) {
            const face = new Image(56, 56);
            face.src = row.picture;
            face.alt = "";
            item.querySelector(".picture").append(face);
          }
          finish(item, row?.state ?? "refused", row?.label ?? drop.dataset.refused, row?.reason ?? "");
        }
      }
    } catch {
      // The server is unreachable for a moment: try again.
    }
    setTimeout(pollVerdicts, VERDICT_POLL_MS);
  };

  const filesIn = async (entry) => {
    if (entry.isFile) {
      const file = await new Promise((yes, no) => entry.file(yes, no));
      return [{ file, path: entry.fullPath.replace(/^\//, "") }];
    }
    const reader = entry.createReader();
    const found = [];
    for (;;) {
      const batch = await new Promise((yes, no) => reader.readEntries(yes, no)); // a hundred at a time
      if (!batch.length) return found;
      for (const child of batch) found.push(...(await filesIn(child)));
    }
  };

  const zone = drop.querySelector(".zone");
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", async (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    for (const entry of entries) add(await filesIn(entry));
  });
  drop.querySelectorAll("[data-files]").forEach((input) => {
    input.hasChangeListener = true; // the theme's own looks for a text box beside it
    input.addEventListener("change", () => {
      add([...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
      input.value = "";
    });
  });

  const camera = find("camera");
  if (camera && navigator.mediaDevices?.getUserMedia) {
    const stage = find("stage");
    const video = stage.querySelector("video");
    let shots = 0;
    camera.hidden = false;
    camera.addEventListener("click", async () => {
      try {
        video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 1280 } } });
        stage.hidden = false;
        camera.hidden = true;
        find("no-camera").hidden = true;
        find("shoot").focus();
      } catch {
        find("no-camera").hidden = false;
      }
    });
    find("shoot").addEventListener("click", () => {
      const canvas = document.createElement("canvas");
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      if (!canvas.width) return; // it has not started yet
      canvas.getContext("2d").drawImage(video, 0, 0);
      canvas.toBlob(
        (blob) => {
          const name = `${drop.dataset.shot} ${(shots += 1)}.jpg`;
          add([{ file: new File([blob], name, { type: "image/jpeg" }), path: name }]);
        },
        "image/jpeg",
        0.92,
      );
    });
    find("stop").addEventListener("click", () => {
      video.srcObject.getTracks().forEach((track) => track.stop());
      video.srcObject = null;
      stage.hidden = true;
      camera.hidden = false;
      camera.focus();
    });
  }

  drop.hidden = false;
  document.querySelector("[data-plain]")?.setAttribute("hidden", ""); // the zone does all that the plain form does
  pollVerdicts();
}
