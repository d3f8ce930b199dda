import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { grouped, show } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { color, useTheme } from "../../settings.ts";
import { Figure } from "../../ui/figure.tsx";
import { useWidth } from "../../ui/use-size.ts";
import { GOAL, type RunRecord } from "./record.ts";

interface CurvesProps {
  readonly names: readonly [string, string];
  readonly record: RunRecord;
}

type Series = (number | null)[];

/** Loss and test accuracy of both networks over the steps. */
export function Curves({ names, record }: CurvesProps) {
  const t = useText("train");
  const { loss, accuracies, version } = record;
  const last = (values: Series) => values.at(-1) ?? null;
  const losses = ([0, 1] as const).map((i) => {
    const value = last(loss.smooth[i]);
    return t("curves.now", { name: names[i], value: value === null ? t("curves.none") : show(value) });
  });
  const shares = ([0, 1] as const).map((i) => {
    const value = record.accuracy(i);
    return t("curves.now", {
      name: names[i],
      value: value === null ? t("curves.none") : `${(100 * value).toFixed(1)} %`,
    });
  });
  const percent = (i: 0 | 1): Series => accuracies.map(({ values }) => (values[i] === null ? null : 100 * values[i]));
  return (
    <div class="train-curves card">
      <Figure title={t("curves.accuracy")} description={`${t("curves.accuracy")}. ${shares.join(" ")}`}>
        <LiveChart
          kind="accuracy"
          version={version}
          data={() => [accuracies.map(({ step }) => step), percent(0), percent(1)]}
        />
      </Figure>
      <Figure title={t("curves.loss")} description={`${t("curves.loss")}. ${losses.join(" ")}`}>
        <LiveChart
          kind="loss"
          version={version}
          data={() => [loss.steps, loss.raw[0], loss.raw[1], loss.smooth[0], loss.smooth[1]]}
        />
      </Figure>
    </div>
  );
}

interface LiveChartProps {
  readonly kind: "loss" | "accuracy";
  /** changes with the data */
  readonly version: number;
  readonly data: () => [number[], ...Series[]];
}

const HEIGHT = 240;
const FONT = "12px 'Inter Variable', system-ui, sans-serif";
/** At least so many steps wide, so that the first ones do not jump. */
const LEAST_STEPS = 50;

/** A chart that grows at its right end. */
function LiveChart({ kind, version, data }: LiveChartProps) {
  const [place, width] = useWidth<HTMLDivElement>();
  const chart = useRef<uPlot | null>(null);
  const latest = useRef(data);
  latest.current = data;
  const { theme } = useTheme();

  // The theme is among them since the colours are read when the chart is made.
  useEffect(() => {
    if (width === 0) return;
    const made = new uPlot(optionsOf(kind, width), latest.current() as uPlot.AlignedData, place.current!);
    chart.current = made;
    return () => {
      chart.current = null;
      made.destroy();
    };
  }, [width, theme, kind]);

  // The version stands for the data, which grows in place.
  useEffect(() => chart.current?.setData(latest.current() as uPlot.AlignedData), [version]);

  return <div ref={place} class="train-chart" style={{ minHeight: `${HEIGHT}px` }} aria-hidden="true" />;
}

const ACCURACY_TICKS = [0, 20, 40, 60, 80, 100 * GOAL];
/** On a logarithmic scale there are nine ticks to each line that is drawn. */
const powersOfTen = (_: uPlot, ticks: number[]) =>
  ticks.map((value) => (Math.abs(Math.log10(value) % 1) < 1e-9 ? value : null));

/** A loss above this is lost: the curve leaves the chart at its top. */
const MOST_LOSS = 1000;

/** The powers of ten around what is shown. */
function decades(min: number | null, max: number | null): [number, number] {
  const low = Math.floor(Math.log10(Math.min(min ?? 1, MOST_LOSS / 10)));
  const high = Math.ceil(Math.log10(Math.min(max ?? 10, MOST_LOSS)));
  return [10 ** low, 10 ** Math.max(high, low + 1)];
}

function optionsOf(kind: LiveChartProps["kind"], width: number): uPlot.Options {
  const [before, after, faint, line] = (["--before", "--after", "--ink-faint", "--line"] as const).map(color);
  const axis = { stroke: faint, font: FONT, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const curve = (stroke: string, thick: boolean): uPlot.Series => ({
    stroke,
    width: thick ? 2.5 : 1,
    alpha: thick ? 1 : 0.28,
    points: { show: false },
    spanGaps: false,
  });
  return {
    width,
    height: HEIGHT,
    padding: [10, 18, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: (_, __, max) => [0, Math.max(LEAST_STEPS, max ?? 0)] },
      y: kind === "accuracy" ? { range: [0, 100] } : { distr: 3, range: (_, min, max) => decades(min, max) },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 70, values: (_, ticks) => ticks.map(grouped) },
      {
        ...axis,
        size: 46,
        ...(kind === "accuracy" ? { splits: () => ACCURACY_TICKS } : { grid: { ...axis.grid, filter: powersOfTen } }),
        values: (_, ticks) =>
          ticks.map((value) => (value === null ? "" : kind === "accuracy" ? `${value} %` : String(value))),
      },
    ],
    series:
      kind === "accuracy"
        ? [{}, curve(before, true), curve(after, true)]
        : [{}, curve(before, false), curve(after, false), curve(before, true), curve(after, true)],
    hooks: kind === "accuracy" ? { drawAxes: [(u) => drawGoal(u, faint)] } : {},
  };
}

/** A dashed line at 95 %. */
function drawGoal({ ctx, bbox, valToPos }: uPlot, stroke: string): void {
  const y = valToPos(100 * GOAL, "y", true);
  ctx.save();
  ctx.strokeStyle = stroke;
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
