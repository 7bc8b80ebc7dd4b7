// The theme's search fields are drawn by select2, which takes no name from the field's label. Screen readers need one.
const nameSearches = () => {
  for (const select of document.querySelectorAll("select.admin-autocomplete")) {
    const label = document.querySelector(`label[for="${select.id}"]`);
    const name = label ? label.textContent.trim() : select.closest("[data-label]")?.dataset.label;
    const drawn = select.nextElementSibling?.querySelectorAll("[role=combobox], [role=textbox], [role=searchbox]") ?? [];
    for (const part of name ? drawn : []) part.setAttribute("aria-label", name);
  }
};
window.addEventListener("load", nameSearches);
document.addEventListener("formset:added", nameSearches);
