// The upload form: a progress bar instead of a waiting browser. Without this script the form posts as any form does.
const form = document.querySelector("form[data-upload]");

if (form) {
  const input = form.querySelector("input[type=file]");
  const drop = form.querySelector(".drop");
  const problem = form.querySelector("[data-problem]");
  const uploading = form.querySelector("[data-uploading]");
  const bar = uploading.querySelector("progress");
  const said = form.querySelector("[data-said]");
  const send = form.querySelector("[data-send]");
  const abort = form.querySelector("[data-abort]");
  let request = null;
  let told = -1;

  const size = (bytes) => {
    const units = ["bytes", "KB", "MB", "GB", "TB"];
    const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log(bytes) / Math.log(1024)));
    return `${(bytes / 1024 ** power).toFixed(power > 1 ? 1 : 0)} ${units[power]}`;
  };

  const refuse = (sentence) => {
    request = null;
    uploading.hidden = abort.hidden = true;
    send.disabled = false;
    problem.textContent = sentence;
  };

  const tooLarge = (file) => {
    const limit = Number(form.dataset.maxBytes);
    return file && file.size > limit ? `The file has ${size(file.size)}; a recording may have ${size(limit)}. Split it, or export it with a lower quality.` : "";
  };

  const show = (event) => {
    if (!event.lengthComputable) return;
    bar.value = event.loaded / event.total;
    const tenth = Math.floor(bar.value * 10);
    if (event.loaded === event.total) {
      said.textContent = "All sent. The server is checking the file.";
    } else if (tenth !== told) {
      told = tenth;
      said.textContent = `${size(event.loaded)} of ${size(event.total)} sent (${tenth * 10} %)`;
    }
  };

  const answered = () => {
    let answer = {};
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      // No JSON: a proxy's own page. The sentence below is for that.
    }
    if (request.status === 201 && answer.url) {
      request = null;
      window.location.assign(answer.url);
    } else {
      refuse(answer.detail || `The server did not take the file (answer ${request.status}). Load the page again and try once more.`);
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (request) return;
    const sentence = tooLarge(input.files[0]);
    if (sentence) {
      refuse(sentence);
      return;
    }
    problem.textContent = "";
    uploading.hidden = abort.hidden = false;
    send.disabled = true;
    told = -1;
    bar.value = 0;
    request = new XMLHttpRequest();
    request.upload.addEventListener("progress", show);
    request.addEventListener("load", answered);
    request.addEventListener("error", () => refuse("The connection was lost while the file was being sent. Nothing was saved. Try again."));
    request.addEventListener("abort", () => refuse("The upload was stopped. Nothing was saved."));
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.send(new FormData(form));
  });

  abort.addEventListener("click", () => request && request.abort());
  input.addEventListener("change", () => {
    problem.textContent = tooLarge(input.files[0]);
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
    if (event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
      input.dispatchEvent(new Event("change"));
    }
  });

  window.addEventListener("beforeunload", (event) => {
    if (request) event.preventDefault();
  });
}
