// Plays a view by its HLS playlist: hls.js where the browser has Media Source Extensions, else the browser's own
// HLS. The playlist knows no gaps (its time runs on), the time line shows them: `places` tie one to the other.
"use strict";

const SEAM_S = 1.5; // rounding between files: stepped over without a word
const TICK_MS = 200;
const TIMELINE_MS = 2000;
const NOTICE_MS = 4000;
const LIVE_SYNC_S = 1.5; // behind what the playlist holds: its fragments come in bursts of a second
const LIVE_LOST_S = 4; // further behind than this, "live" jumps forward
const RETRY_MS = 2000;
const REORDER_S = 1; // at most, of a picture's decoding before its showing

const root = document.getElementById("player");
const video = document.getElementById("video");
const words = root.dataset;

let line = { start_us: 0, duration: 0, live: false, growing: false, places: [], spans: [], stretches: [] };
let hls = null;
let wantsToPlay = false;
let isLive = false; // the visitor follows the growing end
let position = Math.max(0, Number(words.at)); // on the time line, in seconds from the start of the view
let playing = null; // the place that was played at the last tick
let furthest = -1; // the number of the last fragment in the buffer
let isStale = false; // the paused picture may have been painted before those beside it had come

const element = (id) => document.getElementById(id);

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
  drawStretches();
  element("live").hidden = !line.growing;
}

function placeOfMedia(media) {
  let found = line.places[0];
  for (const place of line.places) if (place.media <= media + 0.001) found = place;
  return found;
}

function placeOfWall(wall) {
  return line.places.find((p) => wall >= p.wall - 0.02 && wall < p.wall + p.seconds)
    || line.places.find((p) => p.wall > wall)
    || line.places[line.places.length - 1];
}

const wallOf = (media, place) => place.wall + (media - place.media);
const mediaOf = (wall, place) => place.media + Math.min(Math.max(0, wall - place.wall), Math.max(0, place.seconds - 0.2));

function gapBetween(from, to) {
  return line.spans.find((s) => s.kind !== "video" && s.to > from + 0.1 && s.from < to - 0.1);
}

// The playhead went from one file to another by itself: if time is missing in between, say which and why.
function announceGap(place) {
  if (playing && place !== playing && place.media > playing.media) {
    const end = playing.wall + playing.seconds;
    const gap = place.wall - end > SEAM_S && gapBetween(end, place.wall);
    if (gap) notice(gap.text);
  }
  playing = place;
}

function seekTo(wall) {
  element("notice").hidden = true;
  follow(false);
  if (!line.places.length) return;
  const asked = Math.min(Math.max(0, wall), line.duration);
  const place = placeOfWall(asked);
  const gap = place.wall - asked > SEAM_S && gapBetween(asked, place.wall);
  if (gap) notice(gap.text);
  playing = null;
  const target = mediaOf(asked, place);
  position = wallOf(target, place);
  video.currentTime = target;
  show();
}

function follow(wanted) {
  isLive = wanted;
  element("live").setAttribute("aria-pressed", String(wanted));
}

function goLive() {
  follow(true);
  element("speed").value = "1";
  video.playbackRate = 1;
  if (hls && hls.liveSyncPosition) video.currentTime = hls.liveSyncPosition;
  else if (!hls && video.seekable.length) video.currentTime = video.seekable.end(video.seekable.length - 1);
  play();
}

function tick() {
  if (!line.places.length || !video.readyState) return;
  const place = placeOfMedia(video.currentTime);
  if (!video.seeking) {
    position = wallOf(video.currentTime, place);
    announceGap(place);
  }
  if (isLive && hls && hls.latency > LIVE_LOST_S && hls.liveSyncPosition) video.currentTime = hls.liveSyncPosition;
  if (wantsToPlay && video.paused && !video.ended) video.play().catch(() => {});
  show();
}

function show() {
  const place = line.places.length ? placeOfWall(position) : null;
  const wall = line.start_us / 1e6 + (place ? Math.max(position, place.wall) : position);
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
  const gaps = line.spans.filter((s) => s.kind !== "video" && s.kind !== "idle");
  fill(element("gaps"), gaps, (gap) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.textContent = new Date(line.start_us / 1000 + (gap.from + 8 * 3600) * 1000).toISOString().slice(11, 19);
    button.addEventListener("click", () => seekTo(Math.max(0, gap.from - 3)));
    return [button, " ", gap.text];
  });
}

function drawStretches() {
  fill(element("stretches"), line.stretches, (stretch) => {
    const link = document.createElement("a");
    link.href = stretch.address;
    link.download = "";
    link.textContent = stretch.text;
    return [link, ` ${stretch.mib} MiB`];
  });
}

