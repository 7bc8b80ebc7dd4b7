// Pictures that are being cut out of a recording: asks for them, and loads the page again when one is there.
const wanted = [...document.querySelectorAll("[data-snapshot]")];
const EVERY = 1000;
const LONGEST = 120000;
const began = Date.now();

const ask = async () => {
  const answers = await Promise.all(
    wanted.map((place) => fetch(place.dataset.snapshot, { redirect: "error" }).then((answer) => answer.status, () => 0)),
  );
  if (answers.some((status) => status === 200 || status === 404)) window.location.reload();
  else if (Date.now() - began < LONGEST) setTimeout(ask, EVERY);
};

if (wanted.length) setTimeout(ask, EVERY);
