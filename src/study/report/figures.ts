import type { PlotOptions } from "@observablehq/plot";
import type { GeneralizationExperiment, NormKind, SweepExperiment, ThreeSteps, UnitPercentiles } from "../results.ts";
import { integer, percent, share, short, thin } from "./format.ts";
import type { Html } from "./html.ts";
import type { Strings } from "./i18n/en.ts";
import type { BatchSizeFindings, GeneralizationFindings, Grid, MeanCurve, SpeedFindings } from "./judge.ts";
import {
  type Caption,
  color,
  endLabels,
  frame,
  halo,
  responsive,
  type Size,
  svg,
  symbols,
  type Tools,
  yPixel,
} from "./plot.ts";

/** Points a drawn curve has at most: more cannot be seen at 720 pixels. */
const drawn = 260;
const levels = 10;

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

/** A grid of final accuracies with the numbers in its cells; on a phone it stands upright. */
export function heatmapFigure(
  tools: Tools,
  t: Strings,
  caption: Caption,
  sweep: SweepExperiment,
  grid: Grid,
  chance: number,
  label: string,
): Html {
  const { Plot } = tools;
  const cells = [...grid.cells].flatMap(([norm, row]) =>
    row.map((cell, i) => ({ norm, value: short(sweep.values[i]), ...cell })),
  );
  const level = (accuracy: number) =>
    Math.min(levels - 1, Math.max(0, Math.floor(((accuracy - chance) / (1 - chance)) * levels)));
  const values = sweep.values.map(short);
  const text = (cell: { accuracy: number | null; diverged: number }) =>
    cell.accuracy === null ? "–" : cell.diverged > 0 ? "×" : (cell.accuracy * 100).toFixed(1);
  return responsive(tools, caption, ({ width, narrow }): PlotOptions => {
    const [across, down] = narrow ? (["norm", "value"] as const) : (["value", "norm"] as const);
    const names = { domain: sweep.norms, axis: null };
    const scale = { domain: values, tickSize: 0, labelArrow: "none" as const, labelAnchor: "center" as const };
    return {
      width,
      height: narrow ? 60 + 34 * values.length : 62 + 48 * sweep.norms.length,
      marginTop: narrow ? 42 : 6,
      marginLeft: narrow ? 46 : 112,
      marginRight: 6,
      marginBottom: narrow ? 6 : 52,
      x: narrow ? { ...names, padding: 0.06 } : { ...scale, label, labelOffset: 42, padding: 0.04 },
      y: narrow ? { ...scale, label, labelAnchor: "top", labelOffset: 40, padding: 0.08 } : { ...names, padding: 0.08 },
      color: { type: "identity" },
      marks: [
        Plot.text(sweep.norms, {
          [narrow ? "x" : "y"]: (norm: NormKind) => norm,
          text: (norm: NormKind) => (narrow ? t.normShort : t.norm)[norm],
          fill: color,
          fontWeight: 600,
          ...(narrow
            ? { frameAnchor: "top", dy: -12, fontSize: 12 }
            : { frameAnchor: "left", textAnchor: "end", dx: -12 }),
        }),
        Plot.cell(cells, {
          x: across,
          y: down,
          rx: 3,
          fill: (c) => (c.accuracy === null ? "none" : `var(--h${level(c.accuracy)})`),
          stroke: (c) => (c.accuracy === null ? "var(--faint)" : "none"),
          strokeDasharray: "3 3",
        }),
        Plot.text(cells, {
          x: across,
          y: down,
          text,
          fontSize: 13,
          fill: (c) => (c.accuracy === null ? "var(--muted)" : `var(--t${level(c.accuracy)})`),
        }),
      ],
    };
  });
}

