import type { Distribution } from "evenkeel/tools";

/** The size of a small histogram's drawing, in its own units. */
export const SIZE = { width: 160, height: 44 } as const;

/** The outline of a histogram's bars as an SVG path. */
export function histogramPath({ histogram, min, max, nonFinite, count }: Distribution): string {
  const { width, height } = SIZE;
  if (count === nonFinite) return "";
  // All the same: one bar in the middle instead of one at the left edge.
  if (min === max) return `M${width / 2 - 4} ${height}V0h8V${height}Z`;
  const most = Math.max(...histogram);
  const step = width / histogram.length;
  return histogram
    .map((bin, i) => {
      if (bin === 0) return "";
      // Few among many still leave a trace.
      const tall = Math.max(1.5, (bin / most) * height);
      return `M${(i * step + 0.5).toFixed(1)} ${height}v${(-tall).toFixed(1)}h${(step - 1).toFixed(1)}V${height}Z`;
    })
    .join("");
}

/** Where the median lies, 0 to 1. */
export function medianAt({ median, min, max }: Distribution): number {
  return min === max ? 0.5 : (median - min) / (max - min);
}
