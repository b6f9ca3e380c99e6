// Light, dark, or as the system says.
import { cell } from "./cell.js";

export const theme = cell(localStorage.getItem("sm.theme") ?? "system");

/** @param {"light" | "dark" | "system"} next */
export function setTheme(next) {
  if (next === "system") {
    localStorage.removeItem("sm.theme");
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem("sm.theme", next);
    document.documentElement.dataset.theme = next;
  }
  theme.set(next);
}