/** Every seed's training and test accuracy, with mean and standard deviation. */
export function seedsFigure(
  tools: Tools,
  t: Strings,
  caption: Caption,
  experiment: GeneralizationExperiment,
  found: GeneralizationFindings,
): Html {
  const { Plot } = tools;
  const norms = experiment.norms.filter((norm) => found.norms.has(norm));
  const row = (norm: NormKind, set: "train" | "test") => `${norm} ${set}`;
  const rows = norms.flatMap((norm) => [row(norm, "train"), row(norm, "test")]);
  const dots = experiment.runs.flatMap((run) => [
    { row: row(run.norm, "train"), x: run.trainAccuracy * 100, stroke: color(run.norm), fill: "var(--paper)" },
    { row: row(run.norm, "test"), x: run.testAccuracy * 100, stroke: color(run.norm), fill: color(run.norm) },
  ]);
  const means = norms.flatMap((norm) =>
    (["train", "test"] as const).map((set) => {
      const { mean, sd } = (
        found.norms.get(norm) as { train: { mean: number; sd: number }; test: { mean: number; sd: number } }
      )[set];
      return {
        row: row(norm, set),
        x: mean * 100,
        x1: (mean - sd) * 100,
        x2: (mean + sd) * 100,
        text: percent(mean, 2),
        stroke: color(norm),
      };
    }),
  );
  const low = Math.min(...dots.map((d) => d.x), ...means.map((m) => m.x1));
  const high = Math.max(...dots.map((d) => d.x), ...means.map((m) => m.x2));
  const pad = Math.max(0.1, (high - low) * 0.08);
  const tick = (name: string) => {
    const [norm, set] = name.split(" ") as [NormKind, "train" | "test"];
    return `${t.norm[norm]} · ${t.table[set].toLowerCase()}`;
  };
  return responsive(tools, caption, (size) => {
    const base = frame(size, {});
    return {
      ...base,
      height: 62 + (size.narrow ? 56 : 44) * rows.length,
      marginTop: 10,
      marginLeft: size.narrow ? 8 : 168,
      marginRight: size.narrow ? 60 : 76,
      x: {
        ...base.x,
        label: t.axis.accuracy,
        domain: [low - pad, Math.min(100, high + pad)],
        grid: true,
        ticks: size.narrow ? 4 : 7,
      },
      y: { domain: rows, label: null, tickSize: 0, tickFormat: size.narrow ? () => "" : tick, padding: 0 },
      color: { type: "identity" },
      marks: [
        !size.narrow
          ? null
          : Plot.text(rows, {
              y: (r) => r,
              frameAnchor: "left",
              dy: -21,
              text: tick,
              fill: "var(--muted)",
              fontSize: 12,
            }),
        Plot.ruleY(means, { y: "row", x1: "x1", x2: "x2", stroke: "stroke", strokeWidth: 1.2 }),
        Plot.tickX(means, {
          y: "row",
          x: "x",
          stroke: "stroke",
          strokeWidth: 2.4,
          insetTop: size.narrow ? 19 : 13,
          insetBottom: size.narrow ? 19 : 13,
        }),
        Plot.dot(dots, {
          y: "row",
          x: "x",
          r: 4.5,
          stroke: "stroke",
          fill: "fill",
          strokeWidth: 1.4,
          fillOpacity: 0.75,
        }),
        Plot.text(means, {
          y: "row",
          frameAnchor: "right",
          text: "text",
          dx: size.narrow ? 56 : 62,
          textAnchor: "end",
          fill: "var(--ink)",
        }),
      ],
    };
  });
}

/** Test error by batch size, one curve a normalization. */
export function batchSizeFigure(
  tools: Tools,
  t: Strings,
  caption: Caption,
  sweep: SweepExperiment,
  found: BatchSizeFindings,
): Html {
  const { Plot } = tools;
  const curves = [...found.grid.cells].map(([norm, row]) => ({
    norm,
    // An error of nought has no place on a logarithmic axis; 0.01 % is one sample of ten thousand.
    points: row.flatMap((cell, i) =>
      cell.accuracy === null ? [] : [{ x: sweep.values[i], y: Math.max(0.01, (1 - cell.accuracy) * 100) }],
    ),
  }));
  const errors = curves.flatMap((c) => c.points.map((p) => p.y));
  const domain: [number, number] = [Math.min(...errors) * 0.85, Math.max(...errors) * 1.15];
  const ticks = [0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 50, 90].filter((v) => v >= domain[0] && v <= domain[1]);
  const edge = Math.SQRT2 ** 0.5;
  const values: [number, number] = [sweep.values[0] / edge, sweep.values[sweep.values.length - 1] * edge];
  return responsive(tools, caption, (size) => {
    const base = frame(size, {
      x: { type: "log", base: 2, domain: values, ticks: sweep.values, tickFormat: short, label: t.axis.batchSize },
    });
    return {
      ...base,
      y: { ...base.y, type: "log", domain, ticks, tickFormat: short, label: t.axis.testError },
      marks: [
        curves.map(({ norm, points }) => [
          Plot.line(points, { x: "x", y: "y", stroke: color(norm), strokeWidth: norm === "batch" ? 2.4 : 1.6 }),
          Plot.dot(points, { x: "x", y: "y", r: 4, symbol: symbols[norm], fill: color(norm), stroke: "var(--paper)" }),
        ]),
        ...endLabels(
          Plot,
          curves.flatMap(({ norm, points }) => {
            const end = points[points.length - 1];
            return end ? [{ ...end, text: (size.narrow ? t.normShort : t.norm)[norm], fill: color(norm) }] : [];
          }),
          yPixel(domain, base.height as number, true),
        ),
      ],
    };
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
