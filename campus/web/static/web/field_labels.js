// Labels fields for screen readers where the theme has none: in the rows of tables, and select2's search fields. On a phone
// a row's facts have their labels beside them, which begin with a capital there.
const setLabel = (element, text) => text && element.setAttribute("aria-label", text);

const labelFields = () => {
  for (const cell of document.querySelectorAll("[data-label]")) {
    cell.dataset.label = cell.dataset.label.charAt(0).toLocaleUpperCase() + cell.dataset.label.slice(1);
  }
  for (const field of document.querySelectorAll("td[data-label] :is(input, select, textarea):not([type=hidden], [aria-label])")) {
    if (!field.labels?.length) setLabel(field, field.closest("td").dataset.label);
  }
  for (const search of document.querySelectorAll("select.admin-autocomplete")) {
    const text = search.labels?.[0]?.textContent.trim() || search.getAttribute("aria-label");
    search.nextElementSibling?.querySelectorAll("[role=combobox], [role=textbox], [role=searchbox]").forEach((part) => setLabel(part, text));
  }
};

document.addEventListener("DOMContentLoaded", labelFields);
document.addEventListener("formset:added", labelFields);
new MutationObserver((changes) => {
  if (changes.some((change) => [...change.addedNodes].some((node) => node.classList?.contains("select2")))) labelFields();
}).observe(document.documentElement, { childList: true, subtree: true });
