// Sends a file straight to the storage, in parts to addresses that the server signs. It is used like a tus.Upload, and
// becomes one where this browser does not reach the storage.
window.DirectUpload = class {
  static MAX_FAILURES = 3; // of the storage, one after the other, while the server answers and no part has been taken
  static STALL_MS = 30000;

  constructor(file, options) {
    Object.assign(this, { file, options, failures: 0, isStorageReached: false });
  }

  async start() {
    if (this.tus) return this.tus.start();
    const { signal } = (this.stopper = new AbortController());
    try {
      if (!this.options.uploadUrl) await this.create(signal);
      if (!this.options.partsUrl) return this.becomeTus(this.options.uploadUrl);
      let state = await this.ask(signal);
      while (!state.recording) {
        let sent = state.offset;
        for (const part of state.missing) {
          await this.put(part, sent, signal);
          sent += part.size;
        }
        state = await this.ask(signal);
      }
      return this.options.onSuccess({ lastResponse: { getHeader: () => state.recording } });
    } catch (error) {
      if (signal.aborted) return undefined;
      if (this.failures < DirectUpload.MAX_FAILURES || this.isStorageReached) return this.options.onError(error);
      await this.remove().catch(() => {}); // if this fails, the server deletes it when it expires
      return this.becomeTus(null);
    }
  }

  async abort(isOver) {
    if (this.tus) return this.tus.abort(isOver);
    this.stopper?.abort();
    return isOver && this.options.uploadUrl ? this.remove() : undefined;
  }

  becomeTus(uploadUrl) {
    this.tus = new window.tus.Upload(this.file, { ...this.options, uploadUrl });
    return this.tus.start();
  }

  async create(signal) {
    const metadata = Object.entries(this.options.metadata).map(([key, value]) => `${key} ${btoa(String.fromCharCode(...new TextEncoder().encode(value)))}`);
    const answer = await DirectUpload.request(this.options.endpoint, "POST", { ...this.options.headers, "Upload-Length": this.file.size, "Upload-Metadata": metadata.join(",") }, signal);
    this.options.uploadUrl = answer.headers.get("Location");
    this.options.partsUrl = answer.headers.get("Rollcall-Parts");
  }

  async ask(signal) {
    try {
      return await DirectUpload.ask(this.options.partsUrl, this.options.headers, signal);
    } catch (error) {
      this.failures = 0; // the network may have been the reason
      throw error;
    }
  }

  remove() {
    return DirectUpload.request(this.options.uploadUrl, "DELETE", this.options.headers);
  }

  // Only an XMLHttpRequest says how many bytes have been sent.
  put(part, sentBefore, signal) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      let timer;
      const watch = () => {
        clearTimeout(timer);
        timer = setTimeout(() => request.abort(), DirectUpload.STALL_MS);
      };
      const stop = () => request.abort();
      request.upload.addEventListener("progress", ({ loaded }) => {
        watch();
        this.options.onProgress(sentBefore + loaded, this.file.size);
      });
      request.addEventListener("loadend", () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", stop);
        if (request.status === 200) {
          Object.assign(this, { failures: 0, isStorageReached: true });
          resolve();
        } else {
          this.failures += 1;
          reject(new Error("The storage did not take a part.")); // without an answer of the server, so it is repeated
        }
      });
      signal.addEventListener("abort", stop);
      request.open("PUT", part.url);
      watch();
      request.send(this.file.slice(part.start, part.start + part.size));
    });
  }

  // How far an upload is, and where the next parts go.
  static async ask(url, headers, signal) {
    return (await DirectUpload.request(url, "POST", headers, signal)).json();
  }

  static async request(url, method, headers, signal) {
    const answer = await fetch(url, { method, headers: { Accept: "application/json", "Tus-Resumable": "1.0.0", ...headers }, signal });
    if (answer.ok) return answer;
    const body = await answer.text();
    const originalResponse = { getStatus: () => answer.status, getHeader: (name) => answer.headers.get(name), getBody: () => body };
    throw Object.assign(new Error(`${method} ${answer.status}`), { originalResponse });
  }
};
