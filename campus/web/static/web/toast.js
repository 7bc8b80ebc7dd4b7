// A toast goes by itself, but not while somebody points at it or is in it. Its cross, Escape and a question that opens,
// which it could cover, end it at once.
attachTo(".toast", (toast) => {
  const SHOWN_MS = 5000;
  let timer = 0;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => toast.remove(), SHOWN_MS);
  };
  const stay = () => clearTimeout(timer);
  for (const event of ["pointerenter", "focusin"]) toast.addEventListener(event, stay);
  for (const event of ["pointerleave", "focusout"]) toast.addEventListener(event, wait);
  toast.querySelector("[data-dismiss]").addEventListener("click", () => toast.remove());
  wait();
});

{
  const endToasts = () => document.querySelectorAll(".toasts > .toast").forEach((toast) => toast.remove());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") endToasts();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest(".ask > summary")) endToasts();
  });
}
