import { scaleLinear } from "d3-scale";
import { AxisX } from "../../ui/axis.tsx";
import { useWidth } from "../../ui/use-size.ts";

export interface Row {
  /** as a formula would write it */
  readonly name: string;
  /** beside the name: what it is */
  readonly note: string;
  readonly values: readonly number[];
  readonly mark: "before" | "after" | "running";
}

interface RowsPictureProps {
  readonly rows: readonly Row[];
  /** rows up to this one are shown; their points travel there from the row above */
  readonly reached?: number;
  readonly travelling?: boolean;
  /** the example whose way is drawn strongly */
  readonly followed: number;
  readonly onFollow: (example: number) => void;
}

const ROW = 104;
const FIRST = 86;
const HILL = 46;
const BINS = 36;
const EXTENTS = [3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256];

/** One half of the axis that all rows share: the smallest round number that holds every value. */
function extentOf(rows: readonly Row[]): number {
  const most = Math.max(...rows.flatMap(({ values }) => values.map(Math.abs)));
  return EXTENTS.find((extent) => extent >= most) ?? Math.ceil(most);
}

/** The same examples after each step, one row a step: points, their histogram, and threads that follow each example down. */
export function RowsPicture({ rows, reached = rows.length - 1, travelling, followed, onFollow }: RowsPictureProps) {
  const [place, width] = useWidth<HTMLDivElement>();
  const extent = extentOf(rows);
  const x = scaleLinear([-extent, extent], [10, Math.max(20, width - 10)]);
  const y = (row: number) => FIRST + row * ROW;
  const bottom = y(rows.length - 1);
  const radius = rows[0].values.length > 32 ? 3.5 : 4.5;
  const threads = (row: number, examples: readonly number[]) =>
    examples.map((i) => `M${x(rows[row].values[i])} ${y(row)}L${x(rows[row + 1].values[i])} ${y(row + 1)}`).join("");
  const all = rows[0].values.map((_, i) => i);
  return (
    <div ref={place}>
      {width > 0 && (
        <svg
          class={travelling ? "drawing rows travelling" : "drawing rows"}
          width={width}
          height={bottom + 42}
          aria-hidden="true"
        >
          <line class="rows-zero" x1={x(0)} x2={x(0)} y1={FIRST - HILL} y2={bottom} />
          {rows.slice(0, -1).map((row, r) => (
            <g key={row.name} class={r < reached ? "rows-threads" : "rows-threads rows-hidden"}>
              <path d={threads(r, all)} />
              <path class="rows-followed" d={threads(r, [followed])} />
            </g>
          ))}
          {rows.map((row, r) => {
            const shown = r <= reached;
            const from = Math.min(r, reached);
            return (
              <g key={row.name} class={`rows-row rows-${row.mark}`}>
                <g class={shown ? "rows-ground" : "rows-ground rows-hidden"}>
                  <path class="rows-hill" d={hill(row.values, x, y(r), extent)} />
                  <line x1={x(-extent)} x2={x(extent)} y1={y(r)} y2={y(r)} />
                  <text class="rows-name" x={x(-extent)} y={y(r) - HILL - 6}>
                    {row.name}
                  </text>
                  <text class="rows-note" x={x(extent)} y={y(r) - HILL - 6} text-anchor="end">
                    {row.note}
                  </text>
                </g>
                {rows[from].values.map((value, i) => (
                  <circle
                    key={i}
                    class={i === followed ? "rows-dot rows-dot-followed" : "rows-dot"}
                    r={i === followed ? radius + 2 : radius}
                    style={{ transform: `translate(${x(value)}px, ${y(from)}px)`, opacity: shown ? undefined : 0 }}
                    onPointerDown={() => onFollow(i)}
                  />
                ))}
              </g>
            );
          })}
          <AxisX scale={x} at={bottom + 12} ticks={width < 500 ? 5 : 9} />
        </svg>
      )}
    </div>
  );
}

/** A histogram as an outline of steps over its base line. */
function hill(values: readonly number[], x: (value: number) => number, base: number, extent: number): string {
  const counts = new Array<number>(BINS).fill(0);
  for (const value of values) {
    counts[Math.min(BINS - 1, Math.max(0, Math.floor(((value + extent) / (2 * extent)) * BINS)))]++;
  }
  const most = Math.max(...counts);
  const edge = (bin: number) => x(-extent + (bin * 2 * extent) / BINS);
  const steps = counts.map((count, bin) => `L${edge(bin)} ${base - (count / most) * HILL}H${edge(bin + 1)}`);
  return `M${edge(0)} ${base}${steps.join("")}L${edge(BINS)} ${base}Z`;
}
