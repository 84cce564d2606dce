"use strict";
// Keeps the page true: parts that changed are replaced, ages and countdowns go on, and when nothing
// comes any more the page says so instead of looking alive.
const QUIET_S = 12;
const shown = {};
let ahead = Number(document.body.dataset.at) - Date.now() / 1000;
let heard = Date.now() / 1000;
let broken = false;

function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 ? `${Math.floor(s / 60)}m${two(s % 60)}s` : `${s / 60}m`;
  if (s < 86400) {
    const m = Math.floor((s % 3600) / 60);
    return m ? `${Math.floor(s / 3600)}h${two(m)}m` : `${Math.floor(s / 3600)}h`;
  }
  const h = Math.floor((s % 86400) / 3600);
  return h ? `${Math.floor(s / 86400)}d ${h}h` : `${Math.floor(s / 86400)}d`;
}

function tick() {
  const here = Date.now() / 1000;
  const now = here + ahead;
  for (const one of document.querySelectorAll("[data-since]"))
    one.textContent = `${span(now - Number(one.dataset.since))} ago`;
  for (const one of document.querySelectorAll("[data-for]"))
    one.textContent = span(now - Number(one.dataset.for));
  for (const one of document.querySelectorAll("[data-until]"))
    one.textContent = span(Number(one.dataset.until) - now);
  const quiet = here - heard;
  const isLost = broken || quiet > QUIET_S;
  const bar = document.getElementById("lost");
  document.body.classList.toggle("lost", isLost);
  bar.hidden = !isLost;
  // A screen reader says the alert once: what counts the seconds stands below it, unread.
  const told = isLost ? "hamnd does not answer. On the node: hamnctl status" : "";
  if (bar.textContent !== told) bar.textContent = told;
  const age = document.getElementById("lost-age");
  age.hidden = !isLost;
  if (isLost) age.textContent = `What stands here is ${span(quiet)} old.`;
}

// Whether one tree can become the other by its texts and attributes alone.
function isAlike(one, other) {
  if (one.nodeName !== other.nodeName || one.childNodes.length !== other.childNodes.length) return false;
  return [...one.childNodes].every((child, n) => isAlike(child, other.childNodes[n]));
}

// Ages and stamps change every second: what is selected or being read stays where it is.
function become(one, other) {
  if (one.nodeType === Node.TEXT_NODE) {
    if (one.data !== other.data) one.data = other.data;
    return;
  }
  for (const { name } of [...one.attributes]) if (!other.hasAttribute(name)) one.removeAttribute(name);
  for (const { name, value } of other.attributes)
    if (one.getAttribute(name) !== value) one.setAttribute(name, value);
  [...one.childNodes].forEach((child, n) => become(child, other.childNodes[n]));
}

function renew(part, markup) {
  const made = part.cloneNode(false);
  made.innerHTML = markup;
  if (isAlike(part, made)) become(part, made);
  else part.innerHTML = markup;
}

function take(made) {
  heard = Date.now() / 1000;
  broken = false;
  ahead = made.at - heard;
  document.title = made.title;
  document.documentElement.dataset.tone = made.tone;
  for (const [id, markup] of Object.entries(made.parts)) {
    if (shown[id] === markup) continue;
    shown[id] = markup;
    const part = document.getElementById(id);
    if (part) renew(part, markup);
  }
  document.body.classList.add("live");
  tick();
}

function listen() {
  const stream = new EventSource("events");
  stream.onmessage = (event) => take(JSON.parse(event.data));
  stream.onerror = () => {
    broken = true;
    tick();
    // A browser gives a refused stream up for good; a daemon that starts again is worth asking.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 1000);
  };
}

setInterval(tick, 1000);
listen();
