// The page: takes files and keys, shows verdicts. Whatever a file says is shown as text, and nothing leaves the page.

import { CannotCheckError, VerificationError, checkBrowser, toHex } from "./bytes.js";
import { judge } from "./judging.js";
import { parseVerifierKey } from "./notes.js";

const SHOWN = 500;
const WORDS = { holds: "Holds", fails: "Does not hold", unknown: "Not checked" };
const part = (id) => document.getElementById(id);
const chosen = [];
let asked = 0; // how many checks were begun: the newest alone may speak, or an older one would answer for other keys

function made(tag, text = "", className = "") {
  const element = document.createElement(tag);
  // A stranger's text keeps its direction to itself.
  if (text) element.append(Object.assign(document.createElement("bdi"), { textContent: text }));
  if (className) element.className = className;
  return element;
}

function say(text, className) {
  part("said").replaceChildren(...(text ? [made("p", text, className)] : []));
}

async function keysIn(id) {
  const lines = part(id).value.split(/\s+/).filter(Boolean);
  const keys = [];
  for (const line of lines) keys.push(await parseVerifierKey(line));
  return keys;
}

async function givenKeys() {
  const [log, witnesses] = [await keysIn("log-key"), await keysIn("witness-keys")];
  if (!log.length) throw new CannotCheckError("give the log's key first: without one, whatever a file says is its own word");
  const wanted = part("at-least").value.trim();
  const atLeast = wanted === "" ? witnesses.length : Number(wanted);
  if (wanted !== "" && !(Number.isInteger(atLeast) && atLeast >= 1 && atLeast <= witnesses.length)) {
    throw new CannotCheckError(`expected how many must have cosigned to be from 1 to the number of witnesses, ${witnesses.length}`);
  }
  return { log, witnesses, atLeast };
}

async function check() {
  const mine = ++asked;
  part("verdicts").replaceChildren();
  if (!chosen.length) return say("");
  say("Checking…");
  try {
    const keys = await givenKeys();
    const files = chosen.map((file) => ({ name: file.name, size: file.size, bytes: async () => new Uint8Array(await file.arrayBuffer()) }));
    const verdicts = await judge(files, keys);
    if (mine !== asked) return;
    part("verdicts").replaceChildren(...verdicts.map(shown));
    const count = (state) => verdicts.filter((verdict) => verdict.state === state).length;
    const [holding, failing, unknown] = ["holds", "fails", "unknown"].map(count);
    say(`${holding} hold, ${failing} do not, ${unknown} could not be checked.`, failing ? "bad" : unknown ? "warn" : "good");
  } catch (error) {
    if (mine !== asked) return;
    const isSaid = error instanceof VerificationError || error instanceof CannotCheckError;
    say(isSaid ? error.message : `could not be checked: ${error}`, "bad");
  }
}

function shown(verdict) {
  const article = made("article", "", verdict.state);
  const heading = made("h2");
  heading.append(made("strong", WORDS[verdict.state]), ` ${verdict.kind} `, made("code", verdict.name));
  article.append(heading, ...verdict.says.map((line) => made("p", line)));
  if (verdict.checkpoint) article.append(factsOf(verdict));
  if (verdict.entries?.length) article.append(...tableOf(verdict.entries));
  if (verdict.open?.length) {
    const list = made("ul");
    list.append(...verdict.open.map((line) => made("li", line)));
    article.append(made("p", "This does not say:", "open"), list);
  }
  return article;
}

function factsOf({ checkpoint, cosigned }) {
  const facts = made("dl");
  const fact = (name, value) => facts.append(made("dt", name), made("dd", value));
  fact("checkpoint of", `${checkpoint.size} entries`);
  fact("root", toHex(checkpoint.root));
  for (const { key, time } of cosigned) fact("cosigned by", `${key.name} at ${dateOf(time)}`);
  if (!cosigned.length) fact("cosigned by", "nobody that you named: the log alone vouches for it");
  return facts;
}

function dateOf(time) {
  const date = new Date(Number(time) * 1000);
  return Number.isNaN(date.getTime()) ? `${time} s after 1970, which is no date` : date.toISOString().replace(".000Z", "Z");
}

function tableOf(entries) {
  const scroll = made("div", "", "scroll");
  const table = made("table");
  const head = made("tr");
  for (const name of ["position", "type", "happened", "recorded", "recorded by"]) {
    const cell = made("th", name);
    cell.scope = "col";
    head.append(cell);
  }
  table.append(made("thead"), made("tbody"));
  table.tHead.append(head);
  for (const entry of entries.slice(0, SHOWN)) {
    const row = table.tBodies[0].insertRow();
    for (const text of [entry.position, entry.type, entry.time, entry.recordedAt, entry.recordedBy]) row.append(made("td", text));
  }
  for (const [name, value] of [["tabindex", "0"], ["role", "region"], ["aria-label", "Entries"]]) scroll.setAttribute(name, value);
  scroll.append(table);
  return entries.length > SHOWN ? [scroll, made("p", `and ${entries.length - SHOWN} more`)] : [scroll];
}

function add(files) {
  chosen.push(...files);
  part("chosen").replaceChildren(...chosen.map((file) => made("li", file.name)));
  return check();
}

function clear() {
  chosen.length = 0;
  part("files").value = "";
  return add([]);
}

async function begin() {
  try {
    await checkBrowser();
  } catch (error) {
    say(error.message, "bad");
    return;
  }
  part("fields").disabled = false;
  part("files").addEventListener("change", (event) => add(event.target.files));
  part("clear").addEventListener("click", clear);
  for (const id of ["log-key", "witness-keys", "at-least"]) part(id).addEventListener("change", check);
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    return add(event.dataTransfer.files);
  });
}

begin();
