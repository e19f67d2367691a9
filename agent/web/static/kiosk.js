// The screen at the door: shows what the device says, each result for some seconds, and says so when it hears nothing.
"use strict";

const words = JSON.parse(document.body.dataset.words);
const language = document.body.dataset.language;
const [FIRST, OTHER] = language === "zh" ? [0, 1] : [1, 0];
const SILENT_MS = 3000;
const AGAIN_MS = 1000;
const PROMPT_TAKES_OVER_MS = 1500;
const DIALOG_MS = 60000;
const EARLIER = 1;

// Level (how the panel looks), shape, how long it stands.
const KINDS = {
  accepted: ["good", "check", 4000],
  checked_out: ["good", "out", 4000],
  seen: ["good", "check", 4000],
  already_checked_in: ["again", "checks", 4000],
  not_in_class: ["refused", "stop", 6000],
  unknown: ["refused", "question", 6000],
  failed: ["refused", "question", 6000],
  suspected_attack: ["prompt", "face", 5000],
  called: ["prompt", "face", 15000],
  other_way: ["down", "warning", 6000],
  no_session: ["wait", "clock", 3000],
  look_here: ["prompt", "face"],
  closer: ["prompt", "closer"],
  turn: ["prompt", "face"],
  light: ["prompt", "light"],
  hold_still: ["prompt", "still"],
};
const ASKS_OTHER_WAY = new Set(["unknown", "failed", "other_way", "suspected_attack"]);
const BLIND = new Set(["camera", "preparing", "silent"]); // no picture, so the PIN is taken no more than a face
const STATES = { waiting: ["wait", "face"], no_session: ["wait", "clock"], unavailable: ["down", "warning"], blind: ["down", "warning"], lost: ["lost", "wait"] };

const element = (id) => document.getElementById(id);
const picture = element("picture");
const frames = element("frames");
const dialog = element("other-way-dialog");

let door = { state: "lost", prompt: null };
let run = null;
let seen = 0;
let results = []; // {answer, since, until}, the newest last
let heardAt = performance.now();
let source = null;
let drawn = "";
let loading = false;
let pictureAt = 0;

function sizeOf(text) {
  if (!/[\u3400-\u9fff]/.test(text)) return text.length > 20 || /\S{10}/.test(text) ? "long" : "wide";
  if (text.length <= 4) return "4";
  if (text.length === 5) return "5";
  return text.length === 7 || text.length === 8 ? "4" : text.length > 12 ? "long" : "6";
}

function use(svg, shape) {
  svg.firstElementChild.setAttribute("href", `#${shape}`);
}

// One thing at a time: what is said, how it looks, to whom.
function say(level, shape, lines, answer, cause = "", hasOtherWay = true) {
  const said = JSON.stringify([level, shape, lines, answer, cause]);
  if (said === drawn) return;
  drawn = said;
  const [first, second] = lines;
  document.body.dataset.level = level;
  document.body.dataset.way = (level === "down" && hasOtherWay) || ASKS_OTHER_WAY.has(answer?.kind) ? "asked" : "open";
  element("name").textContent = answer?.name ?? "";
  const person = element("person");
  person.hidden = !answer?.colour;
  person.textContent = answer?.colour ?? "";
  person.className = answer?.colour ? `p${answer.colour}` : "";
  const svg = element("shape");
  use(svg, answer?.direction && answer.direction !== "middle" ? "arrow" : shape);
  svg.setAttribute("class", answer?.direction ? `turned-${answer.direction}` : "");
  element("first").textContent = first[FIRST];
  element("first").dataset.size = sizeOf(first[FIRST]);
  element("second").textContent = second[FIRST];
  element("other").textContent = [first[OTHER], second[OTHER]].filter(Boolean).join(" · ");
  element("cause").textContent = cause;
  fit();
}

// Nothing may be cut off, least of all a name: what is small goes first, then everything gets smaller.
function fit() {
  const panel = element("say");
  const name = element("name");
  for (const size of ["", "long", "longer"]) {
    name.dataset.size = size;
    if (name.parentElement.scrollWidth <= panel.clientWidth) break;
  }
  for (const step of ["0", "1", "2", "3", "4"]) {
    document.body.dataset.fit = step;
    if (panel.scrollHeight <= panel.clientHeight) return;
  }
}

function earlier(list) {
  const key = list.map(({ answer }) => answer.number).join();
  if (element("earlier").dataset.key === key) return;
  element("earlier").dataset.key = key;
  element("earlier").replaceChildren(...list.map(({ answer }) => {
    const item = document.createElement("li");
    const svg = element("shape").cloneNode(true);
    svg.removeAttribute("id");
    svg.removeAttribute("class");
    use(svg, KINDS[answer.kind][1]);
    item.lang = document.documentElement.lang;
    const mark = document.createElement("b");
    mark.textContent = answer.colour ?? "";
    mark.className = `p${answer.colour}`;
    const text = document.createElement("span");
    text.textContent = `${answer.name} ${words[answer.kind][0][FIRST]}`;
    item.append(...(answer.colour ? [mark] : []), svg, text);
    return item;
  }));
  fit();
}

