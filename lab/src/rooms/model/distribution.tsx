import type { Distribution } from "evenkeel/tools";
import { show } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { histogramPath, medianAt, SIZE } from "./histogram.ts";

interface DistributionProps {
  readonly name: "weight" | "bias" | "runningMean" | "runningVar";
  readonly of: Distribution;
}

/** A small histogram of one value per channel, with its ends and its median. */
export function DistributionPlot({ name, of }: DistributionProps) {
  const t = useText("model");
  const { min, max, median, nonFinite, count } = of;
  const { width, height } = SIZE;
  const statistics = name === "runningMean" || name === "runningVar";
  const empty = nonFinite === count;
  const said = t("plot.said", { name: t(`plot.${name}`), min: show(min), median: show(median), max: show(max) });
  return (
    <figure class={statistics ? "model-plot model-plot-running" : "model-plot"}>
      <figcaption>
        {t(`plot.${name}`)}
        {nonFinite > 0 && <strong class="is-bad"> {t("plot.nonFinite", { count: nonFinite })}</strong>}
      </figcaption>
      {!empty && (
        <>
          <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={said} preserveAspectRatio="none">
            <path class="model-bars" d={histogramPath(of)} />
            <line
              class="model-median"
              x1={width * medianAt(of)}
              x2={width * medianAt(of)}
              y1={0}
              y2={height}
              vector-effect="non-scaling-stroke"
            />
          </svg>
          <div class="model-ends" aria-hidden="true">
            <span>{show(min)}</span>
            {min !== max && <span>{show(max)}</span>}
          </div>
        </>
      )}
    </figure>
  );
}
