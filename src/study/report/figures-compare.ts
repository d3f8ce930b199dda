import type { PlotOptions } from "@observablehq/plot";
import type { GeneralizationExperiment, NormKind, SweepExperiment } from "../results.ts";
import { percent, short } from "./format.ts";
import type { Html } from "./html.ts";
import type { Strings } from "./i18n/en.ts";
import type { BatchSizeFindings, GeneralizationFindings, Grid } from "./judge.ts";
import { type Caption, color, endLabels, frame, responsive, symbols, type Tools, yPixel } from "./plot.ts";
import { heatLevels as levels } from "./style.ts";

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
  const ticks = [0.1, 0.2, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 50, 90].filter(
    (v) => v >= domain[0] && v <= domain[1],
  );
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
