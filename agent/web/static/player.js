// Plays recorded time across segments and gaps: fragments are fetched by byte range and laid on one time line
// (Media Source Extensions), so that second 0 is the start of the view whatever the files' own clocks say.
"use strict";

const AHEAD_S = 30; // fetched before the playhead
const BEHIND_S = 30; // kept behind it
const BATCH_BYTES = 1 << 20;
const SEAM_S = 0.5; // rounding between segments: stepped over without a word
const TICK_MS = 150;
const LIVE_MS = 2000;
const NOTICE_MS = 4000;
const STALL_MS = 500;

const root = document.getElementById("player");
const video = document.getElementById("video");
const words = root.dataset;
const Source = window.ManagedMediaSource || window.MediaSource;

let line = { start_us: 0, duration: 0, live: false, segments: [], spans: [] };
let source, buffer;
let position = Math.max(0, Number(words.at)); // where the playhead should be; the video follows
let cursor = null; // {segment, next}: what to append next
let busy = false;
let wantsToPlay = false;
let failures = 0;
const indexes = new Map();

const element = (id) => document.getElementById(id);
const end = (segment) => segment.to;

function notice(text, stays = false) {
  const box = element("notice");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(notice.timer);
  if (!stays) notice.timer = setTimeout(() => { box.hidden = true; }, NOTICE_MS);
}

async function fetchTimeline() {
  const answer = await fetch(words.timeline, { cache: "no-store" });
  if (answer.status === 401) location.assign("/login");
  if (!answer.ok) throw new Error(`timeline ${answer.status}`);
  line = await answer.json();
  drawBar();
}

async function indexOf(segment) {
  const known = indexes.get(segment.address);
  if (known && (known.complete || Date.now() - known.at < LIVE_MS)) return known;
  const answer = await fetch(`${segment.address}/index`, { cache: "no-store" });
  if (!answer.ok) throw new Error(`index ${answer.status}`);
  const index = await answer.json();
  index.at = Date.now();
  indexes.set(segment.address, index);
  return index;
}

const segmentAt = (time) => line.segments.find((s) => time >= s.from - 0.02 && time < end(s) - 0.02);
const segmentAfter = (time) => line.segments.find((s) => s.from > time - 0.02);

function bufferedEnd(time) {
  if (!buffer) return time;
  const ranges = buffer.buffered;
  let reached = time;
  for (let i = 0; i < ranges.length; i++)
    if (ranges.start(i) <= reached + SEAM_S && ranges.end(i) > reached) reached = ranges.end(i);
  return reached;
}

function isBuffered(time) {
  const ranges = buffer.buffered;
  for (let i = 0; i < ranges.length; i++) if (ranges.start(i) <= time + 0.01 && ranges.end(i) > time) return true;
  return false;
}

const settled = () => new Promise((resolve, reject) => {
  buffer.addEventListener("updateend", resolve, { once: true });
  buffer.addEventListener("error", () => reject(new Error("append")), { once: true });
});

async function append(bytes) {
  try {
    buffer.appendBuffer(bytes);
  } catch (error) {
    if (error.name !== "QuotaExceededError") throw error;
    await forget(position - 2);
    buffer.appendBuffer(bytes);
  }
  await settled();
}

async function forget(before) {
  if (buffer.buffered.length && buffer.buffered.start(0) < before) {
    buffer.remove(0, before);
    await settled();
  }
}

async function bytes(segment, from, to) {
  const answer = await fetch(`${segment.address}.mp4`, { headers: { range: `bytes=${from}-${to - 1}` } });
  if (answer.status !== 206) throw new Error(`media ${answer.status}`);
  return answer.arrayBuffer();
}

async function enter(segment, index) {
  const type = `video/mp4; codecs="${index.codec}"`;
  if (!Source.isTypeSupported(type)) throw new TypeError(`${words.wordCodec} ${index.codec}`);
  if (!buffer) {
    buffer = source.addSourceBuffer(type);
    source.duration = line.duration;
  } else if (buffer.type !== index.codec) buffer.changeType(type);
  buffer.type = index.codec;
  buffer.timestampOffset = segment.zero;
  await append(await bytes(segment, index.header[0], index.header[1]));
}

