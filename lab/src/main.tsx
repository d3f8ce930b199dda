import { render } from "preact";
import { App } from "./app.tsx";
import { startTexts } from "./i18n.ts";
import "./styles/fonts.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/ui.css";

await startTexts();
render(<App />, document.getElementById("app")!);
