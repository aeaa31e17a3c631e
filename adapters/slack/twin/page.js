// Keeps the page fresh: when something has happened, what is shown is fetched anew, unless a menu is open. Of a form that is being filled
// in only what stands below its fields changes.
"use strict";
const live = () => document.getElementById("live");
const toEnd = () => { const s = document.querySelector(".scroll"); if (s) s.scrollTop = s.scrollHeight; };
const busy = () => document.querySelector(".modal form .fields, details[open], .menu[open]") !== null;

const parse = text => new DOMParser().parseFromString(text, "text/html");

// renew shows what the app has put below the fields of a form; what stands in the fields stays.
function renew(fresh) {
  const old = document.querySelector(".modal .fields"), next = fresh.querySelector(".modal .fields");
  if (!old || !next) return;
  old.querySelectorAll(":scope > :not([data-block])").forEach(n => n.remove());
  let at = null;
  for (const n of [...next.children]) {
    const field = n.dataset.block && old.querySelector(`:scope > [data-block="${CSS.escape(n.dataset.block)}"]`);
    if (!field) at ? at.after(n) : old.prepend(n);
    at = field || n;
  }
}

let formSeen = "";
async function look() {
  try {
    const now = await (await fetch("/changes")).text();
    const filling = document.querySelector(".modal form .fields") !== null;
    if (now === (filling ? formSeen : live().dataset.changes) || busy() && !filling) return;
    const fresh = parse(await (await fetch(location.href)).text());
    if (filling) {
      formSeen = now;
      renew(fresh);
      return;
    }
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

function post(path, form, more) {
  const body = new URLSearchParams(new FormData(form));
  for (const name in more) body.set(name, more[name]);
  return fetch(path, { method: "POST", body });
}

// A change in a form is told to the app, if it asked for that.
async function tell(field) {
  if (!("told" in field.dataset)) return;
  try { renew(parse(await (await post("/change", field.closest("form"), { block: field.dataset.block })).text())); } catch { /* the twin was stopped */ }
}

// In a menu that the app fills it is asked at each letter.
async function suggest(query) {
  const field = query.closest(".field"), list = field.querySelector(".suggested"), typed = query.value;
  const answer = typed === "" ? null : await post("/suggest", query.form, { block: field.dataset.block, typed });
  if (query.value !== typed) return; // typed on meanwhile
  list.replaceChildren(...(answer && answer.ok ? await answer.json() : []).map(option => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = option.text.text;
    button.value = option.value;
    return button;
  }));
}

function choose(option) {
  const field = option.closest(".field"), query = field.querySelector(".query"), chip = document.createElement("span");
  const value = document.createElement("input"), remove = document.createElement("button");
  chip.className = "chip";
  Object.assign(value, { type: "hidden", name: "field." + field.dataset.block, value: option.value });
  Object.assign(remove, { type: "button", textContent: "×", ariaLabel: "remove" });
  chip.append(option.textContent, value, remove);
  field.querySelector(".chips").append(chip);
  field.querySelector(".suggested").replaceChildren();
  query.value = "";
  query.focus();
  tell(field);
}

document.addEventListener("input", e => { if (e.target.matches(".query")) suggest(e.target); });
document.addEventListener("change", e => { const field = e.target.closest(".field"); if (field && !e.target.matches(".query")) tell(field); });
document.addEventListener("keydown", e => {
  if (e.key !== "Enter" || !e.target.matches(".query")) return;
  e.preventDefault();
  const first = e.target.closest(".field").querySelector(".suggested button");
  if (first) choose(first);
});
document.addEventListener("click", e => {
  if (e.target.matches(".suggested button")) choose(e.target);
  if (e.target.matches(".chip button")) { const field = e.target.closest(".field"); e.target.parentElement.remove(); tell(field); }
});

toEnd();
setInterval(look, 1000);
