import type { Finding, LayerInspection } from "evenkeel/tools";
import { useState } from "preact/hooks";
import { show } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { Button } from "../../ui/button.tsx";
import { DistributionPlot } from "./distribution.tsx";

interface LayersProps {
  readonly layers: readonly LayerInspection[];
  readonly findings: readonly Finding[];
}

/** Cards at a time: more would take long to draw, and nobody reads them. */
const PAGE = 12;
const VALUES = ["weight", "bias", "runningMean", "runningVar"] as const;

/** Layers, each with the distributions of its weights and statistics. */
export function Layers({ layers, findings }: LayersProps) {
  const t = useText("model");
  const [shown, setShown] = useState(PAGE);
  return (
    <>
      <ol class="model-layers">
        {layers.slice(0, shown).map((layer) => {
          const own = findings.filter(({ path }) => path === layer.path);
          return (
            <li key={layer.path} class="card model-layer" data-layer={layer.path}>
              <header>
                <h3>{layer.path || t("wholeFile")}</h3>
                <p>{about(layer, t)}</p>
                {own.map((finding) => (
                  <span key={finding.code} class={`model-severity model-severity-${finding.severity}`}>
                    {t(`finding.${finding.code}.title`)}
                  </span>
                ))}
              </header>
              <div class="model-plots">
                {VALUES.map((name) => {
                  const distribution = layer[name];
                  return distribution && <DistributionPlot key={name} name={name} of={distribution} />;
                })}
              </div>
            </li>
          );
        })}
      </ol>
      {shown < layers.length && (
        <Button onClick={() => setShown(shown + PAGE)}>
          {t("layers.more", { count: Math.min(PAGE, layers.length - shown) })}
        </Button>
      )}
    </>
  );
}

function about({ kind, channels, batches, eps, momentum }: LayerInspection, t: ReturnType<typeof useText>): string {
  const known = kind === "batch norm" || kind === "norm" ? t(`kind.${kind === "norm" ? "norm" : "batch"}`) : kind;
  return [
    known,
    t("layers.channels", { count: channels }),
    batches !== null && t("layers.batches", { count: batches }),
    eps !== null && `eps ${show(eps)}`,
    momentum !== null && `momentum ${show(momentum)}`,
  ]
    .filter(Boolean)
    .join(" · ");
}
