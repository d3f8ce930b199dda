import { useText } from "../../i18n.ts";
import { RoomHead } from "../../ui/room-head.tsx";

export default function Room() {
  const t = useText("model");
  return <RoomHead room="model" title={t("title")} lede={t("lede")} />;
}
