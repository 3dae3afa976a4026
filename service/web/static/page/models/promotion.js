// Which version of a model is used for predictions: its champion.

import { get, put } from "../api.js";
import { confirmed } from "../parts/dialog.js";

const CHAMPION = "champion";

export const championOf = (model) => model.aliases?.[CHAMPION] ?? null;

export const historyOf = (name) => get(`/models/${encodeURIComponent(name)}/aliases/${CHAMPION}/history`);

// Makes a version the champion instead of the present one, which If-Match names. If it is worse on the test images, it
// asks before. Returns whether it was done.
export async function promote(model, version, reason) {
  const champion = championOf(model);
  if (champion !== null && !(await isWanted(model.name, champion, version))) return false;
  const headers = champion === null ? {} : { "If-Match": `"${champion}"` };
  await put(`/models/${encodeURIComponent(model.name)}/aliases/${CHAMPION}`, { version, reason }, headers);
  return true;
}

async function isWanted(name, champion, version) {
  const query = new URLSearchParams([champion, version].map((each) => ["model", `${name}/${each}`]));
  const { comparisons } = await get(`/compare?${query}`).catch(() => ({ comparisons: [] })); // they may have different classes
  const [found] = comparisons;
  if (!found || found.accuracy_difference >= 0) return true;
  return confirmed(`Use version ${version}, although it is worse?`, found.sentence, `Use version ${version}`);
}
