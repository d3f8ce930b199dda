import { useEffect, useRef } from "preact/hooks";
import { chooseLanguage, LANGUAGES, type Language, useLanguage, useText } from "../i18n.ts";
import { hrefOf, ROOMS, type RoomName } from "../router.ts";
import { chooseTheme, type ThemeChoice, useTheme } from "../settings.ts";

const THEMES: readonly ThemeChoice[] = ["auto", "light", "dark"];

/** The brand, the way through the rooms, and the choices of language and colours. */
export function Header({ room }: { room: RoomName }) {
  const t = useText("shell");
  const { choice } = useTheme();
  const language = useLanguage();
  const other: Language = language === "en" ? "zh-CN" : "en";
  const rooms = useRef<HTMLElement>(null);
  // On a phone the row of rooms is wider than the screen.
  useEffect(() => {
    const current = rooms.current!.querySelector<HTMLElement>("[aria-current]")!;
    rooms.current!.scrollLeft = current.offsetLeft - 16;
  }, [room]);
  const next = THEMES[(THEMES.indexOf(choice) + 1) % THEMES.length];
  return (
    <header class="top">
      <div class="top-inner">
        <a class="brand" href={hrefOf("why")}>
          <Mark />
          <span>
            evenkeel <em>{t("lab")}</em>
          </span>
        </a>
        <nav ref={rooms} class="rooms" aria-label={t("roomsLabel")}>
          {ROOMS.map((name, number) => (
            <a key={name} href={hrefOf(name)} aria-current={name === room ? "page" : undefined}>
              <span class="rooms-number" aria-hidden="true">
                {number}
              </span>
              {t(`rooms.${name}`)}
            </a>
          ))}
        </nav>
        <div class="choices">
          <button type="button" class="plain" lang={other} onClick={() => chooseLanguage(other, room)}>
            {LANGUAGES[other]}
          </button>
          <button
            type="button"
            class="plain theme-button"
            aria-label={t("theme.label", { now: t(`theme.${choice}`), next: t(`theme.${next}`) })}
            title={t("theme.label", { now: t(`theme.${choice}`), next: t(`theme.${next}`) })}
            onClick={() => chooseTheme(next)}
          >
            <ThemeIcon choice={choice} />
          </button>
        </div>
      </div>
    </header>
  );
}

/** A bell curve on an even keel. */
function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path d="M3 23c6 0 6.500-14 13-14s7 14 13 14" />
      <path class="mark-keel" d="M16 5v22" />
    </svg>
  );
}

function ThemeIcon({ choice }: { choice: ThemeChoice }) {
  return (
    <svg
      viewBox="0 0 24 24"
      width="20"
      height="20"
      fill="none"
      stroke="currentColor"
      stroke-width="1.8"
      aria-hidden="true"
    >
      {choice === "light" && (
        <>
          <circle cx="12" cy="12" r="4.200" />
          <path d="M12 2.500v2.500M12 19v2.500M2.500 12H5M19 12h2.500M5.300 5.300 7 7M17 17l1.700 1.700M5.300 18.700 7 17M17 7l1.700-1.700" />
        </>
      )}
      {choice === "dark" && <path d="M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500Z" />}
      {choice === "auto" && (
        <>
          <circle cx="12" cy="12" r="8.500" />
          <path d="M12 3.500v17a8.500 8.500 0 0 0 0-17Z" fill="currentColor" />
        </>
      )}
    </svg>
  );
}
