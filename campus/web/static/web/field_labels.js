// Fields that the theme leaves without a name for screen readers: those in the rows of a table, and the searches that select2 draws.
const name = (element, text) => text && element.setAttribute("aria-label", text);

const nameFields = () => {
  for (const field of document.querySelectorAll("td[data-label] :is(input, select, textarea):not([type=hidden], [aria-label])")) {
    if (!field.labels?.length) name(field, field.closest("td").dataset.label);
  }
  for (const search of document.querySelectorAll("select.admin-autocomplete")) {
    const text = search.labels?.[0]?.textContent.trim() || search.getAttribute("aria-label");
    search.nextElementSibling?.querySelectorAll("[role=combobox], [role=textbox], [role=searchbox]").forEach((part) => name(part, text));
  }
};

document.addEventListener("DOMContentLoaded", nameFields);
document.addEventListener("formset:added", nameFields);
new MutationObserver((changes) => {
  if (changes.some((change) => [...change.addedNodes].some((node) => node.classList?.contains("select2")))) nameFields();
}).observe(document.documentElement, { childList: true, subtree: true });
