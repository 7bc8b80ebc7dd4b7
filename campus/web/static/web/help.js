// "?" opens and closes the help of the page. Without this script the question mark in the header does.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select");
  if (event.key !== "?" || event.ctrlKey || event.metaKey || event.altKey || isTyping) return;
  event.preventDefault();
  document.getElementById("help").togglePopover();
});
