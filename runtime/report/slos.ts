/** The service levels as a person reads them: what was asked, what it came to, and whether that is good enough (OPS-1). */
import { html } from "./markup.ts"
import type { Html } from "./markup.ts"
import type { RunReport, SloReport } from "./run-report.ts"
import { duration, none, percent } from "./text.ts"

/** Nothing for a run without items. */
export const slosOf = (report: RunReport): Html | null =>
  report.manifest === 0
    ? null
    : html`<section class="slos" aria-label="Service levels">
        <h2>Service levels</h2>
        <ul>
          ${report.slos.map((slo) => {
            const { title, target, note } = words[slo.slo]
            return html`<li class="${classOf(slo)}">
              <span class="soft">${title}</span> <b>${valueOf(report, slo)}</b> <span class="soft">${target}</span>
              <span class="sign">${slo.slo === "within-sla" && report.sla === null ? "no deadline" : signOf(slo)}</span>
              <span class="soft note">${slo.alerting ? note : null}</span>
            </li>`
          })}
        </ul>
      </section>`

interface Words {
  readonly title: string
  readonly target: string
  /** What to do where somebody must look. */
  readonly note: string
}

const words: Readonly<Record<SloReport["slo"], Words>> = {
  "within-sla": { title: "Within its time", target: "by the deadline", note: "Consumers waited: look at the timeline and the throughput." },
  "primary-failure-rate": {
    title: "Failed at first",
    target: "below 2 % of items",
    note: "Above 5 %: find the cause before anything is asked again."
  },
  "dead-letter-rate": { title: "Dead letters", target: "below 0.1 % of items", note: "Mend the cause, then replay them." },
  "cost-overrun": { title: "Over budget", target: "never", note: "More was spent than was allowed." },
  "pass-rate": { title: "Answers that passed", target: "above 99.5 %", note: "Below 99 %: look at the prompt or the model." }
}

const classOf = ({ met, alerting }: SloReport): string => (met === null ? "unknown" : met ? "met" : alerting ? "missed bad" : "missed")

const signOf = ({ met, alerting }: SloReport): string =>
  met === null ? "not known" : met ? "met" : alerting ? "missed, look at it" : "missed"

const valueOf = (report: RunReport, { slo, value }: SloReport): string => {
  if (value === null) return none
  if (slo === "within-sla") return withinText(report, value)
  return value === 0 ? "0 %" : percent(value, 1)
}

const withinText = ({ sla, startedAt }: RunReport, value: number): string => {
  if (sla === null) return none
  const allowed = (Date.parse(sla.deadline) - Date.parse(startedAt)) / 1_000
  return value > 1 ? `${duration((value - 1) * allowed)} late` : `${duration(value * allowed)} of ${duration(allowed)}`
}
