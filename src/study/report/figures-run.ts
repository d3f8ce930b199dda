import type { NormKind, ThreeSteps, UnitPercentiles } from "../results.ts";
import { integer, percent, share, thin } from "./format.ts";
import type { Html } from "./html.ts";
import type { Strings } from "./i18n/en.ts";
import type { MeanCurve, SpeedFindings } from "./judge.ts";
import { type Caption, color, endLabels, frame, halo, responsive, type Size, svg, type Tools, yPixel } from "./plot.ts";

/** Points a drawn curve has at most: more cannot be seen at 720 pixels. */
const drawn = 260;

/** Figure 1a: test accuracy by step, with the plain network's best accuracy and where batch norm reaches it. */
export function curvesFigure(tools: Tools, t: Strings, caption: Caption, found: SpeedFindings): Html {
  const { Plot } = tools;
  const curves = (
    [
      ["none", found.plain],
      ["batch", found.batch],
    ] as [NormKind, MeanCurve | undefined][]
  ).flatMap(([norm, curve]) =>
    curve
      ? [
          {
            norm,
            points: thin(curve.step.length, drawn).map((i) => ({ step: curve.step[i], y: curve.accuracy[i] * 100 })),
          },
        ]
      : [],
  );
  const lowest = Math.min(100, ...curves.flatMap((c) => c.points.map((p) => p.y)));
  const domain: [number, number] = [Math.max(0, Math.floor((lowest - 2) / 10) * 10), 100];
  const last = Math.max(...curves.map((c) => c.points[c.points.length - 1].step));
  return responsive(tools, caption, (size) => {
    const base = frame(size, {
      x: { label: t.axis.step, domain: [0, last], ticks: size.narrow ? 4 : 6, tickFormat: integer },
    });
    const height = base.height as number;
    const best = found.plainBest === null || !found.plainLearned ? null : found.plainBest * 100;
    const mark =
      best !== null && found.batchStep !== null && found.share !== null ? { x: found.batchStep, y: best } : null;
    return {
      ...base,
      y: { ...base.y, label: t.axis.testAccuracy, domain, ticks: 6 },
      marks: [
        best === null ? null : Plot.ruleY([best], { stroke: "var(--faint)", strokeDasharray: "2 4" }),
        curves.map((c) =>
          Plot.line(c.points, {
            x: "step",
            y: "y",
            stroke: color(c.norm),
            strokeWidth: c.norm === "batch" ? 2.4 : 1.8,
            strokeDasharray: c.norm === "none" ? "6 3" : undefined,
            clip: false,
          }),
        ),
        mark &&
          Plot.dot([mark], { x: "x", y: "y", r: 6, stroke: color("batch"), strokeWidth: 2, fill: "var(--paper)" }),
        mark &&
          Plot.text([mark], {
            x: "x",
            y: "y",
            text: () => t.speed.mark(percent(found.plainBest as number), share(found.share as number), integer(mark.x)),
            textAnchor: (found.share as number) > 0.6 ? "end" : "start",
            dx: (found.share as number) > 0.6 ? -10 : 10,
            dy: 18,
            lineAnchor: "top",
            lineHeight: 1.3,
            fill: "var(--ink)",
            ...halo,
          }),
        mark &&
          Plot.link([mark], {
            x1: "x",
            x2: "x",
            y1: "y",
            y2: () => domain[0],
            stroke: color("batch"),
            strokeWidth: 1,
            strokeDasharray: "1 4",
          }),
        ...endLabels(
          Plot,
          curves.map((c) => {
            const end = c.points[c.points.length - 1];
            return {
              x: end.step,
              y: end.y,
              text: size.narrow ? t.normShort[c.norm] : t.norm[c.norm],
              fill: color(c.norm),
            };
          }),
          yPixel(domain, height),
        ),
      ],
    };
  });
}

/** Figure 1b or 1c: the median and the 15–85 band of a unit's input over training. */
export function unitFigure(
  tools: Tools,
  t: Strings,
  caption: Caption,
  norm: NormKind,
  unit: UnitPercentiles,
  domain: [number, number],
): Html {
  const { Plot } = tools;
  const points = thin(unit.step.length, drawn).map((i) => ({
    step: unit.step[i],
    p15: unit.p15[i],
    p50: unit.p50[i],
    p85: unit.p85[i],
  }));
  const end = points[points.length - 1];
  const size: Size = { width: 350, narrow: true };
  const base = frame(size, { x: { label: t.axis.step, ticks: 4, tickFormat: integer, domain: [0, end.step] } });
  return svg(tools, caption, "small", {
    ...base,
    marginRight: 42,
    y: { ...base.y, label: t.axis.input, domain, ticks: 6 },
    marks: [
      Plot.areaY(points, { x: "step", y1: "p15", y2: "p85", fill: color(norm), fillOpacity: 0.18 }),
      Plot.line(points, { x: "step", y: "p15", stroke: color(norm), strokeWidth: 0.8 }),
      Plot.line(points, { x: "step", y: "p85", stroke: color(norm), strokeWidth: 0.8 }),
      Plot.line(points, { x: "step", y: "p50", stroke: color(norm), strokeWidth: 2.2 }),
      ...endLabels(
        Plot,
        (
          [
            ["85%", end.p85],
            ["50%", end.p50],
            ["15%", end.p15],
          ] as const
        ).map(([text, y]) => ({ x: end.step, y, text, fill: color(norm) })),
        yPixel(domain, base.height as number),
      ),
    ],
  });
}

/** The values of one mini-batch as they come in, normalized, scaled and shifted. */
export function threeStepsFigure(tools: Tools, t: Strings, caption: Caption, steps: ThreeSteps): Html {
  const { Plot } = tools;
  const rows = [
    { name: t.three.rows.x, of: (i: number) => steps.x[i] },
    { name: t.three.rows.xhat, of: (i: number) => steps.xhat[i] },
    { name: t.three.rows.scaled, of: (i: number) => steps.gamma * steps.xhat[i] },
    { name: t.three.rows.y, of: (i: number) => steps.y[i] },
  ];
  const points = steps.x.flatMap((_, i) => rows.map((row) => ({ i, row: row.name, x: row.of(i) })));
  const centres = rows.map((row) => ({
    row: row.name,
    x: steps.x.reduce((sum, _, i) => sum + row.of(i), 0) / steps.x.length,
  }));
  return responsive(tools, caption, (size) => {
    const base = frame(size, {});
    return {
      ...base,
      height: 300,
      marginTop: 14,
      marginLeft: size.narrow ? 100 : 120,
      marginRight: 16,
      x: { ...base.x, label: t.axis.value, grid: true, nice: true },
      y: { type: "point", domain: rows.map((row) => row.name), label: null, tickSize: 0, padding: 0.3 },
      marks: [
        Plot.ruleX([0], { stroke: "var(--faint)" }),
        Plot.ruleY(rows, { y: "name", stroke: "var(--grid)" }),
        Plot.line(points, { x: "x", y: "row", z: "i", stroke: color("batch"), strokeOpacity: 0.35 }),
        Plot.dot(points, { x: "x", y: "row", r: 5.5, fill: color("batch"), stroke: "var(--paper)" }),
        Plot.text(centres, { x: "x", y: "row", text: () => "▲", dy: 15, fill: "var(--muted)", fontSize: 10 }),
      ],
    };
  });
}
