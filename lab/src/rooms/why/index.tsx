import { useText } from "../../i18n.ts";
import { hrefOf } from "../../router.ts";
import { RoomHead } from "../../ui/room-head.tsx";
import { Section } from "../../ui/section.tsx";
import { SaturationSection } from "./saturation.tsx";
import { ValleySection } from "./valley.tsx";
import "./why.css";

const PAPERS = [
  { key: "ioffe", href: "https://arxiv.org/abs/1502.03167" },
  { key: "santurkar", href: "https://arxiv.org/abs/1805.11604" },
] as const;

/** Room 0: why one normalizes at all. */
export default function Why() {
  const t = useText("why");
  return (
    <>
      <RoomHead room="why" title={t("title")} lede={t("lede")} />
      <ValleySection />
      <SaturationSection />
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
