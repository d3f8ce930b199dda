import { type Html, html } from "./html.ts";

/** The papers that the report rests on. */
export const papers = {
  ioffe: {
    label: "Ioffe & Szegedy 2015",
    authors: "Sergey Ioffe, Christian Szegedy",
    year: 2015,
    title: "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift",
    arxiv: "1502.03167",
  },
  ba: {
    label: "Ba et al. 2016",
    authors: "Jimmy Lei Ba, Jamie Ryan Kiros, Geoffrey E. Hinton",
    year: 2016,
    title: "Layer Normalization",
    arxiv: "1607.06450",
  },
  ulyanov: {
    label: "Ulyanov et al. 2016",
    authors: "Dmitry Ulyanov, Andrea Vedaldi, Victor Lempitsky",
    year: 2016,
    title: "Instance Normalization: The Missing Ingredient for Fast Stylization",
    arxiv: "1607.08022",
  },
  wu: {
    label: "Wu & He 2018",
    authors: "Yuxin Wu, Kaiming He",
    year: 2018,
    title: "Group Normalization",
    arxiv: "1803.08494",
  },
  santurkar: {
    label: "Santurkar et al. 2018",
    authors: "Shibani Santurkar, Dimitris Tsipras, Andrew Ilyas, Aleksander Madry",
    year: 2018,
    title: "How Does Batch Normalization Help Optimization?",
    arxiv: "1805.11604",
  },
} as const;

/** The name of a paper in {@link papers}. */
export type Paper = keyof typeof papers;

/** A link from the text to the list of papers in the same language. */
export function cite(paper: Paper, lang: string): Html {
  return html`<a href="#${lang}-${paper}">${papers[paper].label}</a>`;
}
