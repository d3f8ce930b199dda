import { useText } from "../../i18n.ts";
import { RoomHead } from "../../ui/room-head.tsx";

export default function Room() {
  const t = useText("shapes");
  return <RoomHead room="shapes" title={t("title")} lede={t("lede")} />;
}
