// Reads the translated sentences of a page from its template and fills in {names}; formats sizes; reads times of day.
// eslint-disable-next-line no-unused-vars
const sentencesFrom = (template) => {
  const sentences = new Map([...template.content.querySelectorAll("[data-sentence]")].map((node) => [node.dataset.sentence, node.textContent]));
  return (key, values = {}) => sentences.get(key).replace(/\{(\w+)\}/g, (_, name) => values[name]);
};

// eslint-disable-next-line no-unused-vars
const formatSize = (bytes) => {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log(bytes) / Math.log(1024)));
  return `${(bytes / 1024 ** power).toFixed(power > 1 ? 1 : 0)} ${units[power]}`;
};

// "9:30" or "9:30:15" as seconds since midnight.
// eslint-disable-next-line no-unused-vars
const secondsOfDay = (time) => time.split(":").reduce((sum, part, n) => sum + Number(part) * [3600, 60, 1][n], 0);
