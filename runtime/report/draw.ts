/** One plot as SVG text: ECharts draws on the server, the page's style sheet colours and the page's reader needs no script. */
// The one-file build loads in 0.1 s; the same charts picked from `echarts/core` and its thousand modules take over a second.
import { init } from "echarts/dist/echarts.esm.min.mjs"
import type { EChartsOption } from "echarts/dist/echarts.esm.min.mjs"

import { escape, Html, reveal } from "./markup.ts"

export interface Drawing {
  /** What the plot shows, for those who can't see it. */
  readonly label: string
  /** In CSS pixels; the page may scale it a little. Text is 12 px. */
  readonly width: number
  readonly height: number
  readonly option: EChartsOption
  /** Fills whatever width and height the page gives it: for plots without text. */
  readonly isStretched?: boolean
  /** What a pointer resting on a mark is told; null leaves the mark silent. */
  readonly tip: (series: number, datum: number) => string | null
}

/** The same drawing gives the same text: no ids, no counters, no clock. Colours are the page's variables, so both themes work. */
export const draw = ({ label, width, height, option, isStretched, tip }: Drawing): Html => {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height })
  try {
    chart.setOption({ animation: false, ...option })
    const svg = chart.renderToSVGString({ useViewBox: true })
    const start = svg.indexOf(">") + 1
    const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"${isStretched === true ? ` preserveAspectRatio="none"` : ""}`
    return new Html(`<svg role="img" aria-label="${escape(label)}" ${size}><title>${escape(label)}</title>${tidy(svg.slice(start), tip)}`)
  } finally {
    // Until then a timer keeps the process alive.
    chart.dispose()
  }
}

const mark = /ecmeta_series_index="(\d+)" ecmeta_data_index="(\d+)"([^>]*)>/g

// What ECharts leaves for its own script in the browser goes; the family of the font and a mark's words come from us.
const tidy = (svg: string, tip: Drawing["tip"]): string =>
  reveal(svg)
    .replace(
      mark,
      (_, series: string, datum: string, rest: string) =>
        // Silent marks, such as the line of a mean, carry the number of no datum.
        `${rest.trim()}>${title(rest.includes("silent") ? null : tip(Number(series), Number(datum)))}`
    )
    .replace(/<style[\s\S]*?<\/style>/g, "")
    .replace(/ ?(?:ecmeta_\w+|class|pointer-events)="[^"]*"/g, "")
    .replace(/<rect width="\d+" height="\d+" x="0" y="0" fill="none"><\/rect>/, "")
    .replace(/style="font:[^"]*?(\d+px)[^"]*"/g, `style="font-size:$1"`)
    .replace(/(style="[^"]*?)font-family:[^;"]*;?/g, "$1")
    .replace(/\n+/g, "")

const title = (text: string | null): string => (text === null ? "" : `<title>${escape(text)}</title>`)
