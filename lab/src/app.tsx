import type { ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { loadTexts, useText } from "./i18n.ts";
import { loadRoom } from "./rooms/index.ts";
import { type RoomName, useRoute } from "./router.ts";
import { Footer } from "./shell/footer.tsx";
import { Header } from "./shell/header.tsx";
import { AnnouncerRegion } from "./ui/announcer.tsx";

/** A room that is on the screen. */
interface Shown {
  readonly name: RoomName;
  readonly Room: ComponentType;
}

/** The page: the header, the room that the address names, the footer. */
export function App() {
  const t = useText("shell");
  const { room } = useRoute();
  const [shown, setShown] = useState<Shown>();
  const [failed, setFailed] = useState<string>();
  const main = useRef<HTMLElement>(null);

  useEffect(() => {
    let wanted = true;
    setFailed(undefined);
    Promise.all([loadRoom[room](), loadTexts(room)]).then(
      ([{ default: Room }]) => wanted && setShown({ name: room, Room }),
      (error: Error) => wanted && setFailed(error.message),
    );
    return () => {
      wanted = false;
    };
  }, [room]);

  useEffect(() => {
    document.title = `${t(`rooms.${room}`)} · evenkeel lab`;
  }, [room, t]);

  const previous = useRef<RoomName | undefined>(undefined);
  useEffect(() => {
    if (!shown) return;
    // After a change of rooms a screen reader goes on at the new one; the first room needs no move.
    if (previous.current !== undefined) {
      scrollTo(0, 0);
      main.current?.focus({ preventScroll: true });
    }
    previous.current = shown.name;
  }, [shown]);

  const Room = shown?.Room;
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        {t("skip")}
      </button>
      <Header room={room} />
      <main ref={main} id="main" tabIndex={-1} aria-busy={!shown} data-room={shown?.name}>
        {failed ? (
          <p class="notice" role="alert">
            {t("failed", { why: failed })}
          </p>
        ) : (
          Room && <Room key={shown.name} />
        )}
      </main>
      <Footer room={room} />
      <AnnouncerRegion />
    </>
  );
}