// Append the next batch of fragments, when there is room ahead of the playhead.
async function pump() {
  const reached = buffer && isBuffered(position) ? bufferedEnd(position) : position;
  if (reached - position > AHEAD_S) return;
  const segment = segmentAt(reached + SEAM_S / 2) || segmentAt(reached);
  if (!segment) return;
  const index = await indexOf(segment);
  const seconds = (ticks) => segment.zero + ticks / index.ticks_per_second;
  let first;
  if (cursor && cursor.address === segment.address && Math.abs(cursor.reached - reached) < SEAM_S)
    first = cursor.next;
  else {
    await enter(segment, index);
    first = 0; // from the last key frame at or before the wanted time
    index.fragments.forEach((f, i) => { if (f[4] && seconds(f[2]) <= reached + 0.02) first = i; });
  }
  if (first >= index.fragments.length) return; // the growing segment's end: more comes
  let last = first;
  while (last + 1 < index.fragments.length && index.fragments[last + 1][1] - index.fragments[first][0] < BATCH_BYTES)
    last += 1;
  await append(await bytes(segment, index.fragments[first][0], index.fragments[last][1]));
  cursor = { address: segment.address, next: last + 1, reached: bufferedEnd(position) };
  await forget(position - BEHIND_S);
}

// A decoder holds back the last pictures before a hole, waiting for more: it stalls short of the end.
function isStalled() {
  const now = performance.now();
  if (video.readyState >= 3 || video.currentTime !== isStalled.at) {
    isStalled.at = video.currentTime;
    isStalled.since = now;
  }
  return wantsToPlay && now - isStalled.since > STALL_MS;
}

// The playhead stands where nothing is: step over the gap, and say what it was.
function stepOverGap() {
  const stalled = isStalled();
  if (buffer && isBuffered(video.currentTime + 0.05)) {
    if (!stalled || bufferedEnd(position) - position > 1) return;
    position = bufferedEnd(position);
  }
  if (segmentAt(position + 0.1)) {
    const ranges = buffer ? buffer.buffered : [];
    for (let i = 0; i < ranges.length; i++) // first picture a few ticks later than the segment's start
      if (ranges.start(i) > position && ranges.start(i) - position < SEAM_S) moveTo(ranges.start(i) + 0.001);
    return;
  }
  const next = segmentAfter(position);
  if (!next) {
    if (wantsToPlay && !line.live && line.segments.length) { pause(); notice(words.wordEnd); }
    return;
  }
  if (next.from - position > SEAM_S) {
    const gap = line.spans.find((s) => s.kind !== "video" && s.to > position && s.from < next.from);
    if (gap) notice(gap.text);
  }
  moveTo(next.from + 0.001);
}

function moveTo(time) {
  position = Math.min(Math.max(0, time), line.duration);
  video.currentTime = position;
}

function seekTo(time) {
  element("notice").hidden = true;
  moveTo(time);
  show();
}

async function tick() {
  if (busy) return;
  busy = true;
  try {
    if (buffer && isBuffered(video.currentTime)) position = video.currentTime;
    await pump();
    stepOverGap();
    if (wantsToPlay && video.paused) await video.play();
    failures = 0;
  } catch (error) {
    if (error instanceof TypeError && error.message.startsWith(words.wordCodec)) {
      notice(error.message, true);
      clearInterval(tick.timer);
    } else if (error.name !== "AbortError") {
      cursor = null;
      indexes.clear();
      failures += 1;
      if (failures > 3) notice(words.wordError);
      await new Promise((resolve) => setTimeout(resolve, Math.min(500 * failures, 5000)));
    }
  } finally {
    busy = false;
  }
  show();
}

