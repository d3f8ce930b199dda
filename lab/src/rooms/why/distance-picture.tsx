import { scaleLinear, scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { AxisX, AxisY } from "../../ui/axis.tsx";
import { useWidth } from "../../ui/use-size.ts";

interface DistancePictureProps {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly steps: number;
  readonly xLabel: string;
}

const [LEAST, MOST] = [1e-6, 100];
const HEIGHT = 190;
/** Wide enough for "10,000 %". */
const LEFT = 58;

/** How far the lowest point still is after each step, on a logarithmic scale. */
export function DistancePicture({ before, after, steps, xLabel }: DistancePictureProps) {
  const [place, width] = useWidth<HTMLDivElement>();
  const x = scaleLinear([0, before.length - 1], [LEFT, Math.max(LEFT, width - 8)]);
  const y = scaleLog([LEAST, MOST], [HEIGHT, 10]).clamp(true);
  const draw = line<number>(
    (_, step) => x(step),
    (part) => y(Math.max(LEAST, Number.isFinite(part) ? part : MOST)),
  );
  return (
    <div ref={place}>
      {width > 0 && (
        <svg class="drawing" width={width} height={HEIGHT + 38} aria-hidden="true">
          <AxisY scale={y} at={LEFT} ticks={[1e-6, 1e-4, 1e-2, 1, 100]} gridTo={x.range()[1]} format={percent} />
          <AxisX scale={x} at={HEIGHT} ticks={8} label={xLabel} />
          <path class="curve curve-before" d={draw(before.slice(0, steps + 1)) ?? ""} />
          <path class="curve curve-after" d={draw(after.slice(0, steps + 1)) ?? ""} />
        </svg>
      )}
    </div>
  );
}

/** A part as percents: 100 %, 0.01 %. */
export function percent(part: number): string {
  if (!Number.isFinite(part) || part > 1e6) return "∞";
  const value = part * 100;
  if (value >= 10) return `${String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",")} %`;
  if (value >= 0.01) return `${Number(value.toPrecision(2))} %`;
  if (value < 1e-12) return "0 %";
  const exponent = Math.floor(Math.log10(value));
  return `10${[...String(exponent)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)])).join("")} %`;
}
