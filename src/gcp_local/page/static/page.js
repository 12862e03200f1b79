// Looks again every two seconds at a page about something that is under way, and puts in the place of
// each part what it has become. Without this script the page loads anew by itself.
"use strict";

const EVERY = 2000;

const BOXES = "[data-scroll], pre";

// What a reader has done to a part: how far boxes are scrolled, and which folds are open.
function stateOf(part) {
  return {
    boxes: [...part.querySelectorAll(BOXES)].map((box) => ({
      left: box.scrollLeft,
      top: box.scrollTop,
      atEnd: box.scrollHeight - box.scrollTop - box.clientHeight < 4,
    })),
    open: [...part.querySelectorAll("details[open]")].map((fold) => fold.id),
  };
}

function restore(part, state) {
  state.open.forEach((id) => {
    const fold = id && part.querySelector(`#${CSS.escape(id)}`);
    if (fold) fold.open = true;
  });
  part.querySelectorAll(BOXES).forEach((box, place) => {
    const was = state.boxes[place];
    if (!was) return;
    box.scrollLeft = was.left;
    box.scrollTop = box.hasAttribute("data-end") && was.atEnd ? box.scrollHeight : was.top;
  });
}

function replace(main, fresh) {
  const old = new Map([...main.children].map((part) => [part.dataset.part, part]));
  const focused = main.contains(document.activeElement) && document.activeElement.getAttribute("href");
  const states = [];
  const next = [...fresh.children].map((part) => {
    const before = part.dataset.part && old.get(part.dataset.part);
    if (before && before.outerHTML === part.outerHTML) return before;
    if (before) states.push([part, stateOf(before)]);
    return part;
  });
  const { scrollX, scrollY } = window;
  main.replaceChildren(...next);
  states.forEach(([part, state]) => restore(part, state));
  window.scrollTo({ left: scrollX, top: scrollY, behavior: "instant" });
  if (focused) {
    const again = [...main.querySelectorAll("a[href]")].find((link) => link.getAttribute("href") === focused);
    if (again) again.focus({ preventScroll: true });
  }
}

async function look() {
  const main = document.querySelector("main[data-live]");
  if (!main) return;
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = fresh.querySelector("main");
      if (answer.ok && next) {
        const over = !next.hasAttribute("data-live");
        replace(main, next);
        if (over) {
          main.removeAttribute("data-live");
          return;
        }
      }
    } catch {
      // The server is away; it may come back.
    }
  }
  setTimeout(look, EVERY);
}

document.querySelectorAll("pre[data-end]").forEach((log) => { log.scrollTop = log.scrollHeight; });
setTimeout(look, EVERY);
