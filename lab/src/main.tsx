import { render } from "preact";
import { App } from "./app.tsx";
import { startTexts } from "./i18n.ts";
import { loadRoom } from "./rooms/index.ts";
import { currentRoute } from "./router.ts";
import "./styles/fonts.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/ui.css";
import "./styles/content.css";

// The room is on its way while the texts are.
loadRoom[currentRoute().room]().catch(() => {});
await startTexts();
render(<App />, document.getElementById("app")!);
