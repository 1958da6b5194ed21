/** The tables of a report, and how a table is made. */
import { clip, html } from "./markup.ts"
import type { Html } from "./markup.ts"
import { words } from "./outcomes.ts"
import type { CauseReport, PartitionReport, RunReport, StepReport } from "./run-report.ts"
import { count, dollars, duration, milliseconds, none, plain } from "./text.ts"

/** Everything as numbers; a table without rows isn't there. */
export const tablesOf = (report: RunReport): Html =>
  html` ${
    report.steps.length === 0
      ? null
      : html`<section>
          <h2>Steps</h2>
          ${stepTable(report.steps)}
        </section>`
  }
  ${
    report.rejected.length === 0
      ? null
      : html`<section>
          <h2>Rows set aside</h2>
          ${rejectionTable(report.rejected)}
        </section>`
  }
  ${report.causes.length === 0 ? null : folded("What stopped or marked items, in numbers", causeTable(report.causes))}
  ${report.partitions.length === 0 ? null : folded("Partitions, in numbers", partitionTable(report.partitions))}`

const folded = (title: string, content: Html): Html =>
  html`<section>
    <details>
      <summary>${title}</summary>
      ${content}
    </details>
  </section>`

/** A column: what it is called, and what stands in it for a row. */
export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => Html | string
  /** Numbers stand on the right. */
  readonly isNumber?: boolean
}

/** Below 560 px each row of a table becomes a block of named values, unless it is narrow by nature. */
export const table = <Row>(columns: ReadonlyArray<Column<Row>>, rows: ReadonlyArray<Row>, isNarrow = false): Html =>
  html`<div class="scroll">
    <table class="${isNarrow ? "narrow" : "blocks"}">
      <thead>
        <tr>
          ${columns.map(({ title, isNumber }) => html`<th scope="col" ${side(isNumber)}>${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${columns.map((column) => cellOf(column, row))}
            </tr> `
        )}
      </tbody>
    </table>
  </div>`

const cellOf = <Row>({ title, cell, isNumber }: Column<Row>, row: Row): Html =>
  html`<td data-title="${title}" ${side(isNumber)}>${cell(row)}</td>`

const side = (isNumber: boolean | undefined): Html | null => (isNumber === true ? html` class="number"` : null)

// Each checkpointed step: what came of its items, and what its calls took.
const stepTable = (steps: ReadonlyArray<StepReport>): Html =>
  table<StepReport>(
    [
      {
        title: "Step",
        cell: ({ step, kind, model }) => html`<b>${step}</b> <span class="soft">${model === null ? kind : `${kind}, ${model}`}</span>`
      },
      { title: "Items", cell: ({ statuses }) => statusWords(statuses) },
      { title: "Attempts", cell: ({ attempts }) => count(attempts), isNumber: true },
      { title: "Mean call", cell: ({ meanMs }) => (meanMs === null ? none : milliseconds(meanMs)), isNumber: true },
      { title: "95 % within", cell: ({ p95Ms }) => (p95Ms === null ? none : milliseconds(p95Ms)), isNumber: true },
      { title: "Tokens in", cell: ({ inputTokens }) => count(inputTokens), isNumber: true },
      { title: "Tokens out", cell: ({ outputTokens }) => count(outputTokens), isNumber: true },
      { title: "Cost", cell: ({ costUsd }) => (costUsd === null ? none : dollars(costUsd)), isNumber: true }
    ],
    steps
  )

const order = ["answered", "passed", "deferred", "skipped", "held", "review", "dead"]

const statusWords = (statuses: StepReport["statuses"]): string => {
  const known = Object.entries(statuses).filter(([, items]) => items > 0)
  const place = (status: string) => (order.includes(status) ? order.indexOf(status) : order.length)
  return (
    known
      .toSorted(([one], [other]) => place(one) - place(other))
      .map(([status, items]) => `${count(items)} ${status}`)
      .join(", ") || "0"
  )
}

// All causes, the most frequent first.
const causeTable = (causes: ReadonlyArray<CauseReport>): Html =>
  table<CauseReport>(
    [
      { title: "What came of it", cell: ({ kind }) => html`<i class="swatch ${kind}"></i>${words[kind]}` },
      { title: "Step", cell: ({ step }) => step },
      { title: "Code", cell: ({ code }) => html`<code>${code}</code>` },
      { title: "Rule", cell: ({ rule }) => rule ?? none },
      { title: "Items", cell: ({ items }) => count(items), isNumber: true },
      { title: "For example", cell: ({ example }) => html`<code>${example}</code>` }
    ],
    causes.toSorted((one, other) => other.items - one.items)
  )

// Rows set aside before the manifest, by reason, with the first places of each.
const rejectionTable = (rejected: RunReport["rejected"]): Html =>
  html`<div class="scroll">
    <table class="places">
      ${rejected.map(
        ({ code, rows, examples }) =>
          html`<tbody>
            <tr>
              <th colspan="2" scope="rowgroup">
                <code>${code}</code>
                <span class="soft"
                  >${count(rows)}
                  ${rows === 1 ? "row" : "rows"}${rows > examples.length && examples.length > 0 ? `, the first ${count(examples.length)}` : ""}</span
                >
              </th>
            </tr>
            ${examples.map(
              ({ file, line, reason }) =>
                html`<tr>
                  <td><code>${line === null ? clip(file, 300) : `${clip(file, 300)}:${line}`}</code></td>
                  <td>${clip(reason, 300)}</td>
                </tr> `
            )}
          </tbody>`
      )}
    </table>
  </div>`

// The numbers behind the plot of partitions.
const partitionTable = (partitions: ReadonlyArray<PartitionReport>): Html =>
  table<PartitionReport>(
    [
      { title: "Partition", cell: ({ partition, label }) => (label === null ? `${partition}` : `${partition}, ${label}`) },
      { title: "Items", cell: ({ items }) => count(items), isNumber: true },
      { title: "Weight", cell: ({ weight }) => plain(weight), isNumber: true },
      { title: "Time", cell: ({ seconds }) => (seconds === null ? "not done" : duration(seconds)), isNumber: true }
    ],
    partitions,
    true
  )

/** Names and values, one under another. */
export const facts = (pairs: ReadonlyArray<readonly [string, Html | string]>): Html =>
  html`<dl>
    ${pairs.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`
    )}
  </dl>`
