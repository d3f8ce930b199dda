import i18next, { type TFunction } from "i18next";
import { useEffect, useState } from "preact/hooks";
import type { RoomName } from "./router.ts";
import { remember, remembered } from "./settings.ts";

/** The lab's languages, each named in itself. */
export const LANGUAGES = { en: "English", "zh-CN": "中文" } as const;
export type Language = keyof typeof LANGUAGES;
/** A room's texts, or the shell's, which every room shares. */
export type Namespace = RoomName | "shell";

const KEY = "evenkeel-lab-language";
const files = import.meta.glob<Record<string, unknown>>("./locales/*/*.json", { import: "default" });
const listeners = new Set<() => void>();

const instance = i18next.createInstance();

/** The language of the last visit, or the first of the browser's that the lab has. */
function preferred(): Language {
  const wanted = [remembered(KEY), ...navigator.languages].filter((name) => name !== null);
  for (const name of wanted) {
    if (name.startsWith("zh")) return "zh-CN";
    if (name.startsWith("en")) return "en";
  }
  return "en";
}

/** Loads texts in one language, unless they are here. */
async function load(language: Language, namespace: Namespace): Promise<void> {
  if (instance.hasResourceBundle(language, namespace)) return;
  instance.addResourceBundle(language, namespace, await files[`./locales/${language}/${namespace}.json`]());
}

/** Starts with the shell's texts in the reader's language. */
export async function startTexts(): Promise<void> {
  const language = preferred();
  await instance.init({
    lng: language,
    fallbackLng: false,
    ns: [],
    interpolation: { escapeValue: false },
    resources: {},
  });
  await load(language, "shell");
  document.documentElement.lang = language;
}

export function language(): Language {
  return instance.language as Language;
}

/** Loads a room's texts in the current language. */
export function loadTexts(room: RoomName): Promise<void> {
  return load(language(), room);
}

/** Changes the language of the whole page, once the texts of the shell and of the room are here. */
export async function chooseLanguage(next: Language, room: RoomName): Promise<void> {
  await Promise.all([load(next, "shell"), load(next, room)]);
  await instance.changeLanguage(next);
  remember(KEY, next);
  document.documentElement.lang = next;
  for (const listener of listeners) listener();
}

/** Draws the component again when the language changes. */
export function useLanguage(): Language {
  const [, redraw] = useState({});
  useEffect(() => {
    const listener = () => redraw({});
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return language();
}

/** The texts of a namespace: const t = useText("layer"); t("title"), t("rows", { count: 3 }). */
export function useText(namespace: Namespace): TFunction {
  useLanguage();
  return instance.getFixedT(null, namespace);
}
