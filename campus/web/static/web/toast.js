// A toast goes by itself, but not while somebody points at it or is in it. Escape ends it at once.
attachTo(".toast", (toast) => {
  const SHOWN_MS = 8000;
  let timer = 0;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => toast.remove(), SHOWN_MS);
  };
  const stay = () => clearTimeout(timer);
  for (const event of ["pointerenter", "focusin"]) toast.addEventListener(event, stay);
  for (const event of ["pointerleave", "focusout"]) toast.addEventListener(event, wait);
  wait();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.querySelectorAll(".toast").forEach((toast) => toast.remove());
});
