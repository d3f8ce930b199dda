import { useEffect, useMemo, useState } from "preact/hooks";
import { DEFAULTS, fromQuery, type TrainSettings, toQuery } from "../../engine/train/settings.ts";
import { useText } from "../../i18n.ts";
import { rememberQuery, useRoute } from "../../router.ts";
import { announce } from "../../ui/announcer.tsx";
import { RoomHead } from "../../ui/room-head.tsx";
import { Section } from "../../ui/section.tsx";
import { ControlBar } from "./control-bar.tsx";
import { Curves } from "./curves.tsx";
import { OwnData } from "./own-data.tsx";
import { Presets } from "./presets.tsx";
import { Scores } from "./scores.tsx";
import { SettingsPanel } from "./settings-panel.tsx";
import { Strips } from "./strips.tsx";
import { useTraining } from "./use-training.ts";
import "./train.css";

/** Two networks trained side by side on the same batches, which differ in their normalization alone. */
export default function TrainRoom() {
  const t = useText("train");
  const query = useRoute().query.toString();
  const [settings, setSettings] = useState<TrainSettings>(() => fromQuery(query));
  // A link that is pasted into the address of the open room.
  useEffect(() => setSettings((now) => (toQuery(now) === query ? now : fromQuery(query))), [query]);
  const training = useTraining(settings);
  const { record, status } = training;
  const names = useMemo(() => settings.norms.map((norm) => t(`norm.${norm}`)) as [string, string], [settings.norms, t]);

  const change = (next: TrainSettings) => {
    setSettings(next);
    rememberQuery("train", toQuery(next));
  };

  const reachedBy = record.reached.map(
    (accuracy, i) => accuracy && t("said.reached", { name: names[i], count: accuracy.step }),
  );
  const diverged = record.latest?.divergedAt.map(
    (at, i) => at !== null && t("said.diverged", { name: names[i], count: at + 1 }),
  );
  const news = [...reachedBy, ...(diverged ?? [])].filter(Boolean).join(" ");
  useEffect(() => {
    if (news) announce(news);
  }, [news]);

  return (
    <>
      <RoomHead room="train" title={t("title")} lede={t("lede")} />
      <Presets settings={settings} onChoose={change} />
      <div class="train-desk">
        <SettingsPanel settings={settings} onChange={change} onDefaults={() => change(DEFAULTS)} />
        <div class="train-stage">
          {status === "failed" && (
            <p class="notice notice-bad" role="alert">
              {t("failed", { why: training.failure })}
            </p>
          )}
          <ControlBar training={training} />
          <Scores names={names} training={training} />
          <Curves names={names} record={record} />
        </div>
      </div>
      <Section title={t("inside.title")} text={t("inside.text")}>
        <Strips names={names} record={record} network={settings.network} />
      </Section>
      <Section title={t("data.title")} text={t("data.text")}>
        <OwnData training={training} />
      </Section>
    </>
  );
}
