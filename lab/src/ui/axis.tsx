import { show } from "../format.ts";

/** What an axis needs of a d3 scale. */
interface Scale {
  (value: number): number;
  ticks(count?: number): number[];
  range(): number[];
}

interface AxisProps {
  readonly scale: Scale;
  /** where the axis lies: y of a horizontal one, x of a vertical one */
  readonly at: number;
  readonly label?: string;
  readonly ticks?: number | readonly number[];
  /** draws a line across the picture at every tick, to here */
  readonly gridTo?: number;
  readonly format?: (value: number) => string;
}

const ticksOf = (scale: Scale, ticks: number | readonly number[]) =>
  typeof ticks === "number" ? scale.ticks(ticks) : ticks;

/** A horizontal axis under a picture. */
export function AxisX({ scale, at, label, ticks = 5, gridTo, format = show }: AxisProps) {
  const [from, to] = scale.range();
  return (
    <g class="axis">
      {ticksOf(scale, ticks).map((tick) => (
        <g key={tick} transform={`translate(${scale(tick)},0)`}>
          {gridTo !== undefined && <line class="axis-grid" y1={at} y2={gridTo} />}
          <line y1={at} y2={at + 4} />
          <text y={at + 17} text-anchor="middle">
            {format(tick)}
          </text>
        </g>
      ))}
      <line x1={from} x2={to} y1={at} y2={at} />
      {label && (
        <text class="axis-label" x={to} y={at + 34} text-anchor="end">
          {label}
        </text>
      )}
    </g>
  );
}

/** A vertical axis left of a picture; its name stands above it. */
export function AxisY({ scale, at, label, ticks = 5, gridTo, format = show }: AxisProps) {
  const [from, to] = scale.range();
  return (
    <g class="axis">
      {ticksOf(scale, ticks).map((tick) => (
        <g key={tick} transform={`translate(0,${scale(tick)})`}>
          {gridTo !== undefined && <line class="axis-grid" x1={at} x2={gridTo} />}
          <text x={at - 7} dy="0.32em" text-anchor="end">
            {format(tick)}
          </text>
        </g>
      ))}
      {label && (
        <text class="axis-label" x={at - 7} y={Math.min(from, to) - 12} text-anchor="start" dx={-24}>
          {label}
        </text>
      )}
    </g>
  );
}
