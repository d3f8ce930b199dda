import { ROOMS, type RoomName } from "../router.ts";

/** A room's number, title and what it shows in one sentence. */
export function RoomHead({ room, title, lede }: { room: RoomName; title: string; lede: string }) {
  return (
    <div class="room-head">
      <h1>
        <span class="room-number" aria-hidden="true">
          {ROOMS.indexOf(room)}
        </span>
        {title}
      </h1>
      <p class="lede">{lede}</p>
    </div>
  );
}
