// Enrolment photos: dropped, chosen or taken with the camera, sent in small lots, and the verdict on each as it comes.
const drop = document.querySelector("[data-drop]");

if (drop) {
  const LOT = 10; // photos at once
  const EVERY = 1500; // milliseconds between questions for verdicts
  const ASKED = 100;
  const JUNK = /(^|\/)(\.|thumbs\.db$|desktop\.ini$|__macosx\/)/i; // what systems leave in folders
  const find = (name) => drop.querySelector(`[data-${name}]`);
  const list = find("list");
  const waiting = new Map(); // id of a photo → its line
  const queue = [];
  const told = { done: 0, refused: 0, all: 0 };
  let sending = false;

  const summary = () => {
    const words = { "%n": told.done, "%m": told.all, "%r": told.refused };
    find("summary").textContent = drop.dataset.count.replace(/%[nmr]/g, (name) => words[name]);
  };

  const line = (path) => {
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

  const say = (item, kind, label, reason = "") => {
    item.dataset.state = kind;
    item.querySelector(".state").textContent = label;
    item.querySelector(".reason").textContent = reason;
  };

  const settle = (item, kind, label, reason) => {
    say(item, kind, label, reason);
    told.done += 1;
    if (kind === "rejected" || kind === "refused") told.refused += 1;
    summary();
  };

  const problem = (text) => {
    find("problem").textContent = text;
    find("problem").hidden = !text;
  };

  const send = async () => {
    if (sending) return;
    sending = true;
    while (queue.length) {
      const lot = queue.splice(0, LOT);
      const body = new FormData();
      body.append("csrfmiddlewaretoken", drop.dataset.token);
      body.append("course", document.querySelector("[name=course]")?.value ?? "");
      lot.forEach(({ file, path }) => {
        body.append("path", path);
        body.append("photos", file, file.name);
      });
      try {
        const response = await fetch("", { method: "POST", body, headers: { Accept: "application/json" } });
        if (!response.ok) throw new Error(response.status);
        const answer = await response.json();
        problem(answer.error);
        lot.forEach(({ item, path, file }) => {
          const n = answer.rows.findIndex((one) => one.path === path || one.path === file.name);
          const row = n < 0 ? undefined : answer.rows.splice(n, 1)[0];
          if (row?.id) {
            say(item, "pending", drop.dataset.waits, row.student);
            waiting.set(row.id, item);
          } else {
            settle(item, "refused", drop.dataset.refused, row?.reason ?? answer.error);
          }
        });
      } catch {
        problem(drop.dataset.lost);
        lot.forEach(({ item }) => settle(item, "refused", drop.dataset.refused, ""));
      }
    }
    sending = false;
  };

  const add = (files) => {
    for (const { file, path } of files) {
      if (JUNK.test(path)) continue;
      const item = line(path);
      say(item, "sending", drop.dataset.asks);
      queue.push({ file, path, item });
      told.all += 1;
    }
    summary();
    send();
  };

  const ask = async () => {
    const ids = [...waiting.keys()].slice(0, ASKED);
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
          settle(item, row?.state ?? "refused", row?.label ?? drop.dataset.refused, row?.reason ?? "");
        }
      }
    } catch {
      // The server is away for a moment; it is asked again.
    }
    setTimeout(ask, EVERY);
  };

  const walk = async (entry) => {
    if (entry.isFile) {
      const file = await new Promise((yes, no) => entry.file(yes, no));
      return [{ file, path: entry.fullPath.replace(/^\//, "") }];
    }
    const reader = entry.createReader();
    const found = [];
    for (;;) {
      const some = await new Promise((yes, no) => reader.readEntries(yes, no)); // a hundred at a time
      if (!some.length) return found;
      for (const one of some) found.push(...(await walk(one)));
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
    for (const entry of entries) add(await walk(entry));
  });
  find("files").hasChangeListener = true; // the theme's own looks for a text box beside it
  find("files").addEventListener("change", (event) => {
    add([...event.target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
    event.target.value = "";
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
  ask();
}
