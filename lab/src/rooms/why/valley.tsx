import { useEffect, useMemo, useState } from "preact/hooks";
import { show } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { useLinked } from "../../linked.ts";
import { prefersStillness } from "../../settings.ts";
import { Button } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Figure } from "../../ui/figure.tsx";
import { Slider } from "../../ui/slider.tsx";
import { Stat } from "../../ui/stat.tsx";
import { descend, STEPS } from "./descent.ts";
import { DistancePicture, percent } from "./distance-picture.tsx";
import { EXTENT, ValleyPicture } from "./valley-picture.tsx";

/** The scale of the second feature, the learning rates, and where the walks start. */
const FIRST = { ratio: 5, lrBefore: 0.04, lrAfter: 0.2, w1: -1.5, w2: 2 };
const within = ([from, to]: readonly [number, number]) => ({ from, to });
const ALLOWED = {
  ratio: { from: 1, to: 10 },
  lrBefore: { from: 0.001, to: 1 },
  lrAfter: { from: 0.001, to: 1 },
  w1: within(EXTENT.first),
  w2: within(EXTENT.second),
};
const rounded = (weight: number) => Number(weight.toFixed(2));

/** A walk every 90 ms is slow enough to see where it turns. */
const STEP_MS = 90;

/** Two features of different scale: the valley they make, and the walk down before and after normalization. */
export default function Valley() {
  const t = useText("why");
  const [{ ratio, lrBefore, lrAfter, w1, w2 }, choose] = useLinked("why", FIRST, ALLOWED);
  const start = useMemo((): readonly [number, number] => [w1, w2], [w1, w2]);
  const [steps, setSteps] = useState(STEPS);
  const [playing, setPlaying] = useState(false);
  const before = useMemo(() => descend({ ratio, lr: lrBefore, start, normalized: false }), [ratio, lrBefore, start]);
  const after = useMemo(() => descend({ ratio, lr: lrAfter, start, normalized: true }), [ratio, lrAfter, start]);

  useEffect(() => {
    if (!playing) return;
    const timer = setInterval(() => {
      setSteps((now) => Math.min(STEPS, now + 1));
    }, STEP_MS);
    return () => clearInterval(timer);
  }, [playing]);
  useEffect(() => {
    if (steps === STEPS) setPlaying(false);
  }, [steps]);

  const play = () => {
    if (prefersStillness()) return setSteps(STEPS);
    setSteps(0);
    setPlaying(true);
  };

  const sides = [
    {
      mark: "before",
      name: t("valley.before"),
      descent: before,
      lr: lrBefore,
      setLr: (lr: number) => choose({ lrBefore: lr }),
    },
    {
      mark: "after",
      name: t("valley.after"),
      descent: after,
      lr: lrAfter,
      setLr: (lr: number) => choose({ lrAfter: lr }),
    },
  ] as const;
  return (
    <>
      <Card>
        <div class="pair">
          {sides.map(({ mark, name, descent, lr, setLr }) => {
            const limit = 1 / descent.valley.steep;
            const left = descent.left[steps];
            const words = { lr: show(lr), limit: show(limit), steps, left: percent(left) };
            return (
              <Figure
                key={mark}
                mark={mark}
                title={name}
                interactive
                description={t(left > 1 ? "valley.flown" : "valley.walked", words)}
              >
                <ValleyPicture
                  descent={descent}
                  steps={steps}
                  mark={mark}
                  onStart={([first, second]) => choose({ w1: rounded(first), w2: rounded(second) })}
                  startLabel={t("valley.start", { first: show(start[0], 2), second: show(start[1], 2) })}
                />
                <dl class="stats">
                  <Stat
                    name={`left-${mark}`}
                    label={t("valley.left", { steps })}
                    value={left > 1 ? t("valley.diverges") : percent(left)}
                    mark={left > 1 ? "bad" : mark}
                  />
                  <Stat
                    name={`condition-${mark}`}
                    label={t("valley.condition")}
                    value={show(descent.valley.steep / descent.valley.flat)}
                  />
                  <Stat
                    name={`limit-${mark}`}
                    label={t("valley.limit")}
                    value={show(limit)}
                    mark={lr > limit ? "bad" : undefined}
                  />
                </dl>
                <div class="under-stats">
                  <Slider label={t("valley.lr")} value={lr} min={0.001} max={1} log onInput={setLr} />
                </div>
              </Figure>
            );
          })}
        </div>
        <div class="controls under">
          <Slider
            label={t("valley.ratio")}
            value={ratio}
            min={1}
            max={10}
            step={0.1}
            format={(value) => `${show(value)}×`}
            onInput={(value) => choose({ ratio: value })}
          />
          <Slider label={t("valley.steps")} value={steps} min={0} max={STEPS} step={1} onInput={setSteps} />
          <div class="controls-button">
            <Button primary onClick={play}>
              {t("valley.play")}
            </Button>
          </div>
        </div>
      </Card>
      <div class="beside-figure">
        <p class="say">
          {t("valley.moral", {
            condition: show(before.valley.steep / before.valley.flat, 2),
            limit: show(1 / before.valley.steep, 2),
            after: show(1 / after.valley.steep, 2),
          })}
        </p>
        <Figure
          title={t("valley.distanceTitle")}
          description={t("valley.distanceWords", {
            before: percent(before.left[steps]),
            after: percent(after.left[steps]),
            steps,
          })}
        >
          <DistancePicture before={before.left} after={after.left} steps={steps} xLabel={t("valley.step")} />
        </Figure>
      </div>
    </>
  );
}
