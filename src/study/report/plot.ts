import type { Markish, PlotOptions } from "@observablehq/plot";
import { EnvironmentError } from "../../util/errors.ts";
import type { NormKind } from "../results.ts";
import { Html, html } from "./html.ts";

/** The libraries that draw and set the report; loaded only when a report is made. */
export interface Tools {
  Plot: typeof import("@observablehq/plot");
  /** Sets TeX as MathML; `display` puts it on a line of its own. */
  math: (tex: string, display?: boolean) => Html;
  document: Document;
}

/**
 * Loads Plot, linkedom and KaTeX.
 *
 * @throws EnvironmentError where one of them is not installed
 */
export async function loadTools(): Promise<Tools> {
  try {
    const [Plot, { parseHTML }, { default: katex }] = await Promise.all([
      import("@observablehq/plot"),
      import("linkedom"),
      import("katex"),
    ]);
    const { document } = parseHTML("<!doctype html><html><body></body></html>");
    const math = (tex: string, display = false) =>
      new Html(katex.renderToString(tex, { output: "mathml", displayMode: display, throwOnError: true }));
    return { Plot, math, document: document as unknown as Document };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new EnvironmentError(
      "The report needs @observablehq/plot, linkedom and katex, and at least one of them is not installed",
      "npm install @observablehq/plot linkedom katex",
    );
  }
}

/** The room a plot has: every figure is drawn for a page and for a phone, so that its words stay readable on both. */
export interface Size {
  width: number;
  narrow: boolean;
}

/** What a screen reader says of a figure; the id is unique in the page. */
export interface Caption {
  id: string;
  title: string;
  desc: string;
}

/** Draws a plot for both sizes; the style sheet shows the one that fits. */
export function responsive(tools: Tools, caption: Caption, draw: (size: Size) => PlotOptions): Html {
  return html`${svg(tools, caption, "wide", draw({ width: 720, narrow: false }))}${svg(
    tools,
    { ...caption, id: `${caption.id}-s` },
    "narrow",
    draw({ width: 350, narrow: true }),
  )}`;
}

/** Draws one plot as an SVG with a title and a description. */
export function svg(
  tools: Pick<Tools, "Plot" | "document">,
  caption: Caption,
  className: string,
  options: PlotOptions,
): Html {
  const { document } = tools;
  const root = tools.Plot.plot({ ...options, document, className: "plot" });
  root.querySelector("style")?.remove();
  for (const group of root.querySelectorAll("[aria-label]")) group.removeAttribute("aria-label");
  root.removeAttribute("font-family");
  root.removeAttribute("font-size");
  root.setAttribute("class", `plot ${className}`);
  root.setAttribute("role", "img");
  root.setAttribute("aria-labelledby", `${caption.id}-t ${caption.id}-d`);
  for (const [name, text] of [
    ["desc", caption.desc],
    ["title", caption.title],
  ] as const) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    element.setAttribute("id", `${caption.id}-${name[0]}`);
    element.textContent = text;
    root.insertBefore(element, root.firstChild);
  }
  return new Html(rounded(root.outerHTML));
}

/** Path coordinates with one decimal: a tenth of a pixel is finer than any screen and halves the file. */
function rounded(text: string): string {
  return text.replace(/\d+\.\d{2,}(?=[^"<>]*")/g, (number) => String(Number(Number(number).toFixed(1))));
}

/** The colour of a normalization, the same in every plot. */
export function color(norm: NormKind): string {
  return `var(--${norm})`;
}

/** The mark of a normalization, so that it is told apart without its colour. */
export const symbols: Record<NormKind, "circle" | "square" | "triangle" | "diamond" | "cross"> = {
  none: "cross",
  batch: "circle",
  layer: "square",
  instance: "diamond",
  group: "triangle",
};

/** The frame all plots share: their margins, thin grid and axes. */
export function frame({ width, narrow }: Size, options: PlotOptions): PlotOptions {
  const axis = { tickSize: 0, labelArrow: "none" as const };
  return {
    width,
    height: narrow ? 260 : 340,
    marginTop: 30,
    marginBottom: 42,
    marginLeft: 40,
    marginRight: narrow ? 76 : 96,
    ...options,
    x: { ...axis, labelAnchor: "center", labelOffset: 36, ...options.x },
    y: { ...axis, labelOffset: 34, grid: true, ...options.y },
  };
}

/** Lets a label stand on a line: the paper shows around its letters. */
export const halo = { stroke: "var(--paper)", strokeWidth: 4 };

/** A label at the end of a curve. */
export interface EndLabel {
  x: number;
  y: number;
  text: string;
  fill: string;
}

/**
 * Labels at the ends of curves, moved apart so that they do not cover each other.
 *
 * @param toPixel where a y value lies, in pixels from the top
 */
export function endLabels(Plot: Tools["Plot"], labels: readonly EndLabel[], toPixel: (y: number) => number): Markish[] {
  const gap = 15;
  const placed = labels.map((label) => ({ label, at: toPixel(label.y) })).sort((a, b) => a.at - b.at);
  const wanted = placed.map((p) => p.at);
  // Down, then half of what the last one was moved back up for all of its neighbours: two passes settle a handful of labels.
  for (let i = 1; i < placed.length; i++) placed[i].at = Math.max(placed[i].at, placed[i - 1].at + gap);
  for (let i = placed.length - 1; i >= 0; i--) {
    const excess = (placed[i].at - wanted[i]) / 2;
    const floor = i > 0 ? placed[i - 1].at + gap : Number.NEGATIVE_INFINITY;
    placed[i].at = Math.max(placed[i].at - excess, floor);
  }
  return placed.map(({ label, at }) =>
    Plot.text([label], {
      x: "x",
      y: "y",
      text: "text",
      fill: label.fill,
      textAnchor: "start",
      dx: 9,
      dy: at - toPixel(label.y),
      fontWeight: 600,
      ...halo,
    }),
  );
}

/** Where a value lies on a linear or logarithmic axis of a frame, in pixels from the top. */
export function yPixel(domain: readonly [number, number], height: number, log = false): (y: number) => number {
  const scale = (v: number) => (log ? Math.log(v) : v);
  const [low, high] = domain.map(scale);
  return (y) => 30 + (height - 72) * (1 - (scale(y) - low) / (high - low));
}
