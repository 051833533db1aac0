// What a page does with a script that it also does without: keys, holding its updates, and showing where one is. htmx brings the updates.
(() => {
  const kept = (name) => localStorage.getItem(name) === "off";
  const keep = (name, isOff) => (isOff ? localStorage.setItem(name, "off") : localStorage.removeItem(name));
  const part = (id) => document.getElementById(id);

  const [keys, show, use] = [part("keys"), part("show-keys"), part("use-keys")];
  show.hidden = false;
  show.addEventListener("click", () => keys.showModal());
  use.checked = !kept("keys");
  use.addEventListener("change", () => keep("keys", !use.checked));
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, textarea, select") !== null;
    if (!use.checked || isTyping || keys.open || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      document.querySelector(".go input").focus();
    } else if (event.key === "?") {
      keys.showModal();
    }
  });

  // On a narrow screen the pages are one line that scrolls by itself: the one that is shown is brought into its middle.
  const here = document.querySelector(".side [aria-current]");
  if (here) {
    const side = here.closest(".side");
    side.scrollLeft = here.offsetLeft - side.offsetLeft - (side.clientWidth - here.offsetWidth) / 2;
  }

  // Whoever reads may stop what moves (WCAG 2.2.2).
  const hold = part("hold");
  if (!hold) return;
  const say = () => (hold.textContent = kept("updates") ? "Update by itself" : "Stop updating");
  say();
  hold.hidden = false;
  hold.addEventListener("click", () => {
    keep("updates", !kept("updates"));
    say();
    if (!kept("updates")) htmx.trigger(document.body, "grown");
  });
  // Nothing is asked for then; and what was asked for before, and is answered only now, moves nothing either.
  for (const name of ["htmx:before:request", "htmx:before:swap"]) {
    document.addEventListener(name, (event) => {
      if (event.target.id === "live" && kept("updates")) event.preventDefault();
    });
  }
})();
