import { scaleLinear } from "d3-scale";
import { area, line } from "d3-shape";
import { AxisX, AxisY } from "../../ui/axis.tsx";
import { useWidth } from "../../ui/use-size.ts";
import type { Slopes } from "./slopes.ts";

const EXTENT = 10;
const CURVE = Array.from({ length: 161 }, (_, i) => -EXTENT + (i * EXTENT) / 80);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const slope = (x: number) => sigmoid(x) * (1 - sigmoid(x));

interface SigmoidPictureProps {
  readonly slopes: Slopes;
  readonly raw: boolean;
  readonly curveLabel: string;
  readonly slopeLabel: string;
  readonly xLabel: string;
}

/** The sigmoid, its slope beneath it, and where the batch lies on it. */
export function SigmoidPicture({ slopes, raw, curveLabel, slopeLabel, xLabel }: SigmoidPictureProps) {
  const [place, width] = useWidth<HTMLDivElement>();
  const height = Math.min(390, Math.max(230, width * 0.62));
  const x = scaleLinear([-EXTENT, EXTENT], [30, Math.max(30, width - 8)]);
  const y = scaleLinear([0, 1], [height, 12]);
  const shape = area<number>(x, height, (value) => y(slope(value)));
  const curve = line<number>(x, (value) => y(sigmoid(value)));
  const inside = (value: number) => Math.min(EXTENT * 1.02, Math.max(-EXTENT * 1.02, value));
  return (
    <div ref={place}>
      {width > 0 && (
        <svg class="drawing" width={width} height={height + 38} aria-hidden="true">
          <AxisY scale={y} at={30} ticks={[0, 0.25, 0.5, 1]} gridTo={x.range()[1]} />
          <path class="slope-area" d={shape(CURVE) ?? ""} />
          <path class="sigmoid-curve" d={curve(CURVE) ?? ""} />
          <AxisX scale={x} at={height} ticks={9} label={xLabel} />
          <text class="curve-name" x={x(EXTENT)} y={y(1) + 20} text-anchor="end">
            {curveLabel}
          </text>
          <text class="curve-name curve-name-slope" x={x(0)} y={y(0.25) - 8} text-anchor="middle">
            {slopeLabel}
          </text>
          <g class={raw ? "batch batch-before" : "batch batch-after"}>
            {slopes.inputs.map((value, i) => {
              const at = inside(value);
              return (
                <g key={i}>
                  <circle
                    class="batch-dot"
                    r="5"
                    style={{ transform: `translate(${x(at)}px, ${y(slopes.outputs[i])}px)` }}
                  />
                  <line class="batch-tick" y1="-7" y2="0" style={{ transform: `translate(${x(at)}px, ${height}px)` }} />
                </g>
              );
            })}
          </g>
        </svg>
      )}
    </div>
  );
}