function show() {
  const now = performance.now();
  if (now - heardAt > SILENT_MS) return state("lost");
  if (now - pictureAt > SILENT_MS) noPicture(); // a face that stays when its owner has gone
  results = results.filter((result) => result.until > now);
  if (door.state === "unavailable") return state(BLIND.has(door.fault) ? "blind" : "unavailable");
  const last = results.at(-1);
  const promptDue = door.prompt && (!last || (now - last.since > PROMPT_TAKES_OVER_MS && door.prompt.colour !== last.answer.colour));
  if (last && !promptDue) {
    const [level, shape] = KINDS[last.answer.kind];
    const own = last.answer.kind === "called" && [[last.answer.zh, last.answer.en], ["", ""]]; // minutes stand in it
    say(level, shape, own || words[last.answer.kind], last.answer);
    earlier(results.slice(0, -1).slice(-EARLIER));
  } else if (promptDue && door.state === "open") {
    const [level, shape] = KINDS[door.prompt.kind] ?? KINDS.look_here;
    say(level, shape, [[door.prompt.zh, door.prompt.en], ["", ""]], door.prompt);
    earlier(results.slice(-EARLIER));
  } else {
    state(door.state === "no_session" ? "no_session" : "waiting");
  }
}

function state(name) {
  say(...STATES[name], words[name], null, name === "unavailable" || name === "blind" ? words.faults[door.fault]?.[FIRST] : "", name !== "blind");
  earlier(name === "waiting" || name === "no_session" ? results.slice(-EARLIER) : []);
  if (name !== "waiting") noPicture();
}

function noPicture() {
  if (picture.hidden) return;
  picture.hidden = true;
  document.body.dataset.picture = "none";
  frames.replaceChildren();
}

function take(told) {
  const now = performance.now();
  if (told.run !== run) [run, seen] = [told.run, 0];
  for (const answer of told.answers) {
    const stands = KINDS[answer.kind]?.[2] ?? 0;
    if (answer.number > seen && answer.age_ms < stands) results.push({ answer, since: now, until: now - answer.age_ms + stands });
    seen = Math.max(seen, answer.number);
  }
  door = told;
  if (door.state !== "open") noPicture();
  show();
}

// The newest picture; one at a time, so that a slow machine falls behind by one and not by a queue.
async function draw(told) {
  if (loading) return;
  loading = true;
  const loader = new Image();
  loader.src = `/kiosk/door.jpg?${told.stamp}`;
  try {
    await loader.decode();
    if (door.state !== "open") return;
    picture.src = loader.src;
    picture.hidden = false;
    pictureAt = performance.now();
    delete document.body.dataset.picture;
    drawFrames(told);
  } catch {
    // replaced on the board while it was fetched: the next one comes
  } finally {
    loading = false;
  }
}

// Faces that nobody has to tell apart get no frame: one person sees the oval alone.
function drawFrames(told) {
  const scale = Math.max(420 / told.width, 480 / told.height);
  const [dx, dy] = [(420 - told.width * scale) / 2, (480 - told.height * scale) / 2];
  const isCrowd = told.faces.length > 1;
  if (isCrowd !== document.body.hasAttribute("data-crowd")) {
    document.body.toggleAttribute("data-crowd", isCrowd);
    fit(); // a number stands beside the name now, or no more
  }
  const shown = isCrowd ? told.faces.filter((face) => face.colour) : [];
  frames.replaceChildren(...shown.flatMap((face) => {
    const [left, top, width, height] = face.box.map((side) => side * scale);
    const x = 420 - (left + dx) - width; // mirrored
    return [
      svgElement("rect", { class: `p${face.colour}`, x, y: top + dy, width, height, rx: 8 }),
      svgElement("text", { class: `p${face.colour}`, x: x + 8, y: top + dy + 34 }, face.colour),
    ];
  }));
}

function svgElement(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

// EventSource gives up for good on an answer that is no stream, so it is made anew whenever nothing is heard.
function listen() {
  source?.close();
  source = new EventSource("/kiosk/events");
  const heard = (work) => (event) => {
    heardAt = performance.now();
    work(JSON.parse(event.data));
  };
  source.addEventListener("door", heard(take));
  source.addEventListener("picture", heard(draw));
  source.addEventListener("beat", heard(() => {}));
}

setInterval(() => {
  if (performance.now() - heardAt > SILENT_MS && source.readyState !== EventSource.CONNECTING) listen();
}, AGAIN_MS);
setInterval(show, 100);

let closing = 0;
element("other-way").addEventListener("click", () => {
  dialog.showModal();
  clearTimeout(closing);
  closing = setTimeout(() => dialog.close(), DIALOG_MS); // somebody walked away from it
});
dialog.addEventListener("pointerdown", () => {
  clearTimeout(closing);
  closing = setTimeout(() => dialog.close(), DIALOG_MS);
});

addEventListener("resize", fit);
listen();
show();
