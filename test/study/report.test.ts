import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { escapeHtml, html } from "../../src/study/report/html.ts";
import { en } from "../../src/study/report/i18n/en.ts";
import { zh } from "../../src/study/report/i18n/zh.ts";
import { renderReport } from "../../src/study/report/render.ts";
import { contrast, dark, heatSteps, light } from "../../src/study/report/style.ts";
import { experimentNames } from "../../src/study/results.ts";
import { fixture } from "./fixture.ts";

const report = await renderReport(fixture());
const { document } = parseHTML(report);
const voids = new Set(["meta", "br", "hr", "img", "input", "link"]);

/** The tags of a page that are left open or closed without having been opened. */
function unbalanced(page: string): string[] {
  const open: string[] = [];
  const bad: string[] = [];
  const body = page.replace(/<(script|style)>[\s\S]*?<\/\1>/g, "").replace(/<!doctype html>/, "");
  for (const [, slash, name, self] of body.matchAll(/<(\/?)([a-z][a-z0-9]*)\b(?:[^<>"']|"[^"]*"|'[^']*')*?(\/?)>/gi)) {
    if (voids.has(name) || self) continue;
    if (!slash) open.push(name);
    else if (open.pop() !== name) bad.push(name);
  }
  return [...bad, ...open];
}

describe("the page", () => {
  test("is well formed, with unique ids and links that lead somewhere", () => {
    expect(unbalanced(report)).toEqual([]);
    const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const link of document.querySelectorAll('a[href^="#"]')) {
      expect(ids).toContain(link.getAttribute("href")!.slice(1));
    }
  });

  test("asks nothing of the network and links only to the papers", () => {
    for (const element of document.querySelectorAll("[src],[srcset],[data],link,img,iframe,object")) {
      expect.unreachable(element.outerHTML);
    }
    const external = [...document.querySelectorAll("[href]")]
      .map((e) => e.getAttribute("href")!)
      .filter((href) => !href.startsWith("#"));
    expect(external.length).toBe(10);
    for (const href of external) expect(href).toMatch(/^https:\/\/arxiv\.org\/abs\/\d{4}\.\d{5}$/);
    expect(report).not.toMatch(/@import|url\(/);
  });

  test("is the same for the same results", async () => {
    expect(await renderReport(fixture())).toBe(report);
  });

  test("has no value that was not one", () => {
    expect(document.body.textContent).not.toMatch(/NaN|undefined|Infinity|\[object/);
    expect(report).not.toMatch(/NaN|undefined/);
  });

  test("shows English without JavaScript and marks its languages", () => {
    const [english, chinese] = document.querySelectorAll("main");
    expect(document.documentElement.getAttribute("lang")).toBe("en");
    expect([english.getAttribute("lang"), english.hasAttribute("hidden")]).toEqual(["en", false]);
    expect([chinese.getAttribute("lang"), chinese.hasAttribute("hidden")]).toEqual(["zh-CN", true]);
    expect(english.textContent).not.toMatch(/\p{Script=Han}/u);
    expect(chinese.querySelector("h1")!.textContent).toBe(zh.title);
  });

  test("names and describes every plot, in both sizes or in one", () => {
    const plots = [...document.querySelectorAll("svg")];
    expect(plots.length).toBe(2 * (7 * 2 + 2));
    for (const plot of plots) {
      const [title, desc] = plot
        .getAttribute("aria-labelledby")!
        .split(" ")
        .map((id) => document.getElementById(id));
      expect(plot.getAttribute("role")).toBe("img");
      expect(title!.textContent).not.toBe("");
      expect(desc!.textContent).not.toBe("");
    }
  });

  test("has a chapter, a rule, settings and a table for every experiment", () => {
    for (const lang of ["en", "zh-CN"]) {
      for (const name of experimentNames) {
        const chapter = document.getElementById(`${lang}-${name}`)!;
        expect(chapter.querySelectorAll("details").length).toBe(3);
        expect(chapter.querySelectorAll("table").length).toBeGreaterThan(0);
        expect(chapter.querySelector(".badge.holds")).not.toBeNull();
      }
    }
  });

  test("fills the formulas of the three steps with the run's numbers", () => {
    const steps = document.getElementById("en-steps")!;
    const { threeSteps } = fixture();
    expect(steps.querySelectorAll("math").length).toBeGreaterThan(8);
    const text = steps.textContent!.replace(/−/g, "-");
    for (const value of [
      threeSteps!.mean,
      threeSteps!.var,
      threeSteps!.xhat[0],
      threeSteps!.y[0],
      threeSteps!.yEval[5],
    ]) {
      expect(text).toContain(value.toFixed(3));
    }
  });

  test("gives the numbers of the findings", () => {
    const text = document.getElementById("en-speed")!.textContent!;
    expect(text).toContain("after 440 steps instead of 2,940: in 15% of the steps");
    expect(document.querySelector("#zh-CN-speed")!.textContent).toContain("批归一化只用 440 步");
  });
});

describe("studies that are not whole", () => {
  test("every experiment alone, and none at all", async () => {
    for (const only of [...experimentNames, undefined]) {
      const results = fixture();
      delete results.threeSteps;
      for (const name of experimentNames) if (name !== only) delete results.experiments[name];
      const page = await renderReport(results);
      expect(unbalanced(page)).toEqual([]);
      expect(page).not.toMatch(/NaN|undefined/);
      expect(parseHTML(page).document.querySelectorAll("main[lang=en] .claims .off").length).toBe(only ? 4 : 5);
    }
  });

  test("an experiment stopped before its first run", async () => {
    const results = fixture();
    results.meta.aborted = true;
    for (const name of experimentNames) {
      const experiment = results.experiments[name]!;
      experiment.finished = false;
      experiment.runs = [];
    }
    const page = await renderReport(results);
    const english = parseHTML(page).document.querySelector("main[lang=en]")!;
    expect(unbalanced(page)).toEqual([]);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
    expect(english.querySelectorAll(".claims .unfinished").length).toBe(5);
    expect(english.querySelectorAll(".claims .badge.open").length).toBe(5);
    expect(english.textContent).toContain(en.aborted);
    expect(english.textContent).toContain(en.noData);
  });

  test("any number of runs done, in the order they are done", async () => {
    for (const kept of [1, 2, 5, 9, 14]) {
      const results = fixture();
      for (const name of experimentNames) {
        const experiment = results.experiments[name]!;
        experiment.finished = false;
        experiment.runs.length = Math.min(kept, experiment.runs.length);
      }
      const page = await renderReport(results);
      expect(page).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  test("a curve cut to one point, or to none", async () => {
    for (const points of [0, 1]) {
      const results = fixture();
      for (const run of results.experiments.speed!.runs) {
        for (const series of [...Object.values(run.curve), ...Object.values(run.unit)])
          if (Array.isArray(series)) series.length = points;
        run.finished = false;
        run.trainSeconds = 0;
      }
      const page = await renderReport(results);
      expect(page).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  test("says plainly that a claim does not hold", async () => {
    const results = fixture();
    const [plain, batch] = results.experiments.speed!.runs;
    [plain.curve, batch.curve] = [batch.curve, plain.curve];
    const { document } = parseHTML(await renderReport(results));
    expect(document.querySelector("#en-speed .verdict")!.textContent).toContain("Does not hold here");
    expect(document.querySelector("#en-speed .verdict")!.textContent).toContain(en.speed.verdict.fails);
    expect(document.querySelector("#zh-CN-speed .verdict")!.textContent).toContain("论断不成立");
  });
});

describe("text", () => {
  test("whatever comes from outside is escaped", async () => {
    const results = fixture();
    const evil = `<script>alert("x")</script>'&`;
    results.meta.machine.cpu = evil;
    results.meta.command = evil;
    results.meta.preset = evil;
    results.meta.data.name = evil;
    results.experiments.init!.settings.network = evil;
    const page = await renderReport(results);
    expect(page).not.toContain("<script>alert");
    expect(unbalanced(page)).toEqual([]);
    expect(parseHTML(page).document.querySelector("pre")!.textContent).toBe(evil);
  });

  test("templates escape text, keep HTML, join lists and leave out nothings", () => {
    expect(escapeHtml(`<a href="x">'&`)).toBe("&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    expect(html`<p>${"<b>"}${html`<i>${1}</i>`}${["&", html`<u/>`]}${null}${undefined}${false}</p>`.text).toBe(
      "<p>&lt;b&gt;<i>1</i>&amp;<u/></p>",
    );
  });

  test("both languages say everything, each in its own words", () => {
    const paths = (value: unknown, path = ""): string[] =>
      typeof value === "object" && value !== null && !("text" in value && Object.keys(value).length === 1)
        ? Object.entries(value).flatMap(([key, inner]) => paths(inner, `${path}.${key}`))
        : [path];
    expect(paths(zh)).toEqual(paths(en));
    const strings = (value: unknown, path = ""): [string, string][] =>
      typeof value === "string"
        ? [[path, value]]
        : typeof value === "object" && value !== null
          ? Object.entries(value).flatMap(([key, inner]) => strings(inner, `${path}.${key}`))
          : [];
    const same = new Set([".reproduce.labels.version", ".reproduce.labels.node"]);
    const may = new Set([".between", ".lang", ...same]);
    for (const [path, text] of strings(zh)) {
      if (may.has(path) || path.endsWith(".open")) continue;
      expect(text, path).toMatch(/\p{Script=Han}/u);
    }
    for (const [path, text] of strings(en)) expect(text, path).not.toMatch(/\p{Script=Han}/u);
  });
});

describe("colours", () => {
  test("every colour that words are set in is legible on the paper, and on raised ground", () => {
    for (const theme of [light, dark]) {
      for (const name of ["ink", "muted", "none", "batch", "layer", "instance", "group"] as const) {
        expect(contrast(theme[name], theme.paper), name).toBeGreaterThanOrEqual(4.5);
        expect(contrast(theme[name], theme.raised), name).toBeGreaterThanOrEqual(4.5);
      }
      for (const { fill, text } of heatSteps(theme)) expect(contrast(fill, text), fill).toBeGreaterThanOrEqual(4.5);
    }
    expect(contrast("#000000", "#ffffff")).toBeCloseTo(21, 6);
  });
});
