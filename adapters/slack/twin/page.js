// Keeps the page fresh: when something has happened, what is shown is fetched anew, unless somebody is filling in a form or a menu is open.
"use strict";
const live = () => document.getElementById("live");
const toEnd = () => { const s = document.querySelector(".scroll"); if (s) s.scrollTop = s.scrollHeight; };
const busy = () => document.querySelector(".modal form .fields, details[open], .menu[open]") !== null;

async function look() {
  try {
    const now = await (await fetch("/changes")).text();
    if (now === live().dataset.changes || busy()) return;
    const fresh = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    for (const part of [".side", ".bar", ".scroll"]) {
      const old = document.querySelector(part), next = fresh.querySelector(part);
      if (old && next) old.replaceWith(next);
    }
    const modal = fresh.querySelector(".shade");
    if (modal) live().append(modal);
    live().dataset.changes = now;
    toEnd();
  } catch { /* the twin was stopped */ }
}

toEnd();
setInterval(look, 1000);
