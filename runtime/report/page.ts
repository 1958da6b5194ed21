/** The completion report as a page. Loads ECharts and a Markdown parser (0.15 s): import it only when a report is to be written. */
import { completenessOf, identityOf, moneyOf } from "./accounts.ts"
import { costsOf } from "./costs.ts"
import { outcomesOf } from "./disposition.ts"
import { plotsOf } from "./figures.ts"
import { html } from "./markup.ts"
import type { Html } from "./markup.ts"
import { renderMarkdown } from "./markdown.ts"
import { plotDispositions } from "./outcomes.ts"
import { exportsOf, qualityOf } from "./quality.ts"
import type { RunReport } from "./run-report.ts"
import { slosOf } from "./slos.ts"
import { style } from "./style.ts"
import { valuesOf } from "./summary.ts"
import { tablesOf } from "./tables.ts"
import { clockOf, count, percent } from "./text.ts"
import type { Clock } from "./text.ts"
import { timelineOf } from "./timeline.ts"
import { isAlarming, nextSteps, verdictOf } from "./verdict.ts"
import type { Verdict } from "./verdict.ts"

export interface PageOptions {
  /** IANA name of the zone in which times are told; UTC when absent. */
  readonly timeZone?: string
}

/** One HTML file that needs nothing else: no script, no request. The same report and zone give the same text. */
export const renderPage = (report: RunReport, { timeZone = "UTC" }: PageOptions = {}): string => {
  const clock = clockOf(timeZone)
  const verdict = verdictOf(report, clock)
  // The policy is the second line: should an escape ever fail, nothing runs and nothing is fetched.
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
        />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <link rel="icon" href="data:," />
        <title>${report.job}: ${verdict.headline}</title>
        <style>
          ${style}
        </style>
      </head>
      <body>
        <main>
          ${headerOf(report, verdict, clock)} ${outcomeOf(report)} ${isAlarming(report) ? completenessOf(report) : null} ${wordsOf(report)}
          ${slosOf(report)} ${plotsOf(report, clock)} ${timelineOf(report, clock)} ${valuesOf(report)}
          <div class="thirds">${isAlarming(report) ? null : completenessOf(report)}${moneyOf(report)}${identityOf(report, clock)}</div>
          ${costsOf(report)} ${exportsOf(report)} ${qualityOf(report)} ${tablesOf(report)}
        </main>
        <footer>Times are ${timeZone}. The same as data: <code>runtime report ${report.run} --json</code></footer>
      </body>
    </html> `.markup
}

const headerOf = (report: RunReport, { tone, status, headline, details }: Verdict, clock: Clock): Html =>
  html`<header>
    <p class="over">
      <span class="chip ${tone}">${status}</span>${
        report.trial
          ? html`<span class="chip open" title="A run of --limit: its outputs are never released">Trial, never released</span>`
          : null
      }<b>${report.job}</b><span>for ${clock.moment(report.logicalTime)}</span><span class="soft">${report.run}</span>
    </p>
    <h1>${headline.split(/(?<=[,:] )/).map((part) => html`<span>${part}</span>`)}</h1>
    <p class="lead">${details.join(" ")}</p>
  </header>`

const outcomeOf = (report: RunReport): Html => {
  return html`<section class="outcome" aria-label="What became of the items">
    ${
      report.manifest === 0
        ? null
        : html`<div class="bar wide">${plotDispositions(report, 1160)}</div>
            <div class="bar slim">${plotDispositions(report, 360)}</div>`
    }
    <ul>
      ${outcomesOf(report).map(
        ({ name, items, word }) =>
          html`<li class="${items === 0 ? "zero" : ""}">
            <i class="swatch ${name}"></i><b>${count(items)}</b> ${word}
            <span class="soft">${items === 0 ? null : percent(items, report.manifest)}</span>
          </li>`
      )}
    </ul>
  </section>`
}

const wordsOf = (report: RunReport): Html | null => {
  const steps = nextSteps(report)
  if (steps.length + report.reports.length === 0) return null
  const said = report.reports.map(
    ({ step, text }) =>
      html`<section class="said">
        <h2>${report.reports.length === 1 ? "What the job reports" : step}</h2>
        ${renderMarkdown(text)}
      </section>`
  )
  const next = html`<section class="next">
    <h2>What to type next</h2>
    <ol>
      ${steps.map(({ command, use }) => html`<li><code>${command}</code><span>${use}</span></li>`)}
    </ol>
  </section>`
  return html`<div class="split">${said.length === 0 ? null : html`<div>${said}</div>`}${steps.length === 0 ? null : next}</div>`
}
