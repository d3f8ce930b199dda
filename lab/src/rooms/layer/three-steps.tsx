import { useEffect, useMemo, useState } from "preact/hooks";
import { fixed, show } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { useLinked } from "../../linked.ts";
import { prefersStillness } from "../../settings.ts";
import { Button } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Figure } from "../../ui/figure.tsx";
import { Section } from "../../ui/section.tsx";
import { Slider } from "../../ui/slider.tsx";
import { type LayerSettings, SIZES, type Steps, threeSteps } from "./batch.ts";
import { Formulas } from "./formulas.tsx";
import { type Row, RowsPicture } from "./rows-picture.tsx";

/** Which example is followed, from 1. */
const FIRST = { example: 3 };
const ALLOWED = { example: Array.from({ length: SIZES[SIZES.length - 1] }, (_, i) => i + 1) };

/** Long enough to watch the points arrive, and a moment more. */
const STEP_MS = 1300;

export interface SharedSettings {
  readonly settings: LayerSettings;
  readonly change: (part: Partial<LayerSettings>) => void;
}

/** Normalize, scale, shift: one mini-batch on its way through a layer in training. */
export function ThreeStepsSection({ settings, change }: SharedSettings) {
  const t = useText("layer");
  const [{ example }, choose] = useLinked("layer", FIRST, ALLOWED);
  const [reached, setReached] = useState(3);
  const [playing, setPlaying] = useState(false);
  const result = useMemo((): Steps | Error => {
    try {
      return threeSteps(settings);
    } catch (error) {
      return error as Error;
    }
  }, [settings]);
  const followed = Math.min(example, settings.size) - 1;

  useEffect(() => {
    if (!playing) return;
    const timer = setInterval(() => setReached((now) => Math.min(3, now + 1)), STEP_MS);
    return () => clearInterval(timer);
  }, [playing]);
  useEffect(() => {
    if (!playing || reached < 3) return;
    const timer = setTimeout(() => setPlaying(false), STEP_MS);
    return () => clearTimeout(timer);
  }, [playing, reached]);

  const play = () => {
    if (prefersStillness()) return setReached((now) => (now + 1) % 4);
    setReached(0);
    setPlaying(true);
  };

  return (
    <Section title={t("steps.title")} text={t("steps.text")}>
      <Card>
        {result instanceof Error ? (
          <div class="notice notice-bad" role="alert">
            <p>{t("steps.refused")}</p>
            <p class="quoted">{result.message}</p>
          </div>
        ) : (
          <div class="split split-even">
            <Figure
              title={t("steps.figure", { count: settings.size })}
              description={t("steps.words", {
                count: settings.size,
                mean: show(result.mean),
                variance: show(result.variance),
                gamma: settings.gamma,
                beta: settings.beta,
              })}
              caption={t("steps.caption")}
            >
              <RowsPicture
                rows={rowsOf(result, t("steps.mean"), t("steps.spread"))}
                reached={reached}
                travelling={playing}
                followed={followed}
                onFollow={(index) => choose({ example: index + 1 })}
              />
            </Figure>
            <div class="column">
              <Formulas steps={result} settings={settings} followed={followed} reached={reached} />
              <dl class="unseen">
                <dt>μ</dt>
                <dd data-stat="mean">{result.mean}</dd>
                <dt>σ²</dt>
                <dd data-stat="variance">{result.variance}</dd>
                <dt>y</dt>
                <dd data-stat="y">{result.y[followed]}</dd>
              </dl>
            </div>
          </div>
        )}
        <div class="controls under">
          <Slider
            label={t("size")}
            value={SIZES.indexOf(settings.size as (typeof SIZES)[number])}
            min={0}
            max={SIZES.length - 1}
            step={1}
            format={(index) => String(SIZES[index])}
            onInput={(index) => change({ size: SIZES[index] })}
          />
          <Slider
            label={t("mean")}
            value={settings.mean}
            min={-5}
            max={5}
            step={0.1}
            onInput={(mean) => change({ mean })}
          />
          <Slider
            label={t("spread")}
            value={settings.spread}
            min={0}
            max={4}
            step={0.05}
            onInput={(spread) => change({ spread })}
          />
          <Slider
            label={t("gamma")}
            value={settings.gamma}
            min={-2}
            max={3}
            step={0.05}
            onInput={(gamma) => change({ gamma })}
          />
          <Slider
            label={t("beta")}
            value={settings.beta}
            min={-4}
            max={4}
            step={0.1}
            onInput={(beta) => change({ beta })}
          />
          <Slider
            label={t("eps")}
            value={settings.eps}
            min={1e-8}
            max={10}
            log
            step={0.25}
            onInput={(eps) => change({ eps })}
          />
          <Slider
            label={t("steps.follow")}
            value={followed + 1}
            min={1}
            max={settings.size}
            step={1}
            disabled={settings.size === 1}
            format={(example) => `${example} / ${settings.size}`}
            onInput={(next) => choose({ example: next })}
          />
          <div class="controls-button buttons">
            <Button primary onClick={play}>
              {t("steps.play")}
            </Button>
            <Button onClick={() => change({ seed: settings.seed + 1 })}>{t("steps.draw")}</Button>
          </div>
        </div>
      </Card>
    </Section>
  );
}

function rowsOf({ x, normalized, scaled, y }: Steps, mean: string, spread: string): Row[] {
  const rows = [
    { name: "x", values: x, mark: "before" },
    { name: "x̂", values: normalized, mark: "after" },
    { name: "γ x̂", values: scaled, mark: "after" },
    { name: "y = γ x̂ + β", values: y, mark: "after" },
  ] as const;
  return rows.map((row) => {
    const average = row.values.reduce((sum, value) => sum + value, 0) / row.values.length;
    const deviation = Math.sqrt(row.values.reduce((sum, value) => sum + (value - average) ** 2, 0) / row.values.length);
    return { ...row, note: `${mean} ${fixed(average, 2)} · ${spread} ${fixed(deviation, 2)}` };
  });
}
