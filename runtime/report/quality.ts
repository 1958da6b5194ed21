/** Answers by step, as far as they were looked at, and the files that consumers were given. */
import { html } from "./markup.ts"
import type { Html } from "./markup.ts"
import type { ExportReport, QualityReport, RunReport } from "./run-report.ts"
import { table } from "./tables.ts"
import { bytes, count, none, percent, plain } from "./text.ts"

/** Nothing where no answer was looked at. */
export const qualityOf = ({ quality }: RunReport): Html | null =>
  quality.length === 0
    ? null
    : html`<section>
        <h2>Answers, as they were judged</h2>
        ${table<QualityReport>(
          [
            { title: "Step", cell: ({ step }) => html`<b>${step}</b>` },
            { title: "Looked at", cell: ({ judged }) => count(judged), isNumber: true },
            { title: "Passed", cell: ({ passed }) => count(passed), isNumber: true },
            { title: "For review", cell: ({ review }) => count(review), isNumber: true },
            { title: "Failed", cell: ({ failed }) => count(failed), isNumber: true },
            { title: "Flagged", cell: ({ flagged }) => count(flagged), isNumber: true },
            { title: "Repaired", cell: ({ repaired }) => count(repaired), isNumber: true },
            { title: "Pass rate", cell: ({ passRate }) => (passRate === null ? none : percent(passRate, 1)), isNumber: true },
            {
              title: "Mean confidence",
              cell: ({ meanConfidence }) => (meanConfidence === null ? none : plain(Math.round(meanConfidence * 1_000) / 1_000)),
              isNumber: true
            }
          ],
          quality
        )}
      </section>`

/** Nothing for a run that exported nothing. */
export const exportsOf = ({ exports }: RunReport): Html | null =>
  exports.length === 0
    ? null
    : html`<section>
        <h2>Exported to consumers</h2>
        ${table<ExportReport>(
          [
            { title: "File", cell: ({ path }) => html`<code>${path}</code>` },
            { title: "Revision", cell: ({ revision }) => count(revision), isNumber: true },
            { title: "Rows", cell: ({ rows }) => count(rows), isNumber: true },
            { title: "Size", cell: (one) => bytes(one.bytes), isNumber: true },
            { title: "SHA-256", cell: ({ sha256 }) => html`<code title="${sha256}">${sha256.slice(0, 12)}</code>` }
          ],
          exports
        )}
      </section>`