function show() {
  const segment = segmentAt(position);
  const wall = segment
    ? segment.clock_us / 1e6 + (position - segment.from)
    : line.start_us / 1e6 + position;
  element("clock").textContent = new Date((wall + 8 * 3600) * 1000).toISOString().slice(11, 19);
  const seek = element("seek");
  seek.setAttribute("aria-valuenow", String(Math.round(position)));
  seek.setAttribute("aria-valuetext", element("clock").textContent);
  const x = line.duration ? (1000 * position) / line.duration : 0;
  const head = element("bar").querySelector(".head-line");
  if (head) { head.setAttribute("x1", x); head.setAttribute("x2", x); }
}

function drawBar() {
  const bar = element("bar");
  const drawn = (name, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const scale = 1000 / line.duration;
  bar.replaceChildren(
    ...line.spans.map((s) => drawn("rect", {
      class: s.kind, x: s.from * scale, y: 0, width: Math.max((s.to - s.from) * scale, 2), height: 24,
    })),
    drawn("line", { class: "head-line", x1: 0, x2: 0, y1: 0, y2: 24 }),
  );
  element("seek").setAttribute("aria-valuemax", String(Math.round(line.duration)));
  const list = element("gaps");
  const gaps = line.spans.filter((s) => s.kind !== "video" && s.kind !== "idle");
  const key = JSON.stringify(gaps);
  if (drawBar.key === key) return;
  drawBar.key = key;
  list.replaceChildren(...(gaps.length ? gaps : [null]).map((gap) => {
    const item = document.createElement("li");
    if (!gap) { item.textContent = list.dataset.wordNone; return item; }
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.textContent = new Date(line.start_us / 1000 + (gap.from + 8 * 3600) * 1000).toISOString().slice(11, 19);
    button.addEventListener("click", () => seekTo(Math.max(0, gap.from - 3)));
    item.append(button, " ", gap.text);
    return item;
  }));
}

function play() {
  wantsToPlay = true;
  element("toggle").textContent = words.wordPause;
  video.play().catch(() => {}); // interrupted by a seek: the next tick plays on
}

function pause() {
  wantsToPlay = false;
  element("toggle").textContent = words.wordPlay;
  video.pause();
}

function bindControls() {
  element("toggle").addEventListener("click", () => (wantsToPlay ? pause() : play()));
  video.addEventListener("click", () => (wantsToPlay ? pause() : play()));
  element("back").addEventListener("click", () => seekTo(position - 10));
  element("forth").addEventListener("click", () => seekTo(position + 10));
  element("speed").addEventListener("change", (event) => { video.playbackRate = Number(event.target.value); });
  element("full").addEventListener("click", () => root.requestFullscreen?.());
  for (const button of document.querySelectorAll("[data-seek]"))
    button.addEventListener("click", () => { seekTo(Number(button.dataset.seek) - 2); play(); });
  const seek = element("seek");
  const seekBy = (event) => {
    const box = seek.getBoundingClientRect();
    seekTo((line.duration * (event.clientX - box.left)) / box.width);
  };
  seek.addEventListener("pointerdown", (event) => { seek.setPointerCapture(event.pointerId); seekBy(event); });
  seek.addEventListener("pointermove", (event) => { if (event.buttons) seekBy(event); });
  seek.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -5, ArrowRight: 5, PageDown: -60, PageUp: 60 }[event.key];
    if (step) { event.preventDefault(); seekTo(position + step); }
  });
}

async function begin() {
  bindControls();
  if (!Source) { notice(words.wordOld, true); return; }
  await fetchTimeline();
  if (!line.segments.length) { notice(words.wordNone, true); return; }
  if (!segmentAt(position)) position = (segmentAfter(position) || line.segments[0]).from + 0.001;
  source = new Source();
  video.disableRemotePlayback = true; // ManagedMediaSource asks for it
  video.src = URL.createObjectURL(source);
  await new Promise((resolve) => source.addEventListener("sourceopen", resolve, { once: true }));
  await tick();
  moveTo(position);
  tick.timer = setInterval(tick, TICK_MS);
  if (line.live) setInterval(() => fetchTimeline().catch(() => notice(words.wordError)), LIVE_MS);
  play();
}

begin().catch(() => notice(words.wordError, true));
