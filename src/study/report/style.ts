/** The colours of one theme. Those of the normalizations follow Okabe & Ito's palette, darkened or lightened to be legible as text (4.5 : 1). */
export interface Theme {
  paper: string;
  raised: string;
  ink: string;
  muted: string;
  faint: string;
  grid: string;
  none: string;
  batch: string;
  layer: string;
  instance: string;
  group: string;
  /** The heatmap from chance to perfect. */
  heat: readonly [string, string];
}

export const light: Theme = {
  paper: "#fdfcfa",
  raised: "#f4f2ed",
  ink: "#1c1b19",
  muted: "#5f5c56",
  faint: "#a5a199",
  grid: "#dedad2",
  none: "#686560",
  batch: "#0068a8",
  layer: "#b04a00",
  instance: "#00735a",
  group: "#a33f7d",
  heat: ["#f1efe9", "#1d4a5a"],
};

export const dark: Theme = {
  paper: "#15171a",
  raised: "#1e2125",
  ink: "#e9e6e0",
  muted: "#a8a59e",
  faint: "#6d6b66",
  grid: "#2c2f34",
  none: "#b3b0a9",
  batch: "#62b8ec",
  layer: "#ff9a55",
  instance: "#35c9a0",
  group: "#e895c6",
  heat: ["#202428", "#a9dbe6"],
};

/** Steps of the heatmap's colours. */
export const heatLevels = 10;
const channels = (hex: string) => [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));

