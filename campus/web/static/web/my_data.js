// Sends a student's photos as soon as they are chosen or taken. Without this script, the form has a button.
document.documentElement.classList.add("scripted");

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-own-photos]");
  if (!form) return;
  const isChosen = [...form.querySelectorAll("[type=file]")].some((input) => input.files.length);
  if (!isChosen || !form.reportValidity()) return;
  form.classList.add("sending");
  form.querySelector("[data-progress]").textContent = form.dataset.sending;
  form.submit();
});
