"use strict";

const form = document.getElementById("form");
const part = (id) => document.getElementById(id);
const fields = [...form.elements].filter((control) => control.name);
const outcomes = {
  "passed": { mark: "✓", style: "passed" },
  "failed": { mark: "✗", style: "failed" },
  "not reached": { mark: "–", style: "open" },
};
let asked = null; // what ends the request that is under way

// make makes an element. Text is only ever text.
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  element.append(...children);
  return element;
}

// withFields marks the fields of the configuration that a hint names.
function withFields(text) {
  return text.split(/(\b(?:[A-Za-z]+\.)?[A-Z]\w*(?:\.[A-Z]\w*)+)/).map((piece, n) => (n % 2 ? make("code", {}, piece) : piece));
}

function parts(step) {
  const list = [];
  for (const [title, text, style] of [["Found", step.found, ""], ["Wanted", step.wanted, ""], ["To mend", step.fix, "fix"]]) {
    if (text) list.push(make("dt", {}, title), make("dd", { class: style }, ...(style ? withFields(text) : [text])));
  }
  return list;
}

function row(step) {
  const { mark, style } = outcomes[step.outcome];
  const found = make("td", { role: "cell", class: "found" });
  if (step.outcome === "failed") found.append(make("dl", {}, ...parts(step)));
  else if (step.found) found.append(step.found);
  if (step.unproven) found.append(make("span", { class: "note" }, " (unproven)"));
  return make("tr", { role: "row", class: style },
    make("td", { role: "cell", class: "outcome" }, make("span", { class: "mark", "aria-hidden": "true" }, mark), step.outcome),
    make("th", { role: "rowheader", scope: "row" }, step.name),
    found);
}

function counted(steps) {
  return Object.keys(outcomes)
    .map((outcome) => [steps.filter((step) => step.outcome === outcome).length, outcome])
    .filter(([number]) => number > 0)
    .map(([number, outcome]) => `${number} ${outcome}`)
    .join(", ");
}

function show(answer) {
  const first = answer.steps.find((step) => step.outcome !== "passed");
  const outcome = answer.accepted ? "passed" : first && first.outcome === "failed" ? "failed" : "not reached";
  part("card").className = outcomes[outcome].style;
  part("card").querySelector(".mark").textContent = outcomes[outcome].mark;
  part("said").textContent = answer.verdict.charAt(0).toUpperCase() + answer.verdict.slice(1);
  part("held").textContent = (answer.issuer ? `Held against ${answer.issuer}. ` : "")
    + (answer.proven ? "The issuer vouches for what the token says." : "Nothing proves what the token says.");
  part("first").replaceChildren(...(outcome === "failed" ? parts(first) : []));
  part("count").textContent = counted(answer.steps);
  part("steps").replaceChildren(...answer.steps.map(row));
  part("result").hidden = false;
  part("verdict").focus();
  part("card").scrollIntoView({ block: "start" });
}

function forget() {
  part("result").hidden = true;
  for (const id of ["said", "held", "first", "count", "steps"]) part(id).replaceChildren();
  for (const field of fields) blame(field, "");
  part("trouble").hidden = true;
  part("trouble").textContent = "";
  part("status").textContent = "";
}

// blame says at a field what was wanted of it.
function blame(field, text) {
  const fault = part(`${field.name}-fault`);
  if (!fault) return;
  fault.textContent = text;
  fault.hidden = !text;
  if (text) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

function blameAll(faults) {
  const wrong = faults.filter((fault) => form.elements[fault.field]);
  for (const fault of wrong) {
    const field = form.elements[fault.field];
    blame(field, fault.text);
    if (part("more").contains(field)) part("more").open = true;
  }
  if (wrong.length > 0) form.elements[wrong[0].field].focus();
}

function fail(text) {
  part("trouble").textContent = text;
  part("trouble").hidden = false;
}

async function explain() {
  if (asked) asked.abort();
  const mine = asked = new AbortController();
  forget();
  part("status").textContent = "Looking…";
  try {
    const filled = {};
    for (const field of fields) filled[field.name] = field.type === "checkbox" ? field.checked : field.value;
    // In any other mode than the default one, no-referrer would have the browser hide
    // the origin that the program asks for.
    const answer = await fetch("explain", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(filled),
      credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer", signal: mine.signal,
    });
    const known = answer.status === 200 || answer.status === 422;
    const said = known ? await answer.json() : await answer.text();
    part("status").textContent = "";
    if (!known) fail(`The program did not look at it: ${said.trim()}.`);
    else if (said.faults) blameAll(said.faults);
    else show(said);
  } catch (error) {
    if (mine.signal.aborted) return;
    part("status").textContent = "";
    fail("The program does not answer. If it has ended, start m2mguard explain --web again, and open the address that it prints.");
  } finally {
    if (asked === mine) asked = null;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  explain();
});
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
form.addEventListener("reset", () => {
  if (asked) asked.abort();
  forget();
  part("token").focus();
  queueMicrotask(unveil);
});

// unveil shows secrets as long as their owner says so.
function unveil() {
  for (const secret of document.querySelectorAll(".secret")) secret.classList.toggle("visible", part("visible").checked);
}
part("visible").addEventListener("change", unveil);

// Whoever comes back to the page, or restores a session, finds it empty.
addEventListener("pagehide", () => form.reset());
addEventListener("pageshow", () => form.reset());
