import { describe, expect, it } from "vitest"

import { renderPage } from "../../../runtime/report/page.ts"
import type { RunReport } from "../../../runtime/report/run-report.ts"
import { emptyReport, hostile, hostileReport, largeReport, lossyReport, sampleReport } from "./sample-report.ts"

const page = renderPage(sampleReport)

/** What a reader sees: no style sheet, no plots, no tags. */
const textOf = (markup: string) =>
  markup
    .replace(/^[\s\S]*<body>/, "")
    .replace(/<svg[\s\S]*?<\/svg>/g, "")
    .replace(/<[^>]*>/g, " ")
    .replaceAll("&#39;", "'")
    .replaceAll("&quot;", '"')
    .replace(/\s+/g, " ")

/** The words on the marks of the plots whose label begins so, drawn wide or slim. */
const tipsOf = (label: string, markup = page) =>
  [
    ...(markup.match(new RegExp(`<svg role="img" aria-label="${label}[\\s\\S]*?</svg>`))?.[0] ?? "").matchAll(/<path[^>]*><title>([^<]*)</g)
  ].map(([, tip]) => tip ?? "")

const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((all, one) => all + one, 0)
const numberAtEnd = (tip: string) => Number((/([\d,]+)(?: items?)?$/.exec(tip)?.[1] ?? "").replaceAll(",", ""))

