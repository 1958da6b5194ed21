/** The three accounts of a run: its items, its money, itself. */
import { html } from "./markup.ts"
import type { Html } from "./markup.ts"
import { settledItems } from "./disposition.ts"
import type { RunReport } from "./run-report.ts"
import { facts } from "./tables.ts"
import { count, dollars, none, percent, plural } from "./text.ts"
import type { Clock } from "./text.ts"
import { envelopeOf, isAlarming, isComplete, rejectedRows } from "./verdict.ts"

/** VAL-1 spelled out: two equations with their numbers, and whether they hold. */
export const completenessOf = (report: RunReport): Html => {
  const { delivered, dead, review, held, skipped } = report.dispositions
  const rejected = rejectedRows(report)
  const settled = settledItems(report)
  const gaps = report.completeness.gaps
  const isOpen = report.status !== "done"
  const holds = isComplete(report)
  const line = (isEqual: boolean, text: string) => html`<li class="${isEqual ? "holds" : isOpen ? "waits" : "broken"}">${text}</li>`
  const sum = `${count(delivered)} delivered + ${count(dead)} dead + ${count(review)} in review + ${count(held)} held back + ${count(skipped)} skipped`
  return html`<section class="${isAlarming(report) ? "alarm" : "card"}">
    <h2>Completeness</h2>
    <ul class="equations">
      ${line(report.rowsRead === report.manifest + rejected, `${plural(report.rowsRead, "row")} read = ${plural(report.manifest, "item")} + ${count(rejected)} rejected`)}
      ${line(report.manifest === settled, `${plural(report.manifest, "item")} = ${sum}`)}
    </ul>
    <p>
      ${holds ? "Both hold: nothing is lost." : isOpen ? "The run is not done; what is missing is still to do." : "Does not hold: items are unaccounted for. Look at them before anyone uses the outputs."}
    </p>
    ${
      gaps.length === 0 || isOpen
        ? null
        : html`<details>
            <summary>${plural(gaps.length, "item id")}${gaps.length === 100 ? " (the first)" : null}</summary>
            <p class="ids">${gaps.map((id) => html`<code>${id}</code> `)}</p>
          </details>`
    }
  </section>`
}

/** What was allowed, expected and spent. */
export const moneyOf = (report: RunReport): Html => {
  const { estimateUsd, spentUsd } = report.money
  const { manifest } = report
  const budgetUsd = envelopeOf(report)
  const addedUsd = budgetUsd - report.money.budgetUsd
  const share = (value: number) => (budgetUsd > 0 ? Math.min(100, (100 * value) / budgetUsd) : 0)
  return html`<section class="card">
    <h2>Money</h2>
    ${
      budgetUsd > 0
        ? html`<div class="meter" role="img" aria-label="${percent(spentUsd, budgetUsd)} of the budget is spent">
            <i style="width:${share(spentUsd).toFixed(2)}%"></i>${
              estimateUsd === null ? null : html`<b style="left:${share(estimateUsd).toFixed(2)}%" title="estimate"></b>`
            }
          </div>`
        : null
    }
    ${facts([
      [
        "Spent",
        html`<b>${dollars(spentUsd)}</b
          >${budgetUsd > 0 ? html` <span class="soft">${percent(spentUsd, budgetUsd)} of the budget</span>` : null}`
      ],
      ["Estimate", estimateUsd === null ? "unknown" : dollars(estimateUsd)],
      [
        "Budget",
        addedUsd === 0
          ? dollars(budgetUsd)
          : html`${dollars(budgetUsd)} <span class="soft">${dollars(addedUsd)} of it added at a gate</span>`
      ],
      ["Per item", manifest === 0 ? none : dollars(spentUsd / manifest)]
    ])}
  </section>`
}

/** Which run this is, of what, by whom. */
export const identityOf = (report: RunReport, clock: Clock): Html =>
  html`<section class="card identity">
    <h2>Identity</h2>
    ${facts([
      ["Run", html`<code>${report.run}</code>`],
      ["Purpose", report.purpose],
      ["Owner", report.owner],
      ["Consumers", report.consumers.join(", ") || none],
      ["Classified", report.classification],
      ["Began", clock.moment(report.startedAt)],
      ["Ended", report.endedAt === null ? "not yet" : clock.moment(report.endedAt)],
      ["Processes", count(report.sessions)],
      ["Plan", html`<code>${report.planDigest}</code>`],
      ["Code", html`${report.codeVersions.map((version) => html`<code>${version}</code> `)}`]
    ])}
  </section>`
