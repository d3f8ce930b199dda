import { scaleLinear } from "d3-scale";
import { line } from "d3-shape";
import { AxisX, AxisY } from "../../ui/axis.tsx";
import { useWidth } from "../../ui/use-size.ts";

interface RunningPictureProps {
  /** of each batch, of the data it came from, and the running one after it */
  readonly batches: readonly number[];
  readonly data: readonly number[];
  readonly running: readonly number[];
  /** the running one before the first batch */
  readonly initial: number;
  /** the data's now */
  readonly now: number;
  readonly xLabel: string;
}

const HEIGHT = 210;
const LEFT = 34;
const LEAST_BATCHES = 40;

/** A running statistic on its way towards the data's, and what each batch said. */
export function RunningPicture({ batches, data, running, initial, now, xLabel }: RunningPictureProps) {
  const [place, width] = useWidth<HTMLDivElement>();
  const count = batches.length;
  const all = [...batches, ...data, initial, now];
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const room = Math.max(0.5, (most - least) * 0.08);
  const x = scaleLinear([0, Math.max(LEAST_BATCHES, count)], [LEFT, Math.max(LEFT + 1, width - 8)]);
  const y = scaleLinear([least - room, most + room], [HEIGHT, 8]).nice(5);
  const path = line<number>(
    (_, i) => x(i),
    (value) => y(value),
  );
  const truth = [data[0] ?? now, ...data, ...new Array<number>(Math.max(0, LEAST_BATCHES - count)).fill(now)];
  return (
    <div ref={place}>
      {width > 0 && (
        <svg class="drawing" width={width} height={HEIGHT + 38} aria-hidden="true">
          <AxisY scale={y} at={LEFT} ticks={5} gridTo={x.range()[1]} />
          <AxisX scale={x} at={HEIGHT} ticks={width < 400 ? 4 : 8} label={xLabel} />
          <path class="running-truth" d={path(truth) ?? ""} />
          {batches.map((value, i) => (
            <circle key={i} class="running-batch" r="3" cx={x(i + 1)} cy={y(value)} />
          ))}
          <path class="running-line" d={path([initial, ...running]) ?? ""} />
          <circle class="running-now" r="5" cx={x(count)} cy={y(running[count - 1] ?? initial)} />
        </svg>
      )}
    </div>
  );
}
