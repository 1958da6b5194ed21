/** A run that misses its deadline, through the real command: who is told what, and what a person then types. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"

import { makeHome } from "../support/fault-home.ts"
import { openHookServer } from "../support/hook-server.ts"
import { lastJson, onlyRun, tempFolder } from "../support/run-command.ts"

const lateJob = join(import.meta.dirname, "jobs/late-job.ts")

it.live(
  "[SLA-2] [OPS-3] [SEC-1] a late run is done all the same, with one incident; a dead channel delays nothing, and no URL is told to anybody",
  () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => tempFolder()),
        (temp) => Effect.sync(() => temp[Symbol.dispose]())
      )
      const home = makeHome(folder.path, { input: "none.jsonl" })
      const [ops, ticketing] = [yield* openHookServer, yield* openHookServer]
      ops.server.answer = 500
      const env = { OPS_WEBHOOK: ops.url, TICKETING_WEBHOOK: ticketing.url }
      const command = (...args: ReadonlyArray<string>) => Effect.promise(() => home.start(args, env).ended)
      const refused = yield* command("run", lateJob)
      expect([refused.code, refused.stdout]).toEqual([1, expect.stringContaining("accounts.json is not there")])
      const channels = { ops: { kind: "slack", urlEnv: "OPS_WEBHOOK" }, ticketing: { kind: "webhook", urlEnv: "TICKETING_WEBHOOK" } }
      writeFileSync(join(home.path, "accounts.json"), JSON.stringify({ channels }))

      const ended = yield* command("run", lateJob)
      expect(ended.code, ended.stderr).toBe(0)
      expect(lastJson(ended)).toMatchObject({ delivered: 400 })
      const run = onlyRun(home.state)
      expect(ended.stderr.match(/missed its deadline/g)).toHaveLength(1)
      expect((yield* ticketing.next).body).toMatchObject({ kind: "sla-breach", audience: "consumers", run })
      expect(Queue.sizeUnsafe(ticketing.posts)).toBe(0)

      const listed = yield* command("incidents", "list", "--run", run)
      const incidents = JSON.parse(listed.stdout)
      expect(incidents).toEqual([
        expect.objectContaining({ incident: "inc-1", run, kind: "sla-breach", severity: "critical", ackedBy: null })
      ])
      expect(listed.stderr).toMatch(/channel "ops" has not got \(it answered HTTP 500\)/)
      expect((yield* command("incidents", "close", "inc-1")).code).toBe(0)
      const again = yield* command("incidents", "ack", "inc-1")
      expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("was closed by")])
      const shown =
        "select kind, closed_by is not null as is_closed, (select list(distinct kind order by kind) from timeline) as moments from incidents"
      const rows = yield* command("sql", shown)
      const moments = expect.arrayContaining(["alert", "began", "capacity", "ended", "sealed"])
      expect(JSON.parse(rows.stdout)).toEqual([{ kind: "sla-breach", is_closed: true, moments }])
      for (const said of [refused, ended, listed, again, rows]) expect(said.stdout + said.stderr).not.toContain("a-secret-of-many-letters")
    }).pipe(Effect.scoped),
  60_000
)
