import { useText } from "../../i18n.ts";
import { useLinked } from "../../linked.ts";
import { hrefOf } from "../../router.ts";
import { RoomHead } from "../../ui/room-head.tsx";
import { type Cell, GROUPS, KINDS, MOST, type ShapeSettings } from "./kinds.ts";
import { OthersSection } from "./others-section.tsx";
import { SharingSection } from "./sharing-section.tsx";
import { SmallSection } from "./small-section.tsx";
import "./shapes.css";

const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** On a phone two samples are enough to see, and their cells large enough to tap. */
const FIRST: ShapeSettings = { kind: "batch", samples: innerWidth < 600 ? 2 : 4, side: 3, groups: 2 };
const ALLOWED = { kind: KINDS, samples: upTo(1, MOST.samples), side: upTo(1, MOST.side), groups: GROUPS };
const PLACE: Cell = { n: 0, c: 0, h: 1, w: 1 };
const PLACES = {
  n: upTo(0, MOST.samples - 1),
  c: upTo(0, MOST.channels - 1),
  h: upTo(0, MOST.side - 1),
  w: upTo(0, MOST.side - 1),
};

/** Room 2: which places of a tensor share a mean. */
export default function Shapes() {
  const t = useText("shapes");
  const [settings, change] = useLinked("shapes", FIRST, ALLOWED);
  const [wanted, choose] = useLinked("shapes", PLACE, PLACES);
  const { samples, side } = settings;
  // A smaller tensor may no longer hold the place that was chosen.
  const chosen: Cell = {
    n: Math.min(wanted.n, samples - 1),
    c: wanted.c,
    h: Math.min(wanted.h, side - 1),
    w: Math.min(wanted.w, side - 1),
  };
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
