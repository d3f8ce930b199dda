import { grouped } from "../../format.ts";
import { useText } from "../../i18n.ts";
import type { Training } from "./use-training.ts";

interface ScoresProps {
  readonly names: readonly [string, string];
  readonly training: Training;
}

/** How far each network has come: its test accuracy, and when it reached 95 %. */
export function Scores({ names, training }: ScoresProps) {
  const t = useText("train");
  const { record, run } = training;
  const { latest, reached } = record;
  const side = (i: 0 | 1) => {
    const accuracy = record.accuracy(i);
    const diverged = latest?.divergedAt[i] ?? null;
    const goal = reached[i];
    const state =
      diverged !== null
        ? t("score.diverged", { count: diverged + 1 })
        : goal
          ? t("score.reached", { count: goal.step, seconds: goal.seconds.toFixed(1) })
          : t("score.notYet");
    return (
      <div
        class={`train-score train-score-${i === 0 ? "before" : "after"}`}
        data-side={i}
        data-loss={record.lastLosses?.[i]}
      >
        <h3>
          <span class={`swatch swatch-${i === 0 ? "before" : "after"}`} aria-hidden="true" />
          {names[i]}
        </h3>
        <p class="train-accuracy">
          <span class="unseen">{t("score.label")} </span>
          <span data-accuracy={i}>
            {diverged !== null ? "NaN" : accuracy === null ? "–" : (100 * accuracy).toFixed(1)}
          </span>
          {diverged === null && accuracy !== null && <small>%</small>}
        </p>
        <div class="train-meter" aria-hidden="true">
          <span class="train-level" style={{ width: `${100 * (diverged === null ? (accuracy ?? 0) : 0)}%` }} />
        </div>
        <p class={diverged !== null ? "train-state is-bad" : "train-state"} data-state={i}>
          {state}
        </p>
        <p class="hint">
          {run && t("score.parameters", { count: grouped(run.parameters[i]) })}
          {latest &&
            latest.steps > 0 &&
            latest.stepMs[i] > 0 &&
            ` · ${t("score.stepMs", { ms: latest.stepMs[i].toFixed(2) })}`}
        </p>
      </div>
    );
  };
  return (
    <section class="train-scores" aria-label={t("score.label")}>
      {side(0)}
      {side(1)}
    </section>
  );
}
