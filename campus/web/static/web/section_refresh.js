// A part of a page that changes while a worker is at it: exchanged for its newest state until that no longer says "again".
const EVERY = 2000;

const again = async () => {
  const old = document.querySelector("[data-again]");
  if (!old) return;
  try {
    const answer = document.hidden ? null : await fetch(window.location.href, { headers: { Accept: "text/html" }, redirect: "error" });
    const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    if (page) old.replaceWith(document.adoptNode(page.querySelector("[data-part]")));
  } catch {
    // The server is away for a moment; it is asked again.
  }
  setTimeout(again, EVERY);
};

setTimeout(again, EVERY);
