// Waits for frames that are being extracted from a recording, and reloads the page when one is ready.
const pending = [...document.querySelectorAll("[data-snapshot]")];
const POLL_MS = 1000;
const MAX_WAIT_MS = 120000;
const startedAt = Date.now();

const poll = async () => {
  const answers = await Promise.all(
    pending.map((figure) => fetch(figure.dataset.snapshot, { redirect: "error" }).then((answer) => answer.status, () => 0)),
  );
  if (answers.some((status) => status === 200 || status === 404)) window.location.reload();
  else if (Date.now() - startedAt < MAX_WAIT_MS) setTimeout(poll, POLL_MS);
};

if (pending.length) setTimeout(poll, POLL_MS);
