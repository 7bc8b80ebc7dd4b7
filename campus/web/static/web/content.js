// Content that is replaced without a reload: whoever replaces it calls `announceContent`, and scripts that act on some
// of it use `attachTo`, so that they act on what comes later, too.
// eslint-disable-next-line no-unused-vars
const announceContent = (element) => element.dispatchEvent(new Event("content-replaced", { bubbles: true }));

// Calls `attach` for each element that matches, now and in all later content.
// eslint-disable-next-line no-unused-vars
const attachTo = (selector, attach) => {
  document.querySelectorAll(selector).forEach(attach);
  document.addEventListener("content-replaced", (event) => event.target.querySelectorAll(selector).forEach(attach));
};
