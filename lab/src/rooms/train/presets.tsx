import { DEFAULTS, type TrainSettings, toQuery } from "../../engine/train/settings.ts";
import { useText } from "../../i18n.ts";

/** Settings that show something, each by its name in the texts. */
const PRESETS: Readonly<Record<string, Partial<TrainSettings>>> = {
  small: {},
  paper: { network: "mlp-sigmoid", lr: 0.5, scale: 0.5 },
  good: { scale: 1 },
  fast: { scale: 1, lr: 1.5 },
  cnn: { network: "cnn", lr: 0.1, scale: 0.3 },
  tiny: { norms: ["batch", "layer"], batchSize: 2, lr: 0.01, scale: 1 },
};

interface PresetsProps {
  readonly settings: TrainSettings;
  readonly onChoose: (settings: TrainSettings) => void;
}

/** Experiments to begin with. */
export function Presets({ settings, onChoose }: PresetsProps) {
  const t = useText("train");
  const now = toQuery(settings);
  return (
    <div class="train-presets">
      <h2 class="train-small-title" id="train-presets">
        {t("presets.title")}
      </h2>
      <ul aria-labelledby="train-presets">
        {Object.entries(PRESETS).map(([name, preset]) => {
          const chosen = { ...DEFAULTS, ...preset };
          return (
            <li key={name}>
              <button
                type="button"
                class="train-preset"
                aria-pressed={toQuery(chosen) === now}
                onClick={() => onChoose(chosen)}
              >
                <strong>{t(`presets.${name}.name`)}</strong>
                <span>{t(`presets.${name}.what`)}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
