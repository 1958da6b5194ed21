/** A run's moments on a line from its start to its deadline, and below it in words. */
import { html } from "./markup.ts"
import type { Html } from "./markup.ts"
import type { RunReport, TimelineEvent } from "./run-report.ts"
import type { Clock } from "./text.ts"
import { duration } from "./text.ts"

/** Moments told in words at most: beyond them the page says how many there are. */
const shownMax = 40

export const timelineOf = (report: RunReport, clock: Clock): Html | null => {
  const { timeline } = report
  if (timeline.length === 0) return null
  const began = Date.parse(report.startedAt)
  const sinceStart = (at: string): string => `+ ${duration(Math.max(0, (Date.parse(at) - began) / 1_000))}`
  return html`<section class="timeline">
    <h2>Timeline</h2>
    ${lineOf(report, clock)}
    <ol>
      ${timeline.slice(0, shownMax).map(
        (event) =>
          html`<li class="${event.kind}">
            <span class="when">${clock.time(event.at)}</span> <span class="soft since">${sinceStart(event.at)}</span>
            <span>${textOf(event)}</span>
          </li>`
      )}
    </ol>
    ${timeline.length > shownMax ? html`<p class="soft">The first ${shownMax} of ${timeline.length}.</p>` : null}
  </section>`
}

/** Only with a deadline: without one there is nothing to hold the run against. */
const lineOf = (report: RunReport, clock: Clock): Html | null => {
  const { sla, startedAt, timeline } = report
  if (sla === null) return null
  const from = Date.parse(startedAt)
  const ends = timeline.map(({ at }) => Date.parse(at))
  const last = Math.max(from, ...ends)
  const to = Math.max(last, Date.parse(sla.deadline))
  const place = (at: number): string => (to === from ? "0" : ((100 * (at - from)) / (to - from)).toFixed(2))
  const mark = (at: string, what: string, label: string) => {
    const x = Number(place(Date.parse(at)))
    return html`<b class="mark ${what} ${x > 85 ? "end" : ""}" style="left:${x.toFixed(2)}%" title="${label} ${clock.time(at)}"
      ><span>${label} ${clock.time(at)}</span></b
    >`
  }
  const events = timeline.filter(({ kind }) => kind === "alert" || kind.startsWith("gate"))
  const said = `${report.endedAt === null ? "At work until" : "Ended"} ${clock.time(last)}, due ${clock.time(sla.deadline)}`
  return html`<div class="span" role="img" aria-label="${said}">
    <i class="${last > Date.parse(sla.deadline) ? "late" : ""}" style="width:${place(last)}%"></i>
    ${events.map((event) => html`<u style="left:${place(Date.parse(event.at))}%" title="${clock.time(event.at)}: ${textOf(event)}"></u>`)}
    ${mark(sla.warnAt, "warn", "70 %")}${mark(sla.escalateAt, "escalate", "90 %")}${mark(sla.deadline, "due", "due")}
  </div>`
}

const textOf = ({ kind, detail }: TimelineEvent): string => {
  switch (kind) {
    case "began":
      return "began"
    case "sealed":
      return "manifest sealed: the work began"
    case "resumed":
      return "resumed by another process"
    case "pause":
      return `paused: account ${detail} failed`
    case "unpause":
      return `went on: account ${detail} answered again`
    case "capacity":
      return `workers: ${detail}`
    case "alert":
      return `alert: ${detail}`
    case "gate-opened":
      return `waited at the ${detail} gate`
    case "gate-approved":
      return `a person let it go on at the ${detail} gate`
    case "gate-rejected":
      return `a person closed it at the ${detail} gate`
    case "gate-expired":
      return `nobody decided in time at the ${detail} gate`
    case "gate-withdrawn":
      return `what the ${detail} gate asked no longer arose`
    case "released":
      return "released"
    case "exported":
      return "exported to consumers"
    case "ended":
      return detail === "done" ? "done" : `stopped: ${detail}`
  }
}