// A list that is only rebuilt when it changed, so that nothing slips away under a finger.
function fill(list, items, contentOf) {
  const key = JSON.stringify(items);
  if (list.dataset.shown === key) return;
  list.dataset.shown = key;
  list.replaceChildren(...(items.length ? items : [null]).map((item) => {
    const entry = document.createElement("li");
    entry.append(...(item ? contentOf(item) : [list.dataset.wordNone]));
    return entry;
  }));
}

function play() {
  wantsToPlay = true;
  element("toggle").textContent = words.wordPause;
  video.play().catch(() => {}); // interrupted by a seek: the next tick plays on
}

function pause() {
  wantsToPlay = false;
  follow(false);
  element("toggle").textContent = words.wordPlay;
  video.pause();
}

function bindControls() {
  element("toggle").addEventListener("click", () => (wantsToPlay ? pause() : play()));
  video.addEventListener("click", () => (wantsToPlay ? pause() : play()));
  video.addEventListener("ended", () => { pause(); notice(words.wordEnd); });
  element("back").addEventListener("click", () => seekTo(position - 10));
  element("forth").addEventListener("click", () => seekTo(position + 10));
  element("live").addEventListener("click", goLive);
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

function onError(_, data) {
  if (data.response && data.response.code === 401) location.assign("/login");
  if (!data.fatal) return;
  const { ErrorTypes, ErrorDetails } = Hls;
  if ([ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR, ErrorDetails.BUFFER_ADD_CODEC_ERROR].includes(data.details)) {
    notice(words.wordCodec, true);
    hls.destroy();
    return;
  }
  notice(words.wordError);
  if (data.type === ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
  else setTimeout(() => hls.startLoad(video.currentTime), RETRY_MS);
}

// Where two runs join, the last pictures of one may overlap the first of the next (by their reordering). Appended in this
// order, the next stays whole; appended after it, they take its key frame and all that depends on it, while Chromium
// says that it is buffered (crbug.com/336839131). So it is dropped then, and hls.js loads it anew, behind them.
function keepOrder(frag) {
  const details = hls.latestLevelDetails;
  const next = details?.fragments[frag.sn + 1 - details.startSN];
  if (frag.sn < furthest && next && next.cc !== frag.cc) {
    furthest = frag.sn;
    hls.trigger(Hls.Events.BUFFER_FLUSHING, { startOffset: next.start, endOffset: Infinity, type: "video" });
  }
  furthest = Math.max(furthest, frag.sn);
}

// A paused picture is painted once. Where pictures beside it were just then replaced (hls.js appends a fragment again
// that it holds in part) it is one of those that were there; so it is sought again when they have come.
function onAppended(_, { frag }) {
  if (frag.sn === "initSegment") return;
  keepOrder(frag);
  const isNear = frag.start <= video.currentTime && video.currentTime < frag.end + REORDER_S;
  if (isNear && video.paused) { isStale = true; paintAgain(); }
}

function paintAgain() {
  if (!isStale || video.seeking) return;
  isStale = false;
  if (video.paused) video.currentTime = video.currentTime;
}

function attach(start) {
  if (window.Hls && Hls.isSupported()) {
    hls = new Hls({
      enableWorker: false, // a worker from a blob: would need a hole in the page's policy, and nothing is transmuxed
      startPosition: start,
      liveSyncDuration: LIVE_SYNC_S,
      maxBufferLength: 30,
      backBufferLength: 30,
      maxBufferHole: 0.5,
      enableDateRangeMetadataCues: false, // the time line tells of gaps; cues would need data: in the policy
      enableEmsgMetadataCues: false,
      enableID3MetadataCues: false,
    });
    hls.on(Hls.Events.ERROR, onError);
    hls.on(Hls.Events.BUFFER_APPENDED, onAppended);
    video.addEventListener("seeked", paintAgain);
    hls.loadSource(words.playlist);
    hls.attachMedia(video);
  } else if (video.canPlayType("application/vnd.apple.mpegurl")) {
    video.src = words.playlist;
    video.addEventListener("loadedmetadata", () => { video.currentTime = start; }, { once: true });
    video.addEventListener("error", () => notice(words.wordError, true));
  } else {
    notice(words.wordOld, true);
  }
}

async function begin() {
  bindControls();
  await fetchTimeline();
  if (line.live) setInterval(() => fetchTimeline().catch(() => notice(words.wordError)), TIMELINE_MS);
  if (!line.places.length) { notice(words.wordNone, true); return; }
  const place = placeOfWall(position);
  attach(mediaOf(position, place));
  setInterval(tick, TICK_MS);
  play();
}

begin().catch(() => notice(words.wordError, true));
