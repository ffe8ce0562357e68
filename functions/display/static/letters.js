// Dead letters: what the Broker could not deliver, as the deadletter function lists it.

import { $, api, make } from "./dom.js";
import { dateAndTime, shortType } from "./format.js";

export async function listLetters(utc) {
  const none = $("letters-none");
  try {
    const { letters } = await (await api("api/letters")).json();
    $("letter-list").replaceChildren(...letters.map((each) => letter(each, utc)));
    none.hidden = letters.length > 0;
    none.textContent = "No dead letters: every event was delivered, or is still being tried.";
  } catch (error) {
    $("letter-list").replaceChildren();
    none.hidden = false;
    none.textContent = error.message;
  }
}

function letter(each, utc) {
  const facts = {
    source: each.source, id: each.id, subject: each.subject, destination: each.destination, answer: each.answer,
    failures: each.failures, "first failed": each.firstFailed, redrives: each.redrives, note: each.note,
  };
  const pairs = Object.entries(facts).filter(([, value]) => value !== "" && value !== null);
  return make(
    "li",
    {},
    make(
      "details",
      {},
      make(
        "summary",
        {},
        make("span", { class: "time" }, dateAndTime(Date.parse(each.lastFailed), utc, each.lastFailed)),
        make("span", {}, shortType(each.type)),
        make("span", { class: "reason" }, `${each.code ?? "no answer"} from ${each.destination}`),
        make("span", { class: "faint" }, each.state),
      ),
      make("dl", {}, ...pairs.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value))))),
    ),
  );
}
