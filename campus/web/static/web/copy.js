// A button that copies what stands beside it. Without this script, the text is selected by hand.
for (const button of document.querySelectorAll("[data-copy]")) {
  const SHOWN_MS = 4000;
  const source = button.closest(".copyable").querySelector("input, textarea, code");
  const said = button.nextElementSibling;
  let timer = 0;

  // Over plain http there is no clipboard to write to, but what is selected can be copied.
  const copySelected = () => {
    getSelection().selectAllChildren(source);
    source.select?.();
    document.execCommand("copy");
    button.focus();
  };

  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
    } catch {
      copySelected();
    }
    said.textContent = said.dataset.said;
    clearTimeout(timer);
    timer = setTimeout(() => said.replaceChildren(), SHOWN_MS);
  });
  button.hidden = false;
}
