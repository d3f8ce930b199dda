import { useText } from "../../i18n.ts";
import { hrefOf } from "../../router.ts";
import { Later } from "../../ui/later.tsx";
import { RoomHead } from "../../ui/room-head.tsx";
import { Section } from "../../ui/section.tsx";
import "./why.css";

const PAPERS = [
  { key: "ioffe", href: "https://arxiv.org/abs/1502.03167" },
  { key: "santurkar", href: "https://arxiv.org/abs/1805.11604" },
] as const;

// On its way at once, since it is what the first view is about.
const valley = import("./valley.tsx");
const loadValley = () => valley;
const loadSaturation = () => import("./saturation.tsx");

/** Room 0: why one normalizes at all. */
export default function Why() {
  const t = useText("why");
  return (
    <>
      <RoomHead room="why" title={t("title")} lede={t("lede")} />
      <Section title={t("valley.title")} text={t("valley.text")}>
        <Later load={loadValley} height={1000} />
      </Section>
      <Section title={t("sigmoid.title")} text={t("sigmoid.text")}>
        <Later load={loadSaturation} height={520} />
      </Section>
      <Section title={t("inside.title")} text={[t("inside.text"), t("inside.debate")]}>
        <ul class="papers">
          {PAPERS.map(({ key, href }) => (
            <li key={key}>
              <a href={href}>{t(`papers.${key}`)}</a>
            </li>
          ))}
        </ul>
        <p>
          <a class="onward" href={hrefOf("layer")}>
            {t("inside.onward")}
          </a>
        </p>
      </Section>
    </>
  );
}
