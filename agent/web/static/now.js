// Keeps the "now" page current: asks for the board each second and replaces what changed.
"use strict";

const EVERY_MS = 1000;
const now = document.querySelector(".now");
const lost = document.getElementById("lost");

function replaceParts(fresh) {
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const old = now.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!old || old.isEqualNode(part)) continue;
    if (part.dataset.stamp) showPicture(part.dataset.part.replace("boxes-", ""), part.dataset.stamp, old, part);
    else old.replaceWith(part);
  }
}

// The boxes belong to one picture: both change together, once the new picture is decoded.
async function showPicture(camera, stamp, oldBoxes, newBoxes) {
  const image = now.querySelector(`img[data-picture="${camera}"]`);
  const address = `/frames/${camera}.jpg?${stamp}`;
  const loader = new Image();
  loader.src = address;
  try {
    await loader.decode();
  } catch {
    return; // replaced on the board while it was fetched: the next second brings the next one
  }
  image.src = address;
  image.hidden = false;
  oldBoxes.replaceWith(newBoxes);
}

async function refresh() {
  try {
    const answer = await fetch(now.dataset.board, { headers: { accept: "text/x-board" }, cache: "no-store" });
    if (answer.status === 401) {
      location.assign(now.dataset.login);
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = document.createElement("template");
    fresh.innerHTML = await answer.text();
    replaceParts(fresh.content);
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
  setTimeout(refresh, document.hidden ? 5 * EVERY_MS : EVERY_MS);
}

setTimeout(refresh, EVERY_MS);
