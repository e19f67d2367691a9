// Files go one by one before the form: each is a request of its own, so that none must be held twice.
"use strict";
for (const form of document.querySelectorAll("form[data-uploads]")) {
  form.addEventListener("submit", async (event) => {
    if (event.submitter?.value !== form.dataset.uploads || form.dataset.sent) return;
    event.preventDefault();
    const note = form.querySelector("[role=status]");
    for (const input of form.querySelectorAll("input[type=file]")) {
      for (let number = 1; number <= input.files.length; number += 1) {
        const answer = await fetch(input.dataset.address, {
          method: "POST",
          body: input.files[number - 1],
          headers: {
            "content-type": "application/octet-stream",
            "x-form-token": form.elements.token.value,
            "x-file-number": String(number),
          },
        });
        if (!answer.ok) {
          note.textContent = await answer.text();
          return;
        }
      }
    }
    form.dataset.sent = "yes";
    form.requestSubmit(event.submitter);
  });
}
