// Uploads that go on where they stopped, several at once. Without this script the form posts one file as any form does.
const form = document.querySelector("form[data-upload]");

if (form && window.tus) {
  const CHUNK = 16 * 1024 * 1024;
  const AT_ONCE = 3;
  const SLOWEST = 20000;
  const AGAIN = [0, 409, 423, 429, 502, 503, 504]; // answers after which the same is tried again
  const section = form.parentElement;
  const say = wordsOf(section.querySelector("template[data-words]"));
  const blank = section.querySelector("template[data-line]");
  const input = form.querySelector("input[type=file]");
  const drop = form.querySelector(".drop");
  const list = form.querySelector("[data-list]");
  const problem = form.querySelector(":scope > [data-problem]");
  const said = form.querySelector("[data-said]");
  const headers = { "X-CSRFToken": form.querySelector("[name=csrfmiddlewaretoken]").value };
  const recordingPage = (id) => form.dataset.recording.replace(/0{8}-[0-]+/, id);
  const files = [];
  let started = false;

  // One file: reading -> ready -> sending (or paused, lost) -> done, or refused.
  class Sending {
    constructor(file) {
      this.file = file;
      this.row = blank.content.cloneNode(true).firstElementChild;
      this.find("name").textContent = file.name;
      this.find("size").textContent = sizeOf(file.size);
      this.bar = this.row.querySelector("progress");
      this.bar.setAttribute("aria-label", file.name);
      this.find("remove").append(Object.assign(document.createElement("span"), { className: "hidden", textContent: `: ${file.name}` }));
      this.find("pause").addEventListener("click", () => this.pause());
      this.find("resume").addEventListener("click", () => this.resume());
      this.find("remove").addEventListener("click", () => this.remove());
      this.wait = 1000;
      list.append(this.row);
      list.hidden = false;
    }

    find(name) {
      return this.row.querySelector(`[data-${name}]`);
    }

    is(state, sentence = "") {
      this.state = state;
      this.find("state").textContent = sentence;
      this.find("pause").hidden = !["sending", "lost"].includes(state);
      this.find("resume").hidden = !(state === "paused" || (state === "refused" && this.upload && this.find("open").hidden));
      this.find("remove").hidden = state === "done";
      this.bar.hidden = ["done", "refused"].includes(state);
      next();
    }

    refuse(sentence, recording = "") {
      this.find("problem").textContent = sentence;
      if (recording) this.offer(recording);
      this.is("refused");
    }

    offer(recording) {
      const link = this.find("open");
      link.href = recordingPage(recording);
      link.hidden = false;
    }

    check() {
      const limit = Number(form.dataset.maxBytes);
      if (!this.file.size) return this.refuse(say("empty"));
      if (this.file.size > limit) return this.refuse(say("large", { size: sizeOf(this.file.size), limit: sizeOf(limit) }));
      this.is("reading", say("checking", { percent: 0 }));
      this.worker = new Worker(form.dataset.hasher);
      this.worker.addEventListener("message", ({ data }) => {
        if (data.read) {
          this.bar.value = data.read / this.file.size;
          this.find("state").textContent = say("checking", { percent: Math.floor(100 * this.bar.value) });
        } else {
          this.worker.terminate();
          this.lookFor(data.sha256 || "");
        }
      });
      this.worker.postMessage({ library: new URL(form.dataset.sha256, window.location).href, file: this.file });
      return undefined;
    }

    // Without a SHA-256 (a browser too old for it) the server still makes one at the end.
    async lookFor(sha256) {
      this.sha256 = sha256;
      this.bar.value = 0;
      let earlier = null;
      if (sha256) {
        try {
          const query = new URLSearchParams({ lecture: form.dataset.lecture, sha256 });
          const answer = await fetch(`${form.dataset.endpoint}?${query}`, { headers: { Accept: "application/json" } });
          earlier = (await answer.json())[0];
        } catch {
          // Whether it is here is asked again when it is sent.
        }
      }
      if (this.state !== "reading") return;
      this.upload = this.make(earlier);
      if (earlier) this.bar.value = earlier.offset / earlier.size;
      this.is("ready", earlier ? say("here", { sent: sizeOf(earlier.offset), size: sizeOf(earlier.size) }) : say("ready"));
    }

    make(earlier) {
      return new window.tus.Upload(this.file, {
        endpoint: form.dataset.endpoint,
        uploadUrl: earlier ? earlier.url : null,
        chunkSize: CHUNK,
        headers,
        metadata: { lecture: form.dataset.lecture, filename: this.file.name, ...(this.sha256 && { sha256: this.sha256 }) },
        storeFingerprintForResuming: false, // the server knows the file by its SHA-256
        retryDelays: null, // `failed` tries again, for as long as it takes
        onProgress: (sent, size) => this.progressed(sent, size),
        onError: (error) => this.failed(error),
        onSuccess: ({ lastResponse }) => this.succeeded(lastResponse),
      });
    }

    send() {
      this.find("problem").textContent = "";
      this.marks = [];
      this.is("sending", say("sending", { sent: sizeOf(this.bar.value * this.file.size), size: sizeOf(this.file.size), percent: Math.floor(100 * this.bar.value), speed: "–", left: "–" }));
      this.upload.start();
    }

    progressed(sent, size) {
      this.wait = 1000;
      if (this.state === "lost") this.is("sending");
      if (this.state !== "sending") return;
      this.bar.value = sent / size;
      if (sent === size) {
        this.find("state").textContent = say("sent");
        return;
      }
      const now = performance.now();
      this.marks.push([now, sent]);
      while (this.marks.length > 2 && now - this.marks[0][0] > 5000) this.marks.shift();
      const [then, before] = this.marks[0];
      const speed = now > then ? (1000 * (sent - before)) / (now - then) : 0;
      const seconds = speed > 0 ? (size - sent) / speed : Infinity;
      const left = seconds === Infinity ? "" : seconds < 90 ? say("seconds", { n: Math.max(1, Math.round(seconds)) }) : say("minutes", { n: Math.round(seconds / 60) });
      const percent = Math.floor((100 * sent) / size);
      this.find("state").textContent = say("sending", { sent: sizeOf(sent), size: sizeOf(size), percent, speed: sizeOf(speed), left });
      if (Math.floor(percent / 10) !== this.told) {
        this.told = Math.floor(percent / 10);
        said.textContent = `${this.file.name}: ${percent} %`;
      }
    }

    failed(error) {
      if (!["sending", "lost"].includes(this.state)) return;
      const answer = error.originalResponse;
      const status = answer ? answer.getStatus() : 0;
      const recording = answer && answer.getHeader("Rollcall-Recording");
      if (AGAIN.includes(status) && !recording) {
        this.is("lost", say("lost"));
        this.timer = setTimeout(() => this.state === "lost" && this.upload.start(), this.wait);
        this.wait = Math.min(2 * this.wait, SLOWEST);
        return;
      }
      let sentence = recording ? say("twice") : say("refused", { status });
      try {
        sentence = JSON.parse(answer.getBody()).detail || sentence;
      } catch {
        // No JSON: a proxy's own page.
      }
      this.refuse(sentence, recording);
    }

    succeeded(answer) {
      const recording = answer.getHeader("Rollcall-Recording");
      this.offer(recording);
      said.textContent = `${this.file.name}: ${say("done")}`;
      this.is("done", say("done"));
      if (files.length === 1) window.location.assign(recordingPage(recording));
    }

    pause() {
      clearTimeout(this.timer);
      this.is("paused", say("paused", { percent: Math.floor(100 * this.bar.value) }));
      this.upload.abort();
      this.find("resume").focus();
    }

    resume() {
      if (this.state === "refused") this.upload = this.make(null);
      this.wait = 1000;
      this.send();
    }

    remove() {
      clearTimeout(this.timer);
      if (this.worker) this.worker.terminate();
      this.state = "removed";
      if (this.upload) this.upload.abort(true).catch(() => {}); // what is not deleted now is when it expires
      files.splice(files.indexOf(this), 1);
      this.row.remove();
      list.hidden = !files.length;
      next();
      (list.querySelector("[data-remove]:not([hidden])") || input).focus();
    }
  }

  // One file is read at a time, AT_ONCE are sent.
  const next = () => {
    if (!files.some((one) => one.state === "reading")) {
      const chosen = files.find((one) => one.state === "chosen");
      if (chosen) chosen.check();
    }
    while (started && files.filter((one) => ["sending", "lost"].includes(one.state)).length < AT_ONCE) {
      const ready = files.find((one) => one.state === "ready");
      if (!ready) break;
      ready.send();
    }
    form.querySelector("[data-send]").hidden = started && files.length > 0;
  };

  const take = (chosen) => {
    problem.textContent = "";
    for (const file of chosen) {
      const known = files.some((one) => one.file.name === file.name && one.file.size === file.size && one.file.lastModified === file.lastModified);
      if (known) continue;
      const one = new Sending(file);
      files.push(one);
      one.state = "chosen";
      one.find("state").textContent = say("waiting");
    }
    input.value = "";
    next();
  };

  input.multiple = true;
  input.required = false;
  input.addEventListener("change", () => take([...input.files]));
  if (input.files.length) take([...input.files]); // chosen before this script was there
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!files.length) {
      problem.textContent = say("none");
      input.focus();
      return;
    }
    started = true;
    next();
  });

  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take([...event.dataTransfer.files]);
  });

  window.addEventListener("online", () => {
    files.filter((one) => one.state === "lost").forEach((one) => {
      clearTimeout(one.timer);
      one.upload.start();
    });
  });
  window.addEventListener("beforeunload", (event) => {
    if (files.some((one) => ["sending", "lost"].includes(one.state))) event.preventDefault();
  });

  section.querySelectorAll("[data-unfinished]").forEach((row) => {
    const forget = row.querySelector("[data-forget]");
    forget.hidden = false;
    forget.addEventListener("click", async () => {
      const answer = await fetch(row.dataset.unfinished, { method: "DELETE", headers: { ...headers, "Tus-Resumable": "1.0.0" } });
      if (answer.ok || answer.status === 404) row.remove();
    });
  });
}
