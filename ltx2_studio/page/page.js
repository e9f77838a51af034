/**
 * The backend's own page: a token comes in the address once (`/#token=…`, which no server sees), and stays in this
 * browser until another one comes or it is refused.
 */

import "./ltx2-studio.js";

const KEY = "ltx2-studio:token";
const studio = document.querySelector("ltx2-studio");

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  localStorage.setItem(KEY, given);
  history.replaceState(null, "", location.pathname);
}
studio.titles = true;
studio.token = localStorage.getItem(KEY) ?? "";
studio.addEventListener("ltx2:token", (event) => localStorage.setItem(KEY, event.detail));
studio.addEventListener("ltx2:unauthorized", () => localStorage.removeItem(KEY));
