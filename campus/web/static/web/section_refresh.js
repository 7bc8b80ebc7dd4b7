// Refreshes a section of a page while a worker is busy with it, until the section no longer asks for it.
const REFRESH_MS = 2000;

const refreshSection = async () => {
  const old = document.querySelector("[data-refresh]");
  if (!old) return;
  try {
    const answer = document.hidden ? null : await fetch(window.location.href, { headers: { Accept: "text/html" }, redirect: "error" });
    const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    if (page) old.replaceWith(document.adoptNode(page.querySelector("[data-section]")));
  } catch {
    // The server is unreachable for a moment: try again.
  }
  setTimeout(refreshSection, REFRESH_MS);
};

setTimeout(refreshSection, REFRESH_MS);
