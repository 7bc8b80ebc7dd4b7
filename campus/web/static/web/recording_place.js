// Moves the recording along its lecture: the slider, the bar above it and the time field say the same.
const DAY_SECONDS = 86400;

const toTime = (seconds) => {
  const second = ((Math.round(seconds) % DAY_SECONDS) + DAY_SECONDS) % DAY_SECONDS;
  return [3600, 60, 1].map((unit, n) => String(Math.floor(second / unit) % (n ? 60 : 24)).padStart(2, "0")).join(":");
};

attachTo("[data-place]", (form) => {
  const slider = form.querySelector("[type=range]");
  const field = form.querySelector("[type=time]");
  const bar = form.closest(".place").querySelector("[data-recording-bar]");
  const [first, last] = [Number(form.dataset.first), Number(form.dataset.last)];
  const starts = secondsOfDay(form.dataset.starts);
  const width = parseFloat(bar.getAttribute("width"));

  const moveBar = (offset) => bar.setAttribute("x", `${((100 - width) * (offset - first)) / (last - first)}%`);

  slider.addEventListener("input", () => {
    field.value = toTime(starts + slider.valueAsNumber);
    moveBar(slider.valueAsNumber);
  });
  field.addEventListener("input", () => {
    if (!field.value) return;
    const later = secondsOfDay(field.value) - starts;
    slider.value = later > DAY_SECONDS / 2 ? later - DAY_SECONDS : later < -DAY_SECONDS / 2 ? later + DAY_SECONDS : later;
    moveBar(slider.valueAsNumber);
  });
  slider.parentElement.hidden = false;
});
