import { Html, html } from "../study/report/html.ts";
import { svg, type Tools } from "../study/report/plot.ts";
import { style } from "../study/report/style.ts";
import type { Distribution, Finding, Inspection, LayerInspection } from "../tools/index.ts";
import { EnvironmentError } from "../util/errors.ts";
import { grouped, tally } from "./inspect-text.ts";
import { brief } from "./terminal.ts";

type Drawing = Pick<Tools, "Plot" | "document">;

const KINDS = ["weight", "bias", "runningMean", "runningVar"] as const;
type Kind = (typeof KINDS)[number];
const TITLES: Readonly<Record<Kind, string>> = {
  weight: "γ (weight)",
  bias: "β (bias)",
  runningMean: "running mean",
  runningVar: "running variance",
};
const COLORS: Readonly<Record<Kind, string>> = {
  weight: "var(--batch)",
  bias: "var(--layer)",
  runningMean: "var(--instance)",
  runningVar: "var(--group)",
};

async function loadDrawing(): Promise<Drawing> {
  try {
    const [Plot, { parseHTML }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
    const { document } = parseHTML("<!doctype html><html><body></body></html>");
    return { Plot, document: document as unknown as Document };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new EnvironmentError(
      "--html needs @observablehq/plot and linkedom, and at least one of them is not installed",
      "npm install @observablehq/plot linkedom",
    );
  }
}

const drawable = (values: Distribution | null): values is Distribution =>
  values !== null && values.count > values.nonFinite;

/** From the first layer to the last: least to largest as a line, the middle half as a bar, the median as a point. */
function overview({ Plot, document }: Drawing, layers: readonly LayerInspection[], kind: Kind): Html | null {
  const rows = layers.flatMap((layer, i) => {
    const values = layer[kind];
    return drawable(values) ? [{ at: i + 1, name: layer.path, ...values }] : [];
  });
  if (rows.length === 0) return null;
  const log = kind === "runningVar" && rows.every(({ min }) => min > 0);
  const color = COLORS[kind];
  const plot = svg(
    { Plot, document },
    {
      id: `over-${kind}`,
      title: `${TITLES[kind]} of every layer`,
      desc: `${rows.length} layers in the order of the file: least, middle half, median and largest value.`,
    },
    "each",
    {
      width: 720,
      height: 220,
      marginLeft: 52,
      marginBottom: 34,
      x: { label: "layer, in the file's order", tickSize: 0, labelArrow: "none", interval: 1, ticks: 8 },
      y: { label: null, grid: true, tickSize: 0, ...(log ? { type: "log", ticks: 4, tickFormat: brief } : {}) },
      marks: [
        ...(log ? [] : [Plot.ruleY([0], { stroke: "var(--faint)" })]),
        Plot.ruleX(rows, { x: "at", y1: "min", y2: "max", stroke: color, strokeOpacity: 0.45 }),
        Plot.ruleX(rows, { x: "at", y1: "q25", y2: "q75", stroke: color, strokeWidth: 4 }),
        Plot.dot(rows, { x: "at", y: "median", r: 2.4, fill: "var(--paper)", stroke: color }),
      ],
    },
  );
  return html`<figure><figcaption><b>${TITLES[kind]}</b>${log ? ", logarithmic" : ""}</figcaption>${plot}</figure>`;
}

/** A small histogram, its ends named. */
function histogram(drawing: Drawing, values: Distribution | null, kind: Kind, id: string): Html {
  if (!drawable(values)) return html`<td class="none">${values ? "not finite" : "–"}</td>`;
  const { min, max, median, histogram: bins, count } = values;
  const bars = bins.map((n, i) => ({ n, from: i, to: i + 1 }));
  const { Plot } = drawing;
  const plot = svg(
    drawing,
    { id, title: TITLES[kind], desc: `${count} values from ${brief(min)} to ${brief(max)}, median ${brief(median)}` },
    "small",
    {
      width: 132,
      height: 38,
      margin: 1,
      x: { axis: null, domain: [0, bins.length] },
      y: { axis: null },
      marks: [
        Plot.rectY(min === max ? [{ n: 1, from: 9, to: 11 }] : bars, {
          x1: "from",
          x2: "to",
          y: "n",
          fill: COLORS[kind],
          inset: 0.5,
        }),
        Plot.ruleY([0], { stroke: "var(--faint)" }),
      ],
    },
  );
  const ends = min === max ? html`all ${brief(min)}` : html`${brief(min)}<b>${brief(median)}</b>${brief(max)}`;
  return html`<td>${plot}<span class="ends">${ends}</span></td>`;
}

function findingsPart(findings: readonly Finding[]): Html {
  if (findings.length === 0) return html`<p class="lede">Nothing stands out.</p>`;
  return html`${grouped(findings).map((group) => {
    const [{ severity, code, remedy }] = group;
    const rows = group.map(
      ({ path, problem }) =>
        html`<li>${path && html`<a href="#layer-${path}"><code>${path}</code></a> `}${problem}</li>`,
    );
    const list =
      group.length > 6
        ? html`<ul>${rows.slice(0, 5)}</ul><details><summary>${group.length - 5} more layers</summary><ul>${rows.slice(5)}</ul></details>`
        : html`<ul>${rows}</ul>`;
    return html`<section class="finding ${severity}"><h3><span class="level">${severity}</span> ${code.replaceAll("-", " ")}${group.length > 1 && html` <small>${group.length} layers</small>`}</h3>${list}<p><b>What to do.</b> ${remedy}</p></section>`;
  })}`;
}

const OWN_STYLE = `
main,.bar{max-width:860px}h1{overflow-wrap:anywhere;font-size:clamp(28px,5vw,40px)}
.plot.each{width:100%}.plot.small{width:132px}
.finding{border-left:4px solid var(--faint);padding:.1em 0 .1em 18px;margin:1.6em 0}
.finding.error{border-color:#c0362c}.finding.warning{border-color:var(--layer)}.finding.note{border-color:var(--batch)}
.finding h3{margin:0 0 .3em}.finding ul{margin:.2em 0 .5em;padding-left:1.1em;font-size:15px}.finding p{font-size:15px;margin:0}
.level{text-transform:uppercase;font-size:12px;letter-spacing:.06em;margin-right:.5em;color:var(--muted)}
.finding small{font-weight:400;color:var(--muted);margin-left:.4em}
code{font:13px var(--mono);overflow-wrap:anywhere}
table{min-width:0;width:100%}td,th{vertical-align:top;padding:10px 16px 8px 0;text-align:left}tbody th{white-space:normal;min-width:130px}
tbody th small{display:block;color:var(--muted);font-size:13px}
td.none{color:var(--muted)}tr:target{background:var(--raised)}
.ends{display:flex;justify-content:space-between;width:132px;font-size:11.5px;color:var(--muted)}.ends b{color:var(--ink);font-weight:600}
.scroll{max-height:none}`;

/**
 * The inspection as one HTML file that needs nothing else.
 * @throws EnvironmentError where what draws is not installed
 */
export async function inspectionPage(
  { layers, findings }: Inspection,
  { title, head, notes }: { title: string; head: string; notes: readonly string[] },
): Promise<string> {
  const drawing = await loadDrawing();
  const kinds = KINDS.filter((kind) => layers.some((layer) => layer[kind]));
  const rows = layers.map(
    (layer, i) =>
      html`<tr id="layer-${layer.path}"><th scope="row"><code>${layer.path || "(the model)"}</code><small>${layer.kind}, ${layer.channels} channels</small></th>${kinds.map((kind) => histogram(drawing, layer[kind], kind, `h${i}-${kind}`))}</tr>`,
  );
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark"><title>${title}: normalization layers</title>
<style>${new Html(style() + OWN_STYLE)}</style></head>
<body><header class="bar"><span class="brand">evenkeel inspect</span></header><main>
<section class="hero"><h1>${title}</h1><p class="lede">${head.slice(head.indexOf(": ") + 2)}.</p>
${notes.length > 0 && html`<ul class="note">${notes.map((note) => html`<li>${note}</li>`)}</ul>`}</section>
${
  layers.length === 0
    ? html`<p>No normalization layers are in it.</p>`
    : html`<section><h2>${findings.length > 0 ? tally(findings) : "No findings"}</h2>${findingsPart(findings)}</section>
<section class="chapter"><h2>From the first layer to the last</h2><p class="note">A line from the least to the largest value of a layer, a bar over the middle half, a point at the median.</p>${kinds.map((kind) => overview(drawing, layers, kind))}</section>
<section class="chapter"><h2>Layer by layer</h2><p class="note">Histograms from the least to the largest value, which stand below with the median between.</p>
<div class="scroll"><table><thead><tr><th>layer</th>${kinds.map((kind) => html`<th>${TITLES[kind]}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div></section>`
}
</main></body></html>
`.text;
}
