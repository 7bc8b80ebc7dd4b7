// Resumable uploads of several files. Without this script, the form posts one file.
const form = document.querySelector("form[data-upload]");

if (form && window.tus) {
  const CHUNK_BYTES = 16 * 1024 * 1024;
  const MAX_PARALLEL_UPLOADS = 3;
  const MAX_RETRY_DELAY_MS = 20000;
  const RETRY_STATUSES = [0, 409, 423, 429, 502, 503, 504]; // responses after which the same request is sent again
  const section = form.parentElement;
  const say = sentencesFrom(section.querySelector("template[data-sentences]"));
  const blank = section.querySelector("template[data-line]");
  const input = form.querySelector("input[type=file]");
  const drop = form.querySelector(".drop");
  const list = form.querySelector("[data-list]");
  const problem = form.querySelector(":scope > [data-problem]");
  const announcement = form.querySelector("[data-announcement]");
  const headers = { "X-CSRFToken": form.querySelector("[name=csrfmiddlewaretoken]").value };
  const recordingPage = (id) => form.dataset.recording.replace(/0{8}-[0-]+/, id);
  const { replaces } = form.dataset;
  const files = [];
  // When the recording began, in seconds of the lecture; empty where nobody said it.
  const recordingOffset = () => {
    const began = form.querySelector("[name=began]").value;
    return began && secondsOfDay(began) - secondsOfDay(form.dataset.starts);
  };
  let started = false;

  // One file: reading -> ready -> sending (or paused, lost) -> done, or refused.
  class FileUpload {
    constructor(file) {
      this.file = file;
      this.row = blank.content.cloneNode(true).firstElementChild;
      this.find("name").textContent = file.name;
      this.find("size").textContent = formatSize(file.size);
      this.bar = this.row.querySelector("progress");
      this.bar.setAttribute("aria-label", file.name);
      this.find("remove").append(Object.assign(document.createElement("span"), { className: "hidden", textContent: `: ${file.name}` }));
      this.find("pause").addEventListener("click", () => this.pause());
      this.find("resume").addEventListener("click", () => this.resume());
      this.find("remove").addEventListener("click", () => this.remove());
      this.retryDelay = 1000;
      list.append(this.row);
      list.hidden = false;
    }

    find(name) {
      return this.row.querySelector(`[data-${name}]`);
    }

    setState(state, sentence = "") {
      this.state = state;
      this.find("state").textContent = sentence;
      this.find("pause").hidden = !["sending", "lost"].includes(state);
      this.find("resume").hidden = !(state === "paused" || (state === "refused" && this.upload && this.find("open").hidden));
      this.find("remove").hidden = state === "done";
      this.bar.hidden = ["done", "refused"].includes(state);
      startNext();
    }

    refuse(sentence, recording = "") {
      this.find("problem").textContent = sentence;
      if (recording) this.offer(recording);
      this.setState("refused");
    }

    offer(recording) {
      const link = this.find("open");
      link.href = recordingPage(recording);
      link.hidden = false;
    }

    check() {
      const limit = Number(form.dataset.maxBytes);
      if (!this.file.size) return this.refuse(say("empty"));
      if (this.file.size > limit) return this.refuse(say("large", { size: formatSize(this.file.size), limit: formatSize(limit) }));
      this.setState("reading", say("checking", { percent: 0 }));
      this.worker = new Worker(form.dataset.hasher);
      this.worker.addEventListener("message", ({ data }) => {
        if (data.read) {
          this.bar.value = data.read / this.file.size;
          this.find("state").textContent = say("checking", { percent: Math.floor(100 * this.bar.value) });
        } else {
          this.worker.terminate();
          this.findEarlierUpload(data.sha256 || "");
        }
      });
      this.worker.postMessage({ library: new URL(form.dataset.sha256, window.location).href, file: this.file });
      return undefined;
    }

    // Looks for an unfinished upload of the same file. Without a SHA-256 (in old browsers) there is none to find.
    async findEarlierUpload(sha256) {
      this.sha256 = sha256;
      this.bar.value = 0;
      let earlier = null;
      if (sha256) {
        try {
          const query = new URLSearchParams({ lecture: form.dataset.lecture, sha256, ...(replaces && { replaces }) });
          const answer = await fetch(`${form.dataset.endpoint}?${query}`, { headers: { Accept: "application/json" } });
          earlier = (await answer.json())[0];
          if (window.DirectUpload && earlier?.parts) Object.assign(earlier, await window.DirectUpload.ask(earlier.parts, headers));
        } catch {
          // The server checks for an earlier upload again when this one starts.
        }
      }
      if (this.state !== "reading") return;
      this.upload = this.createUpload(earlier);
      if (earlier) this.bar.value = earlier.offset / earlier.size;
      this.setState("ready", earlier ? say("resuming", { sent: formatSize(earlier.offset), size: formatSize(earlier.size) }) : say("ready"));
    }

    createUpload(earlier) {
      const Upload = window.DirectUpload && (!earlier || earlier.parts) ? window.DirectUpload : window.tus.Upload;
      return new Upload(this.file, {
        endpoint: form.dataset.endpoint,
        uploadUrl: earlier ? earlier.url : null,
        partsUrl: earlier ? earlier.parts : null,
        chunkSize: CHUNK_BYTES,
        headers,
        metadata: { lecture: form.dataset.lecture, filename: this.file.name, ...(this.sha256 && { sha256: this.sha256 }), ...(replaces && { replaces }) },
        storeFingerprintForResuming: false, // the server knows the file by its SHA-256
        retryDelays: null, // handleError retries for as long as it takes
        onProgress: (sent, size) => this.showProgress(sent, size),
        onError: (error) => this.handleError(error),
        onSuccess: ({ lastResponse }) => this.handleSuccess(lastResponse),
      });
    }

    send() {
      this.find("problem").textContent = "";
      this.samples = [];
      const offset = files.length === 1 ? recordingOffset() : "";
      if (offset !== "") this.upload.options.metadata.offset = String(offset);
      this.setState("sending", say("sending", { sent: formatSize(this.bar.value * this.file.size), size: formatSize(this.file.size), percent: Math.floor(100 * this.bar.value), speed: "–", left: "–" }));
      this.upload.start();
    }

    showProgress(sent, size) {
      this.retryDelay = 1000;
      if (this.state === "lost") this.setState("sending");
      if (this.state !== "sending") return;
      this.bar.value = sent / size;
      if (sent === size) {
        this.find("state").textContent = say("sent");
        return;
      }
      const now = performance.now();
      this.samples.push([now, sent]);
      while (this.samples.length > 2 && now - this.samples[0][0] > 5000) this.samples.shift();
      const [then, before] = this.samples[0];
      const speed = now > then ? (1000 * (sent - before)) / (now - then) : 0;
      const seconds = speed > 0 ? (size - sent) / speed : Infinity;
      const left = seconds === Infinity ? "" : seconds < 90 ? say("seconds", { n: Math.max(1, Math.round(seconds)) }) : say("minutes", { n: Math.round(seconds / 60) });
      const percent = Math.floor((100 * sent) / size);
      this.find("state").textContent = say("sending", { sent: formatSize(sent), size: formatSize(size), percent, speed: formatSize(speed), left });
      if (Math.floor(percent / 10) !== this.announcedTenth) {
        this.announcedTenth = Math.floor(percent / 10);
        announcement.textContent = `${this.file.name}: ${percent} %`;
      }
    }

    handleError(error) {
      if (!["sending", "lost"].includes(this.state)) return;
      const answer = error.originalResponse;
      const status = answer ? answer.getStatus() : 0;
      const recording = answer && answer.getHeader("Rollcall-Recording");
      if (RETRY_STATUSES.includes(status) && !recording) {
        this.setState("lost", say("lost"));
        this.timer = setTimeout(() => this.state === "lost" && this.upload.start(), this.retryDelay);
        this.retryDelay = Math.min(2 * this.retryDelay, MAX_RETRY_DELAY_MS);
        return;
      }
      let sentence = recording ? say("duplicate") : say("refused", { status });
      try {
        sentence = JSON.parse(answer.getBody()).detail || sentence;
      } catch {
        // Not JSON: an error page of a proxy.
      }
      this.refuse(sentence, recording);
    }

    handleSuccess(answer) {
      const recording = answer.getHeader("Rollcall-Recording");
      this.offer(recording);
      announcement.textContent = `${this.file.name}: ${say("done")}`;
      this.setState("done", say("done"));
      if (files.length === 1) window.location.assign(recordingPage(recording));
    }

    pause() {
      clearTimeout(this.timer);
      this.setState("paused", say("paused", { percent: Math.floor(100 * this.bar.value) }));
      this.upload.abort();
      this.find("resume").focus();
    }

    resume() {
      if (this.state === "refused") this.upload = this.createUpload(null);
      this.retryDelay = 1000;
      this.send();
    }

    remove() {
      clearTimeout(this.timer);
      if (this.worker) this.worker.terminate();
      this.state = "removed";
      if (this.upload) this.upload.abort(true).catch(() => {}); // if this fails, the server deletes it when it expires
      files.splice(files.indexOf(this), 1);
      this.row.remove();
      list.hidden = !files.length;
      startNext();
      (list.querySelector("[data-remove]:not([hidden])") || input).focus();
    }
  }

  // One file is read at a time, MAX_PARALLEL_UPLOADS are sent.
  const startNext = () => {
    if (!files.some((item) => item.state === "reading")) {
      const chosen = files.find((item) => item.state === "chosen");
      if (chosen) chosen.check();
    }
    while (started && files.filter((item) => ["sending", "lost"].includes(item.state)).length < MAX_PARALLEL_UPLOADS) {
      const ready = files.find((item) => item.state === "ready");
      if (!ready) break;
      ready.send();
    }
    form.querySelector("[data-send]").hidden = started && files.length > 0;
  };

  const addFiles = (chosen) => {
    problem.textContent = "";
    for (const file of chosen) {
      const isKnown = files.some((item) => item.file.name === file.name && item.file.size === file.size && item.file.lastModified === file.lastModified);
      if (isKnown) continue;
      const upload = new FileUpload(file);
      files.push(upload);
      upload.state = "chosen";
      upload.find("state").textContent = say("waiting");
    }
    input.value = "";
    startNext();
  };

  input.multiple = true;
  input.required = false;
  input.addEventListener("change", () => addFiles([...input.files]));
  if (input.files.length) addFiles([...input.files]); // chosen before this script had loaded
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!files.length) {
      problem.textContent = say("none");
      input.focus();
      return;
    }
    started = true;
    startNext();
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
    addFiles([...event.dataTransfer.files]);
  });

  window.addEventListener("online", () => {
    files.filter((item) => item.state === "lost").forEach((item) => {
      clearTimeout(item.timer);
      item.upload.start();
    });
  });
  window.addEventListener("beforeunload", (event) => {
    if (files.some((item) => ["sending", "lost"].includes(item.state))) event.preventDefault();
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
