import { useText } from "../i18n.ts";
import { hrefOf, ROOMS, type RoomName } from "../router.ts";

/** The way to the rooms beside this one, and what computes. */
export function Footer({ room }: { room: RoomName }) {
  const t = useText("shell");
  const at = ROOMS.indexOf(room);
  const [before, after] = [ROOMS[at - 1], ROOMS[at + 1]];
  return (
    <footer class="bottom">
      <nav class="beside" aria-label={t("besideLabel")}>
        {before ? (
          <a class="beside-link" href={hrefOf(before)}>
            <small>{t("before")}</small>
            {t(`rooms.${before}`)}
          </a>
        ) : (
          <span />
        )}
        {after && (
          <a class="beside-link beside-next" href={hrefOf(after)}>
            <small>{t("after")}</small>
            {t(`rooms.${after}`)}
          </a>
        )}
      </nav>
      <p class="fine">
        {t("local")}
        <span data-isolated={crossOriginIsolated}>
          {t(crossOriginIsolated ? "threads.many" : "threads.one", { count: navigator.hardwareConcurrency })}
        </span>
      </p>
    </footer>
  );
}
