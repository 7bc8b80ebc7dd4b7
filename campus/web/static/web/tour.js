// The tour: one card after the other, each beside what it is about. Ended or skipped, it does not come again.
{
  const GAP = 12; // pixels between the card and what it is about, and from the window's edge
  const tour = document.getElementById("tour");
  const form = tour.querySelector("form");
  const [back, next, done] = ["[data-back]", "[data-next]", "[data-done]"].map((one) => tour.querySelector(one));
  const steps = [...tour.querySelectorAll("[data-at]")];
  let current = 0;

  const target = () => {
    const found = document.querySelector(steps[current].dataset.at);
    return found?.checkVisibility() ? found : null;
  };

  const place = () => {
    const about = target()?.getBoundingClientRect();
    tour.classList.toggle("placed", Boolean(about));
    if (!about) return;
    const { width, height } = tour.getBoundingClientRect();
    const lowest = innerHeight - height - GAP;
    const above = about.top - height - GAP;
    const below = about.bottom + GAP;
    const top = below <= lowest || above < GAP ? Math.min(below, lowest) : above;
    tour.style.top = `${Math.max(GAP, top)}px`;
    tour.style.left = `${Math.max(GAP, Math.min(about.left, document.documentElement.clientWidth - width - GAP))}px`;
  };

  const show = (n) => {
    target()?.classList.remove("tour-target");
    current = Math.max(0, Math.min(n, steps.length - 1));
    const isLast = current === steps.length - 1;
    steps.forEach((step, index) => (step.hidden = index !== current));
    back.hidden = current === 0;
    next.hidden = isLast;
    done.hidden = !isLast;
    target()?.classList.add("tour-target");
    target()?.scrollIntoView({ block: "center" });
    place();
    (isLast ? done : next).focus({ preventScroll: true });
  };

  const end = () => {
    target()?.classList.remove("tour-target");
    tour.hidePopover();
    document.getElementById("main").focus({ preventScroll: true }); // the next Tab is in the page, not after it
    fetch(form.action, { method: "POST", body: new FormData(form), keepalive: true });
  };

  back.addEventListener("click", () => show(current - 1));
  next.addEventListener("click", () => show(current + 1));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    end();
  });
  tour.addEventListener("keydown", (event) => {
    if (event.key === "Escape") end();
    else if (event.key === "ArrowRight") show(current + 1);
    else if (event.key === "ArrowLeft") show(current - 1);
    else return;
    event.preventDefault();
  });
  addEventListener("resize", place);
  addEventListener("scroll", place, { passive: true });

  tour.showPopover();
  show(0);
}
