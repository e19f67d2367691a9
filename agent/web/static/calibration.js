// Marks on a counted picture: a box that is no head, a head that has no box. The number follows the marks until
// somebody types another.
"use strict";
for (const place of document.querySelectorAll(".count-picture")) {
  const svg = place.querySelector("svg");
  const form = place.querySelector("form");
  const cut = Number(place.dataset.cut);
  const people = form.elements.people;
  let typed = people.value !== "";
  const radius = svg.viewBox.baseVal.height / 60;
  for (const box of svg.querySelectorAll("rect")) {
    if (Number(box.dataset.score) < cut) box.classList.add("unsure");
  }
  const gather = () => {
    const boxes = [...svg.querySelectorAll("rect")];
    const missed = [...svg.querySelectorAll("circle")].map((dot) => [Number(dot.getAttribute("cx")), Number(dot.getAttribute("cy"))]);
    form.elements.missed.value = JSON.stringify(missed);
    form.elements.false.value = JSON.stringify(boxes.filter((box) => box.classList.contains("false")).map((box) => Number(box.dataset.number)));
    const found = boxes.filter((box) => !box.classList.contains("unsure") && !box.classList.contains("false")).length;
    if (!typed) people.value = String(found + missed.length);
  };
  people.addEventListener("input", () => { typed = true; });
  svg.addEventListener("click", (event) => {
    const mark = event.target;
    if (mark.tagName === "rect" && !mark.classList.contains("unsure")) {
      mark.classList.toggle("false");
    } else if (mark.tagName === "circle") {
      mark.remove();
    } else {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      dot.setAttribute("cx", at.x.toFixed(1));
      dot.setAttribute("cy", at.y.toFixed(1));
      dot.setAttribute("r", String(radius));
      svg.append(dot);
    }
    gather();
  });
  gather();
}
