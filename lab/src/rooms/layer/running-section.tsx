import { useEffect, useState } from "preact/hooks";
import { fixed, show } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { useLinked } from "../../linked.ts";
import { prefersStillness } from "../../settings.ts";
import { Button } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Figure } from "../../ui/figure.tsx";
import { Formula } from "../../ui/formula.tsx";
import { Section } from "../../ui/section.tsx";
import { Segmented } from "../../ui/segmented.tsx";
import { Slider } from "../../ui/slider.tsx";
import { Stat } from "../../ui/stat.tsx";
import { tex } from "../../ui/tex.ts";
import type { RunningLayer } from "./running.ts";
import { RunningPicture } from "./running-picture.tsx";
import type { SharedSettings } from "./three-steps.tsx";

const FIRST: { kind: "momentum" | "cumulative"; momentum: number } = { kind: "momentum", momentum: 0.1 };
const ALLOWED = { kind: ["momentum", "cumulative"], momentum: { from: 0.01, to: 1 } };

/** Batches that one press shows, and how fast. */
const MANY = 20;
const BATCH_MS = 45;
/** More than this the pictures need not hold. */
const MOST = 400;

interface RunningSectionProps extends SharedSettings {
  readonly running: RunningLayer;
  /** tells the room that the running statistics moved */
  readonly moved: () => void;
}

/** Running statistics, and how they follow the data's from batch to batch. */
export function RunningSection({ settings, change, running, moved }: RunningSectionProps) {
  const t = useText("layer");
  const [{ kind, momentum }, choose] = useLinked("layer", FIRST, ALLOWED);
  const [toCome, setToCome] = useState(0);
  const { history, layer } = running;
  const full = history.length >= MOST;
  const stopped = settings.size === 1 || full;

  const see = (batches: number) => {
    for (let i = 0; i < batches; i++) running.see(settings, kind === "momentum" ? momentum : null);
    moved();
  };
  // Without a list of what it depends on: every step is drawn before the next is taken.
  useEffect(() => {
    if (toCome === 0) return;
    if (stopped) return setToCome(0);
    const timer = setTimeout(() => {
      see(1);
      setToCome(toCome - 1);
    }, BATCH_MS);
    return () => clearTimeout(timer);
  });

  const last = history[history.length - 1];
  const before = history[history.length - 2]?.runningMean ?? 0;
  const part = kind === "momentum" ? momentum : 1 / Math.max(1, history.length);
  const formula = last
    ? `\\mu_{\\text{run}}\\leftarrow${tex(1 - part)}\\cdot${tex(before, true)}+${tex(part)}\\cdot${tex(last.batchMean, true)}=${tex(last.runningMean)}`
    : `\\mu_{\\text{run}}\\leftarrow(1-m)\\,\\mu_{\\text{run}}+m\\,\\mu`;
  const pictures = [
    {
      key: "mean",
      batches: history.map((moment) => moment.batchMean),
      data: history.map((moment) => moment.mean),
      running: history.map((moment) => moment.runningMean),
      initial: 0,
      now: settings.mean,
    },
    {
      key: "variance",
      batches: history.map((moment) => moment.batchVar),
      data: history.map((moment) => moment.variance),
      running: history.map((moment) => moment.runningVar),
      initial: 1,
      now: settings.spread ** 2,
    },
  ] as const;
  return (
    <Section title={t("running.title")} text={t("running.text")}>
      <Card>
        <div class="pair">
          {pictures.map(({ key, ...lines }) => {
            const value = lines.running[lines.running.length - 1] ?? lines.initial;
            return (
              <Figure
                key={key}
                mark="running"
                title={t(`running.${key}`)}
                description={t("running.words", { count: history.length, value: show(value), data: show(lines.now) })}
              >
                <RunningPicture {...lines} xLabel={t("running.batches")} />
                <dl class="stats">
                  <Stat name={`running-${key}`} mark="running" label={t("running.now")} value={fixed(value, 4)} />
                  <Stat
                    mark="before"
                    label={t("running.batch")}
                    value={last ? fixed(lines.batches[history.length - 1], 4) : "–"}
                  />
                  <Stat label={t("running.data")} value={fixed(lines.now, 4)} />
                </dl>
              </Figure>
            );
          })}
        </div>
        <div class="running-formula">
          <Formula tex={formula} block />
        </div>
        <div class="controls under">
          <Segmented
            label={t("running.kind")}
            value={kind}
            options={(["momentum", "cumulative"] as const).map((value) => ({ value, label: t(`running.${value}`) }))}
            onChange={(value) => choose({ kind: value })}
          />
          <Slider
            label={t("running.momentumOf")}
            value={momentum}
            min={0.01}
            max={1}
            step={0.01}
            disabled={kind === "cumulative"}
            onInput={(value) => choose({ momentum: value })}
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
          <div class="controls-button buttons">
            <Button primary disabled={stopped} onClick={() => see(1)}>
              {t("running.one")}
            </Button>
            <Button disabled={stopped} onClick={() => (prefersStillness() ? see(MANY) : setToCome(MANY))}>
              {t("running.many", { count: MANY })}
            </Button>
            <Button
              onClick={() => {
                setToCome(0);
                running.reset();
                moved();
              }}
            >
              {t("running.reset")}
            </Button>
          </div>
        </div>
        {settings.size === 1 && <p class="notice">{t("running.one_only")}</p>}
        <p class="fine">{t("running.unbiased", { seen: String(layer.numBatchesTracked!.item()) })}</p>
      </Card>
    </Section>
  );
}