describe("the page of a report", () => {
  it("[OPS-4] needs nothing but itself: no script, no request, nothing to load", () => {
    expect(page).not.toMatch(/<script|<img|<iframe|<object|@import|url\(| src=|xlink/i)
    expect(page.match(/href="[^"]*"/g)).toEqual([`href="data:,"`])
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"`)
    expect(page).not.toMatch(/https?:/)
  })

  it("[OPS-4] shows hostile file names, reasons, reports and values as text", () => {
    const markup = renderPage(hostileReport)
    expect(hostile).toContain("<script>")
    // What begins a tag anywhere is a name that the page itself uses.
    const tags = new Set([...markup.matchAll(/<([a-z!]+[0-9]?)/gi)].map(([, tag]) => tag ?? ""))
    expect([...tags].filter((tag) => ["script", "img", "marquee", "a"].includes(tag))).toEqual([])
    expect(markup).toContain("&lt;script&gt;")
    expect(markup).not.toContain("\u202e")
    expect(markup).toContain("\\u202e")
  })

  it("[OPS-4] never runs what a name puts into a command's quotes", () => {
    const run = `a"; rm -rf $HOME \`x\`'`
    expect(textOf(renderPage({ ...sampleReport, run }))).toContain(`where run = 'a\\"; rm -rf \\$HOME \\\`x\\\`'''"`)
  })

  it("[OPS-4] says the verdict and every number as the data has it", () => {
    const text = textOf(page)
    expect(text).toMatch(/6,046 items: ?5,731 delivered, ?213 wait for review, ?71 dead letters, ?31 skipped/)
    for (const words of [
      "6,093 rows read = 6,046 items + 47 rejected",
      "6,046 items = 5,731 delivered + 71 dead + 213 in review + 0 held back + 31 skipped",
      "Both hold",
      "$1.31 3.3 % of the budget",
      "Estimate $1.62",
      "Budget $40.00",
      "4,702 answered, 1,313 deferred, 31 skipped",
      "1,204,882",
      "inbox/2026-11-24/easy-ham-1.jsonl:118",
      "Unexpected end of JSON input",
      "accuracy 0.9714",
      sampleReport.planDigest,
      "24 Nov 2026, 14:00"
    ]) {
      expect(text).toContain(words)
    }
  })

  it("[OPS-4] draws every bucket, bin, partition and cause with its own number", () => {
    const buckets = tipsOf("Items finished")
    expect(buckets.map(numberAtEnd)).toEqual(sampleReport.throughput.map(({ items }) => items))
    for (const { step, bins } of sampleReport.confidence)
      expect(sum(tipsOf(`Confidence of the answers of ${step}`).map(numberAtEnd))).toBe(sum(bins))
    const partitions = tipsOf("Items and seconds")
    expect(partitions).toHaveLength(2 * sampleReport.partitions.length)
    expect(partitions[0]).toBe(`Partition 0: ${sampleReport.partitions[0]?.items} items, 4 min 12 s`)
    expect(tipsOf("What stopped").map((tip) => Number.parseInt(tip))).toEqual([213, 118, 38, 26, 7])
    expect(tipsOf("What became").map((tip) => Number.parseInt(tip.replace(",", "")))).toEqual([5731, 213, 71, 31])
  })

  it("[OPS-1] [OPS-4] holds the run against each service level, and says what to do where one is missed badly", () => {
    const text = textOf(page)
    expect(text).toContain("Within its time 38 min 12 s of 6 h by the deadline met")
    expect(text).toContain("Failed at first 1.4 % below 2 % of items met")
    expect(text).toContain("Dead letters 1.2 % below 0.1 % of items missed, look at it Mend the cause, then replay them.")
    expect(text).toContain("Over budget 0 % never met")
    expect(text).toContain("Answers that passed 99.2 % above 99.5 % missed")
    const late = {
      ...sampleReport,
      slos: sampleReport.slos.map((slo) => (slo.slo === "within-sla" ? { ...slo, value: 1.5, met: false, alerting: true } : slo))
    }
    expect(textOf(renderPage(late))).toContain("Within its time 3 h late by the deadline missed, look at it")
    const open = sampleReport.slos.map((slo) => (slo.slo === "within-sla" ? { ...slo, value: null, met: null } : slo))
    expect(textOf(renderPage({ ...sampleReport, slos: open, sla: null }))).toContain("Within its time – by the deadline no deadline")
    expect(textOf(renderPage(emptyReport))).not.toContain("Service levels")
  })

  it("[OPS-4] tells the run's moments, with the marks of its deadline where it has one", () => {
    const text = textOf(page)
    expect(text).toContain("70 % 18:12:12 90 % 19:24:12 due 20:00:12")
    expect(text).toContain("14:20:12 + 20 min alert: outage")
    expect(text).toContain("14:38:23 + 38 min 11 s exported to consumers 14:38:24 + 38 min 12 s done")
    expect(textOf(renderPage({ ...sampleReport, sla: null }))).not.toContain("70 %")
  })

  it("[OPS-4] tells how answers were judged, an item for each cause, and what consumers were given", () => {
    const text = textOf(page)
    expect(text).toContain("triage/haiku 1,313 1,268 0 45 0 9 96.6 % 0.781")
    expect(text).toContain("trusted rule confident 213 9f31c0a2b7d1e4f5a6b7c8d9")
    expect(text).toContain("mail-triage/mail-triage-20261125-2k7q/revision-1/trusted.parquet 1 5,731 812.3 kB 0b6f4f7a90c3")
  })

  it("[OPS-4] tells time in the zone that is asked for, and names it", () => {
    const text = textOf(renderPage(sampleReport, { timeZone: "Australia/Sydney" }))
    expect(text).toContain("25 Nov 2026, 01:00")
    expect(text).toContain("Times are Australia/Sydney")
  })

  it("[OPS-4] one dead letter in a million can be seen", () => {
    const dispositions = { delivered: 999_999, dead: 1, review: 0, held: 0, skipped: 0 }
    const markup = renderPage({ ...sampleReport, manifest: 1_000_000, rowsRead: 1_000_047, dispositions })
    const width = Number(/l([\d.]+) 0[^"]*" fill="var\(--dead\)"/.exec(markup)?.[1])
    expect(width).toBeGreaterThanOrEqual(3)
    expect(tipsOf("What became", markup)).toEqual(["999,999 delivered, 99.9 %", "1 dead letter, &lt; 0.1 %"])
  })

  it("[OPS-4] is the same text for the same report, whatever was drawn before", () => {
    renderPage(largeReport)
    expect(renderPage(sampleReport)).toBe(page)
  })

  it("[OPS-4] of 200 partitions and 120 buckets stays below 1 MB", () => {
    expect(renderPage(largeReport).length).toBeLessThan(1_000_000)
  })

  it("[VAL-1] a gap is the first thing said, with the items that are missing", () => {
    const text = textOf(renderPage(lossyReport))
    expect(text).toContain("Done, incomplete")
    expect(text).toContain("2 unaccounted for")
    expect(text).toContain("9f31c0a2b7")
    expect(text.indexOf("Does not hold")).toBeLessThan(text.indexOf("What to type next"))
    expect(renderPage(lossyReport)).toContain(`<li class="broken">6,046 items = 5,729 delivered`)
    expect(page).not.toContain(`class="broken"`)
    expect(page).not.toContain(`class="alarm"`)
  })

  it("[VAL-1] numbers that don't add up are a gap, even where the ledger saw none", () => {
    expect(textOf(renderPage({ ...sampleReport, rowsRead: 6094 }))).toContain("Does not hold")
  })

  it("[VAL-1] a run that isn't done has open items, not lost ones", () => {
    const text = textOf(renderPage({ ...lossyReport, status: "interrupted", endedAt: null }))
    expect(text).toContain("2 not finished")
    expect(text).not.toContain("Does not hold")
    expect(text).toContain(`runtime resume ${sampleReport.run}`)
  })

  it("[OPS-4] a trial is marked as one", () => {
    expect(textOf(renderPage({ ...sampleReport, trial: true }))).toContain("Trial, never released")
    expect(textOf(page)).not.toContain("Trial")
  })
})

describe("a report of zero items", () => {
  const text = textOf(renderPage(emptyReport))

  it("[case 19] says 0 everywhere, never NaN", () => {
    expect(renderPage(emptyReport)).not.toMatch(/NaN|Infinity|undefined|null/)
    for (const words of [
      "0 items: nothing came in",
      "0 delivered",
      "0 dead letters",
      "0 rows read = 0 items + 0 rejected",
      "0 items = 0 delivered + 0 dead + 0 in review + 0 held back + 0 skipped",
      "$0.00 spent of $40.00",
      "total 0"
    ]) {
      expect(text).toContain(words)
    }
  })

  it("[case 19] draws no empty axes", () => {
    expect(renderPage(emptyReport)).not.toContain("<svg")
    expect(page).toContain("<svg")
  })

  it("[case 19] tells rejected rows from no rows", () => {
    const rejected = [{ code: "broken-row", rows: 12, examples: [] }]
    expect(textOf(renderPage({ ...emptyReport, rowsRead: 12, rejected }))).toContain("0 items: all 12 rows read were rejected")
  })

  it("[case 19] a budget of nothing divides nothing", () => {
    const money = { budgetUsd: 0, estimateUsd: null, spentUsd: 0 }
    expect(renderPage({ ...emptyReport, money })).not.toMatch(/NaN|Infinity/)
  })
})

describe("the values of an aggregate", () => {
  const render = (values: unknown) => renderPage({ ...emptyReport, summaries: [{ step: "mix", values }] } satisfies RunReport)

  it("[VAL-6] are tables where they are flat and JSON where they are not", () => {
    const values = { rows: [{ topic: "spam", items: 1234567 }], deep: { a: { b: [1] } }, year: 2026, share: 0.123456 }
    const text = textOf(render(values))
    expect(text).toContain("topic items spam 1,234,567")
    expect(text).toContain(`{ "a": { "b": [ 1 ] } }`)
    expect(text).toContain("year 2026")
    expect(text).toContain("share 0.1235")
  })

  it.each([
    ["nothing", null],
    ["0", 0],
    ["a text", "text"],
    ["an empty list", []],
    ["an empty object", {}],
    ["a list of numbers", [1, 2]],
    ["a bigint", 10n],
    ["an object with a bigint", { a: 10n }],
    ["rows that differ", [{ a: 1 }, { b: null }]]
  ])("[VAL-6] may be %s", (_, values) => {
    expect(render(values)).toContain("mix")
    expect(render(values)).not.toMatch(/undefined|\[object/)
  })
})
