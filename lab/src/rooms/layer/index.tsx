import { useState } from "preact/hooks";
import { useText } from "../../i18n.ts";
import { useLinked } from "../../linked.ts";
import { hrefOf } from "../../router.ts";
import { RoomHead } from "../../ui/room-head.tsx";
import { type LayerSettings, SIZES } from "./batch.ts";
import { AloneSection, ModesSection } from "./modes-section.tsx";
import { RunningLayer } from "./running.ts";
import { RunningSection } from "./running-section.tsx";
import { ThreeStepsSection } from "./three-steps.tsx";
import "./layer.css";

const FIRST: LayerSettings = { size: 32, mean: 3, spread: 1.5, eps: 1e-5, gamma: 1.5, beta: -1, seed: 2 };
const ALLOWED = {
  size: SIZES,
  mean: { from: -5, to: 5 },
  spread: { from: 0, to: 4 },
  eps: { from: 1e-8, to: 10 },
  gamma: { from: -2, to: 3 },
  beta: { from: -4, to: 4 },
  seed: { from: 0, to: 1e9 },
};
/** Enough that a reader sees which way the running statistics go, and that they are not there yet. */
const SEEN_AT_FIRST = 10;

/** Room 1: what one batch norm layer does, in training and in evaluation. */
export default function Layer() {
  const t = useText("layer");
  const [settings, change] = useLinked("layer", FIRST, ALLOWED);
  const [running] = useState(() => {
    const layer = new RunningLayer();
    for (let i = 0; i < SEEN_AT_FIRST; i++) layer.see(settings.size > 1 ? settings : FIRST, 0.1);
    return layer;
  });
  const [, setMoves] = useState(0);
  const moved = () => setMoves((moves) => moves + 1);
  return (
    <>
      <RoomHead room="layer" title={t("title")} lede={t("lede")} />
      <ThreeStepsSection settings={settings} change={change} />
      <RunningSection settings={settings} change={change} running={running} moved={moved} />
      <ModesSection settings={settings} running={running} />
      <AloneSection settings={settings} running={running} />
      <p>
        <a class="onward" href={hrefOf("shapes")}>
          {t("onward")}
        </a>
      </p>
    </>
  );
}
