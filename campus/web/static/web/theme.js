// Before the first paint: the admin's theme would say whether the page is dark only when all of its scripts have run.
document.documentElement.classList.toggle("dark", matchMedia("(prefers-color-scheme: dark)").matches);
