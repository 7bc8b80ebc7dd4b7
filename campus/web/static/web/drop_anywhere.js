// A recording that is dropped on a lecture goes to it; one that is dropped elsewhere on the page, to the lecture that its
// owner chooses.
const dropUpload = document.querySelector("[data-drop-upload]");

if (dropUpload && window.tus) {
  const form = dropUpload.querySelector("form");
  const input = form.querySelector("input[type=file]");
  const title = dropUpload.querySelector("h2");
  const hint = document.querySelector("[data-drop-hint]");
  const dialog = document.querySelector("[data-drop-dialog]");
  const list = dialog.querySelector("[data-dropped]");
  const types = input.accept.split(",");
  let dropped = [];

  const isRecording = ({ name, type }) => types.some((wanted) => (wanted.startsWith(".") ? name.toLowerCase().endsWith(wanted) : type.startsWith(wanted.replace("*", ""))));
  const hasFiles = (event) => event.dataTransfer.types.includes("Files");

  // The form takes files as if they had been chosen in it.
  const fill = (files) => {
    const transfer = new DataTransfer();
    files.forEach((file) => transfer.items.add(file));
    input.files = transfer.files;
    input.dispatchEvent(new Event("change"));
  };

  const ask = (files) => {
    dropped = files.filter(isRecording);
    list.replaceChildren(...dropped.map((file) => Object.assign(document.createElement("li"), { textContent: `${file.name}, ${formatSize(file.size)}` })));
    dialog.querySelector("[data-refused]").hidden = dropped.length === files.length;
    dialog.querySelector("[data-choices]").hidden = !dropped.length;
    dialog.returnValue = "";
    if (!dialog.open) dialog.showModal();
  };

  const choice = (lecture) => dialog.querySelector(`button[value="${CSS.escape(lecture)}"][data-action]`);

  const upload = (chosen, files) => {
    Object.assign(form.dataset, { lecture: chosen.value, starts: chosen.dataset.starts });
    form.action = chosen.dataset.action;
    title.textContent = chosen.dataset.title;
    dropUpload.hidden = false;
    fill(files);
    form.requestSubmit();
    title.focus();
  };

  // Marks the lecture that a file is over.
  const pointAt = (row) => {
    for (const other of document.querySelectorAll(".drop-target")) other.classList.toggle("drop-target", other === row);
    row?.classList.add("drop-target");
  };
  const lectureUnder = (event) => {
    const row = event.target.closest("[data-takes-recording]");
    return dropUpload.hidden && row && choice(row.dataset.takesRecording) ? row : null;
  };

  document.addEventListener("dragover", (event) => {
    if (event.defaultPrevented || !hasFiles(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
    pointAt(lectureUnder(event));
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget) return;
    document.body.classList.remove("dropping");
    pointAt(null);
  });
  document.addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    pointAt(null);
    if (event.defaultPrevented || !hasFiles(event)) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    const row = lectureUnder(event);
    if (row && files.every(isRecording)) upload(choice(row.dataset.takesRecording), files);
    else if (dropUpload.hidden) ask(files);
    else fill(files.filter(isRecording));
  });

  dialog.addEventListener("close", () => {
    const chosen = choice(dialog.returnValue);
    if (chosen) upload(chosen, dropped);
  });

  if (window.matchMedia("(pointer: fine)").matches) hint.hidden = false;
}
