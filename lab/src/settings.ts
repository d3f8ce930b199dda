import { useEffect, useState } from "preact/hooks";

/** What the reader chose for the page's colours. */
export type ThemeChoice = "auto" | "light" | "dark";
/** The colours that are shown. */
export type Theme = "light" | "dark";

const KEY = "evenkeel-lab-theme";
const darkSystem = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
let choice = readChoice();

function readChoice(): ThemeChoice {
  const stored = remembered(KEY);
  return stored === "light" || stored === "dark" ? stored : "auto";
}

/** What was remembered under a key; nothing where the browser forbids it. */
export function remembered(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Remembers a choice for the next visit, where the browser allows it. */
export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // A private window may forbid it: then the choice lasts as long as the page.
  }
}

/** The colours that are shown now. */
export function theme(): Theme {
  if (choice !== "auto") return choice;
  return darkSystem.matches ? "dark" : "light";
}

function show(): void {
  document.documentElement.dataset.theme = theme();
  document.querySelector('meta[name="theme-color"]')?.setAttribute("content", color("--paper"));
  for (const listener of listeners) listener();
}

export function chooseTheme(next: ThemeChoice): void {
  choice = next;
  remember(KEY, next);
  show();
}

darkSystem.addEventListener("change", show);

/** The theme that is shown and the choice behind it; the component is drawn again when either changes. */
export function useTheme(): { theme: Theme; choice: ThemeChoice } {
  const [, redraw] = useState({});
  useEffect(() => {
    const listener = () => redraw({});
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return { theme: theme(), choice };
}

/** A design token's value now, for what draws on a canvas: color("--after"). Inside SVG use var(--after) itself. */
export function color(token: `--${string}`): string {
  return getComputedStyle(document.documentElement).getPropertyValue(token).trim();
}

/** Whether the reader asked for less motion. */
export function prefersStillness(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
