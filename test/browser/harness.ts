import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { test as base, expect, inject } from "vitest";

/** How a room is looked at. */
export interface Look {
  readonly language?: "en" | "zh-CN";
  readonly theme?: "light" | "dark";
  /** without the headers that let threads share memory */
  readonly plain?: boolean;
  readonly width?: number;
  readonly query?: string;
  /** false: with motion, which is reduced otherwise */
  readonly still?: boolean;
  /** is given the page before anything is loaded */
  readonly watch?: (page: Page) => void;
}

const lab = inject("lab");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Opens a room in a fresh browser context and waits until it is drawn. */
export type Visit = (room: string, look?: Look) => Promise<Page>;

interface Fixtures {
  browser: Browser;
  visit: Visit;
}

/** A test with `visit`. It fails if a page that it opened wrote an error to the console. */
export const test = base.extend<Fixtures>({
  browser: [
    // biome-ignore lint/correctness/noEmptyPattern: the fixture needs no other
    async ({}, use) => {
      if (!lab) return use(undefined as unknown as Browser);
      const browser = await chromium.connect(lab.browser);
      await use(browser);
      await browser.close();
    },
    { scope: "file" },
  ],
  visit: async ({ browser, skip }, use) => {
    if (!lab) return skip("Chromium is missing");
    const contexts: BrowserContext[] = [];
    const errors: string[] = [];
    await use(async (room, look = {}) => {
      const context = await browser.newContext({
        locale: look.language ?? "en",
        colorScheme: look.theme ?? "light",
        viewport: { width: look.width ?? 1200, height: 900 },
        reducedMotion: look.still === false ? "no-preference" : "reduce",
      });
      contexts.push(context);
      const page = await context.newPage();
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      page.on("pageerror", (error) => errors.push(String(error)));
      look.watch?.(page);
      await page.goto(`${look.plain ? lab.plain : lab.isolated}#/${room}${look.query ? `?${look.query}` : ""}`);
      await page.locator(`main[data-room="${room}"]:not(:has([aria-busy="true"]))`).waitFor();
      return page;
    });
    await Promise.all(contexts.map((context) => context.close()));
    expect(errors).toEqual([]);
  },
});

/** The faults that axe-core finds and calls serious or critical, each with its first place. */
export async function seriousFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
  );
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.length} × ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary ?? ""}`);
}

interface AxeResults {
  violations: { id: string; impact?: string; nodes: { html: string; failureSummary?: string }[] }[];
}

/** Waits until what was just changed is drawn. */
export async function drawn(page: Page): Promise<void> {
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** The number that a room shows under a name: <… data-stat="mean">−0.25 %</…>. */
export async function shown(page: Page, name: string): Promise<number> {
  await drawn(page);
  const text = await page.locator(`[data-stat="${name}"]`).first().innerText();
  return Number(text.replace("−", "-").replace(" %", ""));
}
