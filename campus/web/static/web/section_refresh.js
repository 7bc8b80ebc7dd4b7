// Refreshes the sections of a page that a worker is still busy with. The page is not reloaded: that would empty a form
// that somebody is filling in, or cancel its submission. Sections of lists, which may change, have names.
const REFRESH_MS = 2000;
let refreshTimer = 0;

const refreshSections = async () => {
  if (!document.querySelector("[data-refresh]")) return;
  try {
    const answer = document.hidden ? null : await fetch(window.location.href, { headers: { Accept: "text/html" }, redirect: "error" });
    if (answer?.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const [shown, fresh] = [document, page].map((source) => [...source.querySelectorAll("[data-section]")]);
      const named = new Map(fresh.map((section) => [section.dataset.section, section]));
      shown.forEach((section, n) => {
        const successor = section.dataset.section ? named.get(section.dataset.section) : fresh[n];
        if (successor && "refresh" in section.dataset) section.replaceWith(document.adoptNode(successor));
      });
    }
  } catch {
    // The server is unreachable for a moment: try again.
  }
  refreshLater();
};

const refreshLater = () => {
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(refreshSections, REFRESH_MS);
};

document.addEventListener("content-replaced", refreshLater);
refreshLater();
