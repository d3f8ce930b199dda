import type { Distribution, Finding, Inspection, LayerInspection } from "../tools/index.ts";
import { brief, columns, count, lineWidth, painter, shorten, wrap } from "./terminal.ts";

const BARS = "▁▂▃▄▅▆▇█";
const SEVERITIES = { error: "red", warning: "yellow", note: "cyan" } as const;
/** Layers named under one kind of finding. */
const NAMED = 6;

/** A histogram in eight characters, empty intervals blank. */
function sparkline({ histogram }: Distribution): string {
  const bins = Array.from({ length: 8 }, (_, i) => {
    const [from, to] = [Math.floor((i * histogram.length) / 8), Math.floor(((i + 1) * histogram.length) / 8)];
    return histogram.slice(from, to).reduce((sum, n) => sum + n, 0) / (to - from);
  });
  const most = Math.max(...bins);
  return bins.map((n) => (n === 0 ? "·" : BARS[Math.min(7, Math.floor((n / most) * 8))])).join("");
}

/** Least, median and largest value, and how the values are spread between. */
function cells(values: Distribution | null): string[] {
  if (!values || values.count === 0) return ["–", "", "", ""];
  if (values.nonFinite === values.count) return ["NaN", "", "", ""];
  return [
    brief(values.min),
    brief(values.median),
    brief(values.max),
    values.min === values.max ? "" : sparkline(values),
  ];
}

/** The layers in lines no longer than the terminal's: medians with histograms, from 100 characters on with the ends, from 118 on of β and mean too. */
function layerTable(layers: readonly LayerInspection[], marks: ReadonlyMap<string, string>): string[] {
  const wide = lineWidth() >= 118;
  const ends = !wide && lineWidth() >= 100;
  const values = (layer: LayerInspection) =>
    [
      ["γ", layer.weight],
      ...(wide
        ? [
            ["β", layer.bias],
            ["mean", layer.runningMean],
          ]
        : []),
      ["variance", layer.runningVar],
    ] as [string, Distribution | null][];
  const names = values(layers[0]).map(([name]) => name);
  const pick = (all: string[]) => (ends ? all : [all[1] || all[0], all[3]]);
  const heads = names.flatMap((name) => (ends ? ["min", name, "max", ""] : [name, ""]));
  const body = layers.map((layer) => values(layer).flatMap(([, one]) => pick(cells(one))));
  const used = heads.map((head, i) => Math.max(head.length, ...body.map((row) => row[i].length)));
  const room = lineWidth() - used.reduce((sum, n) => sum + n + 2, 0) - 13;
  const rows = layers.map((layer, i) => [
    marks.get(layer.path) ?? " ",
    shorten(layer.path || "(the model)", Math.max(room, 12)),
    String(layer.channels),
    ...body[i],
  ]);
  const right = [false, false, true, ...names.flatMap(() => (ends ? [true, true, true, false] : [true, false]))];
  return columns([["", "layer", "channels", ...heads], ...rows], right);
}

/** Findings of one kind together: where, the numbers of some, and what to do. */
function findingText(findings: readonly Finding[], width: number, all: boolean): string {
  const paint = painter(process.stdout);
  const [{ severity, code, remedy }] = findings;
  const shown = all ? findings : findings.slice(0, NAMED);
  const head = `  ${paint([SEVERITIES[severity], "bold"], severity)} ${code}${findings.length > 1 ? `, ${count(findings.length, "layer")}` : ""}`;
  const lines = shown.map(({ path, problem }) => wrap(path ? `${path}: ${problem}` : problem, width, "    "));
  const rest = findings.length - shown.length;
  if (rest > 0) lines.push(`    … and ${count(rest, "more layer")} (--all names them)`);
  return [head, ...lines, paint("dim", wrap(`→ ${remedy}`, width, "    "))].join("\n");
}

/** Findings by kind, the grave ones first. */
export function grouped(findings: readonly Finding[]): Finding[][] {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const key = `${finding.severity} ${finding.code}`;
    groups.set(key, [...(groups.get(key) ?? []), finding]);
  }
  const order = Object.keys(SEVERITIES);
  return [...groups.values()].toSorted(([a], [b]) => order.indexOf(a.severity) - order.indexOf(b.severity));
}

/** "2 errors, 1 warning", or nothing. */
export function tally(findings: readonly Finding[]): string {
  const counts = Object.keys(SEVERITIES).map((severity) => ({
    severity,
    n: findings.filter((finding) => finding.severity === severity).length,
  }));
  return counts
    .filter(({ n }) => n > 0)
    .map(({ severity, n }) => count(n, severity))
    .join(", ");
}

/** The whole inspection for the terminal. */
export function inspectionText({ layers, findings }: Inspection, all: boolean): string {
  const paint = painter(process.stdout);
  if (layers.length === 0) return "No normalization layers are in it.\n";
  const marks = new Map<string, string>();
  for (const { path, severity } of findings.toReversed()) {
    const mark = { error: "✗", warning: "!", note: "·" }[severity];
    if (marks.get(path) !== "✗") marks.set(path, mark);
  }
  const [head, ...rows] = layerTable(layers, marks);
  const table = [paint("dim", head), ...rows].map((row) => `${row}\n`).join("");
  const width = Math.min(lineWidth(), 110);
  const texts = grouped(findings).map((group) => `${findingText(group, width, all)}\n`);
  const summary = findings.length > 0 ? paint("bold", tally(findings)) : paint("green", "Nothing stands out.");
  return `${table}\n${summary}\n${texts.length > 0 ? `\n${texts.join("\n")}` : ""}`;
}