/** The contrast of two colours by WCAG 2: 1 to 21. */
export function contrast(a: string, b: string): number {
  const luminance = (hex: string) => {
    const [r, g, blue] = channels(hex).map((c) =>
      c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue;
  };
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

/** The heatmap's steps with the text colour that is legible on each. */
export function heatSteps(theme: Theme): { fill: string; text: string }[] {
  const [from, to] = theme.heat.map(channels);
  return Array.from({ length: heatLevels }, (_, i) => {
    const mixed = from.map((c, k) => Math.round(c + ((to[k] - c) * i) / (heatLevels - 1)));
    const fill = `#${mixed.map((c) => c.toString(16).padStart(2, "0")).join("")}`;
    return { fill, text: contrast(fill, "#000000") > contrast(fill, "#ffffff") ? "#000000" : "#ffffff" };
  });
}

function variables(theme: Theme): string {
  const { heat: _, ...colors } = theme;
  const steps = heatSteps(theme).map(({ fill, text }, i) => `--h${i}:${fill};--t${i}:${text};`);
  return Object.entries(colors)
    .map(([name, value]) => `--${name}:${value};`)
    .concat(steps)
    .join("");
}

/** The style sheet of the report. */
export function style(): string {
  return `
:root{color-scheme:light;${variables(light)}
--serif:"Iowan Old Style","Palatino Linotype",Palatino,"Source Serif 4","Noto Serif",Georgia,"Liberation Serif",serif;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans","Liberation Sans",Arial,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC","Noto Sans SC",sans-serif;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
@media screen and (prefers-color-scheme:dark){:root:not([data-theme=light]){color-scheme:dark;${variables(dark)}}}
@media screen{:root[data-theme=dark]{color-scheme:dark;${variables(dark)}}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:17px/1.65 var(--sans)}
main{max-width:772px;margin:0 auto;padding:0 26px 96px}
main[hidden]{display:none}
main:lang(zh){line-height:1.8}
h1,h2{font-family:var(--serif);font-weight:600;line-height:1.15;letter-spacing:-.01em;text-wrap:balance}
h1{font-size:clamp(34px,6vw,48px);margin:.3em 0 .3em}
h2{font-size:clamp(26px,4vw,36px);margin:0 0 .5em}
h3{font-size:17px;font-weight:650;margin:2em 0 .4em}
h4{font-size:15px;font-weight:650;margin:1.6em 0 .4em}
:lang(zh) :is(h1,h2){font-family:var(--sans);font-weight:700;letter-spacing:0;line-height:1.3;text-align:start}
p{margin:0 0 .8em}
a{color:inherit;text-decoration-color:var(--faint);text-underline-offset:3px}
a:hover{text-decoration-color:currentColor}
:focus-visible{outline:2px solid var(--batch);outline-offset:3px;border-radius:2px}
.skip{position:absolute;left:-999px}.skip:focus{left:16px;top:12px;background:var(--paper);padding:6px 12px;z-index:2}
.bar{max-width:772px;margin:0 auto;padding:18px 26px 0;display:flex;gap:18px;align-items:center;justify-content:flex-end;font-size:14px;min-height:52px}
.bar .brand{margin-right:auto;font-family:var(--serif);font-size:17px;font-weight:600;letter-spacing:.01em}
.bar div{display:none}.js .bar div{display:flex;gap:2px}
.bar button{font:inherit;color:var(--muted);background:none;border:0;border-radius:6px;padding:5px 10px;cursor:pointer}
.bar button[aria-pressed=true]{color:var(--ink);background:var(--raised);font-weight:600}
.lede{font-size:19px;line-height:1.6;color:var(--ink);text-wrap:pretty}
.hero .lede{font-size:19px}.hero figure{margin:1em 0 0}
:lang(zh) .lede{font-size:18px;line-height:1.8}:lang(zh) .hero .lede{font-size:18px}
.notice{border-left:3px solid var(--layer);padding:.2em 0 .2em 1em;margin:1.2em 0}
.note,figcaption,.meta{color:var(--muted);font-size:14px;line-height:1.55}
figure{margin:1.6em 0 1.4em}
figcaption{margin-top:.5em}
.plot{display:block;max-width:100%;height:auto;font:13px var(--sans);overflow:visible}
.plot text{white-space:pre}
.plot [aria-hidden=true]+g,.plot g{color:inherit}
.narrow{display:none}
.glance{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:22px 34px;margin:1.4em 0 2.2em;padding:0;list-style:none}
.glance li{border-top:1px solid var(--grid);padding-top:12px;font-size:14px;line-height:1.45;color:var(--muted)}
.glance b{display:block;font:600 40px/1.1 var(--serif);color:var(--batch);letter-spacing:-.02em;font-variant-numeric:lining-nums;margin-bottom:6px}
.claims{list-style:none;margin:0 0 .9em;padding:0;border-bottom:1px solid var(--grid)}
.claims li{display:flex;justify-content:space-between;gap:16px;align-items:baseline;border-top:1px solid var(--grid);padding:9px 0}
.claims a{text-decoration:none}.claims a:hover{text-decoration:underline}
.claims .status{text-align:end;white-space:nowrap;font-size:15px}
.badge{font-weight:650;white-space:nowrap}
.badge.holds{color:var(--instance)}.badge.part{color:var(--batch)}.badge.fails{color:var(--layer)}.badge.open{color:var(--muted)}
.unfinished{display:inline-block;font-size:13px;line-height:1.4;color:var(--layer);border:1px dashed currentColor;border-radius:4px;padding:0 6px;white-space:nowrap}
.off{color:var(--muted)}
.chapter{margin-top:92px;padding-top:10px}
.verdict{background:var(--raised);border-radius:8px;padding:14px 18px;margin:1.2em 0}
.verdict .badge::after{content:" "}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:8px 30px}
.pair>*{min-width:0;margin:0 0 1em}
.steps{list-style:none;margin:0;padding:0}
.steps h3{display:flex;align-items:baseline;gap:.55em;font-size:19px}
.number{font-family:var(--serif);font-size:26px;color:var(--batch)}
.formula{overflow-x:auto;overflow-y:hidden;padding:.35em 0;margin:.2em 0 .6em}
.formula math{margin:0;text-align:left}
math{font-family:"STIX Two Math","Cambria Math","Latin Modern Math","Libertinus Math","TeX Gyre Termes Math","DejaVu Math TeX Gyre",math;font-size:1.06em}
details{border-top:1px solid var(--grid)}
details:last-of-type{border-bottom:1px solid var(--grid)}
summary{cursor:pointer;padding:9px 0;font-size:15px;font-weight:600;color:var(--muted)}
summary:hover{color:var(--ink)}
details[open]>:last-child{margin-bottom:1.3em}
details>p{font-size:15px}
.scroll+.note{margin-top:.7em}
.scroll{overflow-x:auto;max-height:460px;overflow-y:auto}
table{border-collapse:collapse;font-size:14px;line-height:1.45;font-variant-numeric:tabular-nums;min-width:100%;text-align:start}
th,td{padding:6px 14px 6px 0;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}
th:first-child{text-align:left}
tbody th{font-weight:400}
thead th{position:sticky;top:0;background:var(--paper);color:var(--muted);font-weight:600}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(210px,1fr));gap:12px 26px;margin:.3em 0 1em;font-size:15px;line-height:1.5}
dt{color:var(--muted);font-size:13px}
dd{margin:0;overflow-wrap:anywhere;text-align:start}
pre{font:14px/1.5 var(--mono);background:var(--raised);border-radius:8px;padding:14px 18px;overflow-x:auto;text-align:start}
.papers{padding-left:0;list-style:none}
.papers li{margin-bottom:.7em;text-align:start}
@media screen and (max-width:700px){
body{font-size:16px}math{font-size:.95em}main{padding:0 18px 64px}.bar{padding:12px 18px 0;gap:6px}.bar button{padding:5px 7px}
.wide{display:none}.narrow{display:block}.plot.narrow,.plot.small{width:100%}
.pair{grid-template-columns:1fr}.lede,.hero .lede{font-size:18px}.chapter{margin-top:68px}
.glance{grid-template-columns:1fr 1fr;gap:20px}.glance b{font-size:36px}
.claims li{gap:10px}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
@media print{.bar,.skip{display:none}body{font-size:11pt}main{max-width:none;padding:0}.chapter{margin-top:2.2em}
figure,tr,.verdict,.steps li,.glance{break-inside:avoid}h2,h3,h4{break-after:avoid}.scroll{max-height:none;overflow:visible}a{text-decoration:none}}
`;
}

/** Runs before the page is drawn: which language, which theme. Without JavaScript the page is English and follows the system. */
export const earlyScript = `(()=>{const d=document.documentElement,s=k=>{try{return localStorage.getItem("evenkeel-"+k)}catch{return null}};
d.classList.add("js");d.lang=s("lang")||(/^zh/i.test(navigator.language)?"zh-CN":"en");const t=s("theme");if(t)d.dataset.theme=t})()`;

/** Runs when the page is there: the two switches. */
export const script = `(()=>{const d=document.documentElement,all=q=>[...document.querySelectorAll(q)],keep=(k,v)=>{try{localStorage.setItem("evenkeel-"+k,v)}catch{}};
const dark=()=>d.dataset.theme?d.dataset.theme==="dark":matchMedia("(prefers-color-scheme:dark)").matches;
function show(){for(const m of all("main"))m.hidden=m.lang!==d.lang;
const m=document.querySelector("main:not([hidden])");document.title=m.dataset.title;
for(const b of all(".bar [data-lang]"))b.setAttribute("aria-pressed",b.dataset.lang===d.lang);
for(const b of all(".bar [data-theme]")){b.setAttribute("aria-pressed",(b.dataset.theme==="dark")===dark());b.textContent=m.dataset[b.dataset.theme]}
for(const g of all(".bar [role=group]"))g.setAttribute("aria-label",m.dataset[g.dataset.name])}
function lang(l){const seen=all("main:not([hidden]) [data-section]").filter(s=>s.getBoundingClientRect().top<innerHeight/2).pop();
const top=seen&&seen.getBoundingClientRect().top;d.lang=l;keep("lang",l);show();
const to=seen&&document.querySelector('main:not([hidden]) [data-section="'+seen.dataset.section+'"]');
if(to)scrollBy({top:to.getBoundingClientRect().top-top,behavior:"instant"})}
for(const b of all(".bar [data-lang]"))b.onclick=()=>lang(b.dataset.lang);
for(const b of all(".bar [data-theme]"))b.onclick=()=>{d.dataset.theme=b.dataset.theme;keep("theme",b.dataset.theme);show()};
let opened=[];addEventListener("beforeprint",()=>{opened=all("details:not([open])");for(const x of opened)x.open=true});
addEventListener("afterprint",()=>{for(const x of opened)x.open=false});show()})()`;
