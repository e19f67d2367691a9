// What whoever stands at the door camera is told, as it changes; the page comes anew when it is over.
"use strict";
const guide = document.querySelector("[data-state]");

async function follow() {
  const tell = guide.querySelector(".tell");
  try {
    const answer = await fetch(guide.dataset.state, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const state = await answer.json();
    if (state.result) {
      location.reload();
      return;
    }
    if (tell.textContent !== state.said) tell.textContent = state.said;
    guide.querySelector("progress").value = state.taken;
    guide.querySelector(".count").textContent = `${state.taken} / ${state.wanted}`;
    const fresh = new Image();
    fresh.src = `/frames/door.jpg?${Date.now()}`;
    await fresh.decode();
    guide.querySelector("img").src = fresh.src;
  } catch {
    // Asked again in half a second: the picture may be replaced while it is fetched, or none be there.
  }
  setTimeout(follow, 500);
}

if (guide) follow();
