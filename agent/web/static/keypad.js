// Number and PIN on the screen at the door. Nothing typed outlives the answer, the dialog or half a minute.
"use strict";
{
  const pad = document.getElementById("keypad");
  const dialog = pad.closest("dialog");
  const outcome = document.getElementById("keypad-outcome");
  const LENGTHS = { number: 4, pin: 6 };
  const FORGET_MS = 30000;
  const SHOW_MS = 6000;
  const NOTED = new Set(["waiting", "already_waiting", "already_checked_in"]);
  const language = document.body.dataset.language;
  let typed = { number: "", pin: "" };
  let timer = 0;
  let busy = false;

  const show = () => {
    pad.querySelector("#keypad-number output").textContent = typed.number;
    pad.querySelector("#keypad-pin output").textContent = "\u25cf".repeat(typed.pin.length);
  };
  const forget = () => {
    typed = { number: "", pin: "" };
    pad.dataset.field = "number";
    outcome.hidden = true;
    outcome.textContent = "";
    show();
  };
  const later = (act, milliseconds) => {
    clearTimeout(timer);
    timer = setTimeout(act, milliseconds);
  };
  const say = (code, text, name) => {
    outcome.textContent = name ? `${name} ${text}` : text;
    outcome.dataset.good = NOTED.has(code);
    outcome.hidden = false;
    typed = { number: NOTED.has(code) ? "" : typed.number, pin: "" };
    pad.dataset.field = NOTED.has(code) ? "number" : "pin";
    show();
    later(() => { forget(); if (NOTED.has(code)) dialog.close(); }, SHOW_MS);
  };

  async function send() {
    busy = true;
    const form = new URLSearchParams({ token: pad.dataset.token, number: typed.number, pin: typed.pin });
    typed.pin = "";
    show();
    try {
      const answer = await fetch(pad.dataset.action, { method: "POST", body: form, signal: AbortSignal.timeout(15000) });
      if (answer.status === 403) { location.reload(); return; } // a token of an older page
      if (!answer.ok) throw new Error(String(answer.status));
      const said = await answer.json();
      say(said.code, language === "en" ? said.en : said.zh, said.name);
    } catch (error) {
      say("fault", pad.dataset.failed, "");
    } finally {
      busy = false;
    }
  }

  function press(key) {
    if (busy) return;
    const field = pad.dataset.field;
    outcome.hidden = true;
    later(forget, FORGET_MS);
    if (key === "back") {
      if (typed[field] === "" && field === "pin") pad.dataset.field = "number";
      else typed[field] = typed[field].slice(0, -1);
    } else if (key === "ok") {
      if (field === "number" && typed.number.length >= 3) pad.dataset.field = "pin";
      else if (field === "pin" && typed.pin.length === LENGTHS.pin) send();
    } else if (typed[field].length < LENGTHS[field]) {
      typed[field] += key;
    }
    show();
  }

  pad.addEventListener("click", (event) => {
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (key) press(key);
  });
  dialog.addEventListener("keydown", (event) => {
    const key = { Backspace: "back", Enter: "ok" }[event.key] ?? (/^[0-9]$/.test(event.key) ? event.key : null);
    if (key === null || (key === "ok" && event.target.closest(".close"))) return;
    event.preventDefault();
    press(key);
  });
  dialog.addEventListener("close", () => { clearTimeout(timer); forget(); });
}
