import { useState } from "preact/hooks";
import { grouped } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { announce } from "../../ui/announcer.tsx";
import { Button } from "../../ui/button.tsx";
import { Stat } from "../../ui/stat.tsx";
import type { Training } from "./use-training.ts";

/** Play, step, begin anew, share; and how fast it goes on what. */
export function ControlBar({ training }: { training: Training }) {
  const t = useText("train");
  const { status, record, run, engine } = training;
  const { latest } = record;
  const [copied, setCopied] = useState(false);
  const idle = status === "loading" || status === "failed";
  const over = latest?.divergedAt.every((at) => at !== null) ?? false;

  const share = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      setCopied(true);
      announce(t("bar.copied"));
      setTimeout(() => setCopied(false), 2000);
    } catch {
      announce(t("bar.copyByHand"));
      prompt(t("bar.copyByHand"), location.href);
    }
  };

  return (
    <div class="train-bar" data-training={latest?.playing ?? false}>
      <div class="buttons">
        {status === "playing" ? (
          <Button primary onClick={training.pause}>
            <Icon shape="pause" />
            {t("bar.pause")}
          </Button>
        ) : (
          <Button primary disabled={idle || over} onClick={training.play}>
            <Icon shape="play" />
            {t(status === "loading" ? "bar.loading" : latest && latest.steps > 0 ? "bar.resume" : "bar.play")}
          </Button>
        )}
        <Button disabled={idle || over} onClick={() => training.step(1)}>
          {t("bar.step")}
        </Button>
        <Button disabled={idle} onClick={training.reset}>
          {t("bar.reset")}
        </Button>
        <Button onClick={share}>{t(copied ? "bar.copied" : "bar.share")}</Button>
      </div>
      <dl class="stats train-speed">
        <Stat label={t("bar.steps")} name="steps" value={grouped(latest?.steps ?? 0)} />
        <Stat label={t("bar.epoch")} name="epoch" value={(latest?.epoch ?? 0).toFixed(1)} />
        <Stat
          label={t("bar.speed")}
          name="speed"
          value={latest && latest.imagesPerSecond > 0 ? grouped(latest.imagesPerSecond) : "–"}
        />
      </dl>
      {engine && (
        <p class="train-device" data-threads={run?.threads ?? engine.threads} data-simd={engine.simd}>
          {t(engine.backend === "wasm" ? `device.${engine.simd}` : "device.reference")}
          {" · "}
          {engine.isolated ? t("device.threads", { count: run?.threads ?? engine.threads }) : t("device.notIsolated")}
        </p>
      )}
    </div>
  );
}

function Icon({ shape }: { shape: "play" | "pause" }) {
  return (
    <svg viewBox="0 0 16 16" width="14" height="14" fill="currentColor" aria-hidden="true">
      {shape === "play" ? <path d="M3 1.500v13l11-6.500Z" /> : <path d="M3 2h3.500v12H3zM9.500 2H13v12H9.500z" />}
    </svg>
  );
}
