import { scaleLinear } from "d3-scale";
import { useId, useRef } from "preact/hooks";
import { AxisX, AxisY } from "../../ui/axis.tsx";
import { useWidth } from "../../ui/use-size.ts";
import { type Descent, heightOver } from "./descent.ts";

/** The weights that the picture shows. */
export const EXTENT = { first: [-2.2, 3.2], second: [-2.3, 2.7] } as const;
const CONTOURS = 9;

interface ValleyPictureProps {
  readonly descent: Descent;
  readonly steps: number;
  readonly mark: "before" | "after";
  readonly startLabel: string;
  readonly onStart: (start: readonly [number, number]) => void;
}

/** The contours of the loss over the two weights, and the walk down. The start can be dragged, or moved with the arrow keys. */
export function ValleyPicture({ descent, steps, mark, startLabel, onStart }: ValleyPictureProps) {
  const [place, width] = useWidth<HTMLDivElement>();
  const svg = useRef<SVGSVGElement | null>(null);
  const clip = useId();
  const left = 30;
  const inner = Math.max(0, width - left - 6);
  const height = (inner * 5) / 5.4 + 22;
  const x = scaleLinear(EXTENT.first, [left, left + inner]);
  const y = scaleLinear(EXTENT.second, [height, 22]);
  const { path, valley } = descent;
  const unit = x(1) - x(0);
  const start = path[0];
  const highest = heightOver(valley, ...start);
  const walked = path.slice(0, steps + 1).map(([a, b]): [number, number] => [clampFar(x(a)), clampFar(y(b))]);

  const move = (first: number, second: number) => {
    const within = (value: number, [least, most]: readonly [number, number]) =>
      Math.min(most - 0.1, Math.max(least + 0.1, value));
    onStart([within(first, EXTENT.first), within(second, EXTENT.second)]);
  };
  const drag = (event: PointerEvent) => {
    if (!(event.currentTarget as Element).hasPointerCapture(event.pointerId)) return;
    const box = svg.current!.getBoundingClientRect();
    move(x.invert(event.clientX - box.left), y.invert(event.clientY - box.top));
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    if (!step) return;
    event.preventDefault();
    move(start[0] + step[0], start[1] + step[1]);
  };

  return (
    <div ref={place}>
      {width > 0 && (
        <svg ref={svg} class={`drawing valley valley-${mark}`} width={width} height={height + 38}>
          <clipPath id={clip}>
            <rect x={left} y={22} width={inner} height={Math.max(0, height - 22)} rx="6" />
          </clipPath>
          <g clip-path={`url(#${clip})`}>
            <rect class="valley-ground" x={left} y={0} width={inner} height={height} />
            <g
              transform={`translate(${x(valley.lowest[0])},${y(valley.lowest[1])}) rotate(${-valley.angle})`}
              class="valley-contours"
            >
              {Array.from({ length: CONTOURS }, (_, i) => {
                const level = highest * ((CONTOURS - i) / (CONTOURS - 2)) ** 2;
                const radius = (curvature: number) => Math.sqrt(level / curvature) * unit;
                return <ellipse key={i} rx={radius(valley.steep)} ry={radius(valley.flat)} />;
              })}
            </g>
            <polyline class="valley-path" points={walked.map((point) => point.join()).join(" ")} />
            {walked.slice(1).map(([px, py], i) => (
              <circle key={i} class="valley-step" cx={px} cy={py} r={i === walked.length - 2 ? 4.5 : 2.2} />
            ))}
            <path
              class="valley-goal"
              d="M-5-5 5 5M-5 5 5-5"
              transform={`translate(${x(valley.lowest[0])},${y(valley.lowest[1])})`}
            />
          </g>
          <AxisX scale={x} at={height} ticks={[-2, -1, 0, 1, 2, 3]} label="w₁" />
          <AxisY scale={y} at={left} ticks={[-2, -1, 0, 1, 2]} label="w₂" />
          {/* biome-ignore lint/a11y/useSemanticElements: a point of a drawing cannot be an HTML button */}
          <g
            class="valley-start"
            role="button"
            tabindex={0}
            aria-label={startLabel}
            transform={`translate(${x(start[0])},${y(start[1])})`}
            onKeyDown={press}
            onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
            onPointerMove={drag}
          >
            <circle class="valley-grip" r="18" />
            <circle r="7" />
          </g>
        </svg>
      )}
    </div>
  );
}

/** A walk that flies away stays within what a browser draws. */
const clampFar = (pixels: number) => Math.min(1e4, Math.max(-1e4, Number.isNaN(pixels) ? 1e4 : pixels));
