"use strict";
// Draws /openapi.json. Text is only ever set as text.

const make = (tag, text, ...children) => {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  element.append(...children);
  return element;
};
const json = (value) => JSON.stringify(value, null, 2);
const byId = (id) => document.getElementById(id);

const folded = (title, ...children) => make("details", "", make("summary", title), ...children);

const table = (head, rows) =>
  make("table", "", make("tr", "", ...head.map((cell) => make("th", cell))),
    ...rows.map((row) => make("tr", "", ...row.map((cell) => make("td", String(cell ?? ""))))));

function authority(operation) {
  const who = [].concat(operation["x-portolan-authority"]).join(", ");
  return make("p", `May call: ${who}. Sees: ${operation["x-portolan-visibility"]}.`);
}

function requestBody(body) {
  const [media, content] = Object.entries(body.content)[0];
  const examples = Object.entries(content.examples ?? {});
  return folded(`Body: ${media}`, make("pre", json(content.schema)),
    ...examples.map(([name, example]) => folded(`Example ${name}`, make("pre", json(example.value)))));
}

function responses(found) {
  const rows = Object.entries(found).map(([status, response]) =>
    [status, response.description ?? "problem+json", Object.keys(response.content ?? {}).join(", ")]);
  return folded("Answers", table(["status", "meaning", "content"], rows));
}

function trial(method, path, operation) {
  const target = make("input");
  target.value = path;
  target.size = 60;
  target.setAttribute("aria-label", "address");
  const area = make("textarea");
  area.setAttribute("aria-label", "body");
  const first = Object.values(operation.requestBody?.content ?? {})[0];
  area.value = first ? json(Object.values(first.examples ?? {})[0]?.value ?? {}) : "";
  const button = make("button", `Send ${method}`);
  const shown = make("pre");
  button.addEventListener("click", () => send(method, target.value, area.value, operation, shown));
  return folded("Try", make("p", "", target, " ", button), ...(operation.requestBody ? [area] : []), shown);
}

async function send(method, path, body, operation, shown) {
  const headers = { "accept-language": navigator.language };
  const token = byId("token").value.trim();
  if (token) headers.authorization = `Bearer ${token}`;
  if (operation.requestBody) headers["content-type"] = Object.keys(operation.requestBody.content)[0];
  if (method === "POST") headers["idempotency-key"] = crypto.randomUUID();
  const answer = await fetch(path, { method, headers, body: operation.requestBody ? body : undefined });
  const text = await answer.text();
  let pretty = text;
  try { pretty = json(JSON.parse(text)); } catch { /* not one JSON value */ }
  shown.textContent = `${answer.status}\n${[...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n")}\n\n${pretty}`;
}

function drawOperation(path, method, operation) {
  const title = make("summary", "", make("b", method), make("code", path), ` ${operation.summary}`);
  const rows = operation.parameters.map((one) => [one.name, one.in, one.required ? "required" : "", json(one.schema)]);
  const element = make("details", "", title, authority(operation),
    ...(rows.length ? [folded("Parameters", table(["name", "in", "", "schema"], rows))] : []),
    ...(operation.requestBody ? [requestBody(operation.requestBody)] : []),
    responses(operation.responses), trial(method, path, operation));
  element.id = operation.operationId;
  element.dataset.words = `${path} ${method} ${operation.summary} ${Object.keys(operation.responses)}`.toLowerCase();
  return element;
}

function draw(contract) {
  const parts = `${contract.info.summary}. ${contract.info.description}`.split("`");
  byId("summary").replaceChildren(...parts.map((part, place) => (place % 2 ? make("code", part) : part)));
  const main = byId("operations");
  main.textContent = "";
  const all = Object.entries(contract.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => [path, method.toUpperCase(), operation]));
  for (const tag of contract.tags.map((one) => one.name)) {
    main.append(make("h2", tag));
    main.append(...all.filter(([, , one]) => one.tags[0] === tag).map((one) => drawOperation(...one)));
  }
  const list = byId("problems").querySelector("dl");
  for (const [code, titles] of Object.entries(contract["x-portolan-problems"])) {
    const term = make("dt", code);
    term.id = code;
    list.append(term, make("dd", Object.values(titles).join(" · ")));
  }
  byId("schemas").append(...Object.entries(contract.components.schemas).map(([name, schema]) =>
    folded(name, make("pre", json(schema)))));
  // What the address points at was not there yet when the page was.
  const target = byId(location.hash.slice(1));
  const around = target?.closest("details");
  if (around) around.open = true;
  target?.scrollIntoView();
}

byId("find").addEventListener("input", (event) => {
  const word = event.target.value.toLowerCase();
  for (const one of document.querySelectorAll("[data-words]")) one.hidden = !one.dataset.words.includes(word);
});

fetch("/openapi.json").then((answer) => answer.json()).then(draw)
  .catch(() => { byId("operations").textContent = "The contract cannot be read just now."; });
