import { useState } from "preact/hooks";
import { useText } from "../../i18n.ts";
import { hrefOf } from "../../router.ts";
import { RoomHead } from "../../ui/room-head.tsx";
import type { Cell, ShapeSettings } from "./kinds.ts";
import { OthersSection } from "./others-section.tsx";
import { SharingSection } from "./sharing-section.tsx";
import { SmallSection } from "./small-section.tsx";
import "./shapes.css";

/** On a phone two samples are enough to see, and their cells large enough to tap. */
const first = (): ShapeSettings => ({ kind: "batch", samples: innerWidth < 600 ? 2 : 4, side: 3, groups: 2 });

/** Room 2: which places of a tensor share a mean. */
export default function Shapes() {
  const t = useText("shapes");
  const [settings, setSettings] = useState(first);
  const [wanted, choose] = useState<Cell>({ n: 0, c: 0, h: 1, w: 1 });
  const { samples, side } = settings;
  // A smaller tensor may no longer hold the place that was chosen.
  const chosen: Cell = {
    n: Math.min(wanted.n, samples - 1),
    c: wanted.c,
    h: Math.min(wanted.h, side - 1),
    w: Math.min(wanted.w, side - 1),
  };
  const change = (part: Partial<ShapeSettings>) => setSettings((now) => ({ ...now, ...part }));
  return (
    <>
      <RoomHead room="shapes" title={t("title")} lede={t("lede")} />
      <SharingSection settings={settings} change={change} chosen={chosen} choose={choose} />
      <OthersSection settings={settings} chosen={chosen} />
      <SmallSection settings={settings} />
      <p>
        <a class="onward" href={hrefOf("train")}>
          {t("onward")}
        </a>
      </p>
    </>
  );
}
