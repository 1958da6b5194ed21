import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { ackIncident, closeIncident, listIncidents, openIncident, type NewIncident } from "../../../runtime/store/incidents.ts"
import { queryAnalytics } from "../../../runtime/store/open-analytics.ts"
import { openStateFolder } from "../../../runtime/store/state-folder.ts"

const folderOf = Effect.flatMap(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "nightshift-incidents-"))),
    (root) => Effect.sync(() => rmSync(root, { recursive: true, force: true }))
  ),
  openStateFolder
)

const of = (run: string, kind: string): NewIncident => ({
  run,
  job: "mail-triage",
  kind,
  severity: "critical",
  text: `Run ${run} is late.`,
  detail: { lateMs: 1 },
  openedAt: new Date("2026-11-25T02:00:00Z")
})

const all = { run: null, job: null, isOpen: false }

describe("incidents", () => {
  it.effect("[OPS-3] a run and kind have one incident, whoever opens it how often, side by side too", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      const opened = yield* Effect.all(
        [of("a", "late"), of("a", "late"), of("b", "late"), of("a", "dead")].map((incident) => openIncident(folder, incident)),
        { concurrency: "unbounded" }
      )
      expect(opened[0]).toBe(opened[1])
      expect(new Set(opened).size).toBe(3)
      yield* closeIncident(folder, opened[0]!, "kim")
      expect(yield* openIncident(folder, of("a", "late"))).toBe(opened[0])
      expect((yield* listIncidents(folder, { ...all, isOpen: true })).map(({ run, kind }) => `${run} ${kind}`).toSorted()).toEqual([
        "a dead",
        "b late"
      ])
      expect(yield* listIncidents(folder, { ...all, run: "b" })).toHaveLength(1)
      expect(yield* listIncidents(folder, { ...all, job: "other" })).toHaveLength(0)
    })
  )

  it.effect("[OPS-3] who acknowledged and closed it stands there for good; one that isn't there or is closed is refused, unchanged", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      const incident = yield* openIncident(folder, of("a", "late"))
      expect((yield* ackIncident(folder, incident, "kim")).ackedBy).toBe("kim")
      const twice = yield* Effect.flip(ackIncident(folder, incident, "lee"))
      expect(twice.message).toMatch(/was acknowledged by kim at 1970-01-01 00:00 UTC\. Nothing was changed/)
      expect((yield* closeIncident(folder, incident, "lee")).closedBy).toBe("lee")
      const [before] = yield* listIncidents(folder, all)
      expect((yield* Effect.flip(closeIncident(folder, incident, "max"))).message).toContain("was closed by lee")
      expect((yield* Effect.flip(ackIncident(folder, incident, "max"))).message).toContain("was closed by lee")
      expect((yield* Effect.flip(ackIncident(folder, "inc-9", "max"))).message).toContain('There is no incident "inc-9"')
      expect(yield* listIncidents(folder, all)).toEqual([before])
    })
  )

  it.effect("[OPS-3] [CRD-6] analysts see each incident once, as it is now", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      const query = "select incident, run, kind, acked_by, closed_by from incidents order by incident"
      expect((yield* queryAnalytics(folder, query)).rows).toEqual([])
      const incident = yield* openIncident(folder, of("a", "late"))
      yield* openIncident(folder, of("b", "late"))
      yield* ackIncident(folder, incident, "kim")
      expect((yield* queryAnalytics(folder, query)).rows).toEqual([
        { incident: "inc-1", run: "a", kind: "late", acked_by: "kim", closed_by: null },
        { incident: "inc-2", run: "b", kind: "late", acked_by: null, closed_by: null }
      ])
    })
  )
})
