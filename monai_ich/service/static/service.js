// The worklist stays live and is used by keyboard. Without this script the pages work all the same.
"use strict";
const list = document.getElementById("studies");
let tag = "";

async function refresh() {
  const query = new URLSearchParams(location.search);
  query.set("rows", "1");
  try {
    const answer = await fetch("/?" + query, { headers: tag ? { "If-None-Match": tag } : {} });
    if (answer.status === 200) {
      const at = document.activeElement && document.activeElement.dataset.case;
      tag = answer.headers.get("ETag") || "";
      list.innerHTML = await answer.text();
      if (at) list.querySelector(`[data-case="${at}"]`)?.focus();
    }
    say(answer.ok || answer.status === 304 ? "" : "The service answers " + answer.status + ".");
  } catch {
    say("No answer from the service: what you see may be old.");
  }
}

function say(text) {
  const place = document.getElementById("live");
  if (place.textContent !== text) place.textContent = text;
}

function move(step) {
  const rows = [...list.querySelectorAll("a[data-case]")];
  const next = rows[Math.max(0, Math.min(rows.length - 1, rows.indexOf(document.activeElement) + step))];
  if (next) next.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
  if (list && (event.key === "j" || event.key === "ArrowDown")) { move(1); event.preventDefault(); }
  else if (list && (event.key === "k" || event.key === "ArrowUp")) { move(-1); event.preventDefault(); }
  else if (list && event.key === "/") { document.querySelector("input[name=q]").focus(); event.preventDefault(); }
  else if (list && /^[1-9]$/.test(event.key)) { list.querySelectorAll("a[data-case]")[event.key - 1]?.click(); }
  else if (!list && event.key === "u") { location.href = "/"; }
  else if (!list && /^[cmd]$/.test(event.key)) {
    const names = { c: "confirmed", m: "modified", d: "dismissed" };
    const choice = document.querySelector(`input[name=reading][value=${names[event.key]}]`);
    if (choice) { choice.checked = true; choice.focus(); event.preventDefault(); }
  }
});
if (list) setInterval(refresh, 3000);
