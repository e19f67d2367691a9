// A page that is left keeps no password: "back" may show it again just as it was left (back/forward cache).
"use strict";
addEventListener("pagehide", () => {
  for (const field of document.querySelectorAll('input[type="password"]')) field.value = "";
});
