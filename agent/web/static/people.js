// Photos go one by one before the form: each is a request of its own, so that none must be held twice.
"use strict";
for (const form of document.querySelectorAll("form[data-photos]")) {
  form.addEventListener("submit", async (event) => {
    const files = form.querySelector("input[type=file]").files;
    if (event.submitter?.value !== "photos" || form.dataset.sent) return;
    event.preventDefault();
    const note = form.querySelector("[role=status]");
    for (let number = 1; number <= files.length; number += 1) {
      const answer = await fetch(form.dataset.photos, {
        method: "POST",
        body: files[number - 1],
        headers: {
          "content-type": "application/octet-stream",
          "x-form-token": form.elements.token.value,
          "x-photo-number": String(number),
        },
      });
      if (!answer.ok) {
        note.textContent = await answer.text();
        return;
      }
    }
    form.dataset.sent = "yes";
    form.requestSubmit(event.submitter);
  });
}
