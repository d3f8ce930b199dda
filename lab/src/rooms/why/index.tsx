import { useText } from "../../i18n.ts";
import { RoomHead } from "../../ui/room-head.tsx";

export default function Room() {
  const t = useText("why");
  return <RoomHead room="why" title={t("title")} lede={t("lede")} />;
}
