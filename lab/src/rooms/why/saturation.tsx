import { useMemo } from "preact/hooks";
import { fixed, show } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { useLinked } from "../../linked.ts";
import { Card } from "../../ui/card.tsx";
import { Figure } from "../../ui/figure.tsx";
import { Segmented } from "../../ui/segmented.tsx";
import { Slider } from "../../ui/slider.tsx";
import { SigmoidPicture } from "./sigmoid-picture.tsx";
import { slopes, TREATMENTS, type Treatment } from "./slopes.ts";

const FIRST = { mean: 4, spread: 2.5, layers: 6, treatment: "raw" as Treatment };
const ALLOWED = {
  mean: { from: -8, to: 8 },
  spread: { from: 0.1, to: 5 },
  layers: Array.from({ length: 20 }, (_, i) => i + 1),
  treatment: TREATMENTS,
};

/** A sigmoid's saturation, and what centring and scaling do to the gradient that comes back. */
export default function Saturation() {
  const t = useText("why");
  const [{ mean, spread, layers, treatment }, choose] = useLinked("why", FIRST, ALLOWED);
  const all = useMemo(() => slopes(mean, spread), [mean, spread]);
  const now = all[treatment];
  return (
    <Card>
      <div class="split">
        <Figure
          mark={treatment === "raw" ? "before" : "after"}
          title={t(`sigmoid.figure.${treatment}`)}
          description={t("sigmoid.words", { slope: show(now.slope), mean: show(mean), spread: show(spread) })}
        >
          <SigmoidPicture
            slopes={now}
            raw={treatment === "raw"}
            curveLabel="σ(x)"
            slopeLabel="σ′(x)"
            xLabel={t("sigmoid.x")}
          />
        </Figure>
        <div class="column">
          <Segmented
            label={t("sigmoid.treatment")}
            value={treatment}
            options={TREATMENTS.map((value) => ({ value, label: t(`sigmoid.${value}`) }))}
            onChange={(value) => choose({ treatment: value })}
          />
          <Slider
            label={t("sigmoid.mean")}
            value={mean}
            min={-8}
            max={8}
            step={0.1}
            onInput={(value) => choose({ mean: value })}
          />
          <Slider
            label={t("sigmoid.spread")}
            value={spread}
            min={0.1}
            max={5}
            step={0.1}
            onInput={(value) => choose({ spread: value })}
          />
          <Slider
            label={t("sigmoid.layers")}
            value={layers}
            min={1}
            max={20}
            step={1}
            onInput={(value) => choose({ layers: value })}
          />
          <table class="numbers">
            <thead>
              <tr>
                <th scope="col">{t("sigmoid.input")}</th>
                <th scope="col">{t("sigmoid.slope")}</th>
                <th scope="col">{t("sigmoid.after", { count: layers })}</th>
              </tr>
            </thead>
            <tbody>
              {TREATMENTS.map((name) => (
                <tr key={name} class={name === treatment ? "chosen" : undefined}>
                  <th scope="row">{t(`sigmoid.${name}`)}</th>
                  <td data-stat={`slope-${name}`}>{fixed(all[name].slope, 4)}</td>
                  <td>{show(all[name].slope ** layers, 2)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
    </Card>
  );
}
