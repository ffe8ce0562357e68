// The dialog that asks before something is done.

import { $ } from "./dom.js";

/**
 * Ask before doing *action*. Resolve to the reason that was given, "" if none is needed, or null if it was canceled.
 * @param {string} title
 * @param {string} words
 * @param {string} action the label of the button
 * @param {boolean} needsReason
 * @returns {Promise<string | null>}
 */
export function confirmed(title, words, action, needsReason = false) {
  const dialog = $("confirm");
  $("confirm-title").textContent = title;
  $("confirm-words").textContent = words;
  $("confirm-why").hidden = !needsReason;
  $("confirm-reason").value = "";
  $("confirm-act").textContent = action;
  $("confirm-act").disabled = needsReason;
  dialog.returnValue = "";
  dialog.showModal();
  (needsReason ? $("confirm-reason") : $("confirm-act")).focus();
  return new Promise((resolve) => {
    const close = () => resolve(dialog.returnValue === "yes" ? $("confirm-reason").value.trim() : null);
    dialog.addEventListener("close", close, { once: true });
  });
}

$("confirm-reason").addEventListener("input", () => {
  $("confirm-act").disabled = !$("confirm-reason").value.trim();
});
$("confirm-reason").addEventListener("keydown", (key) => {
  if (key.key !== "Enter") return;
  key.preventDefault(); // otherwise the key also presses what gets the focus next
  $("confirm-act").click();
});
$("confirm-act").addEventListener("click", () => $("confirm").close("yes"));
$("confirm-cancel").addEventListener("click", () => $("confirm").close());
