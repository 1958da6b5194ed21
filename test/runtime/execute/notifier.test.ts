import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"

import { Alerts, type Alert } from "../../../runtime/execute/alerts.ts"
import { openNotifier } from "../../../runtime/execute/notifier.ts"
import { openChannel } from "../../../runtime/notify/open-channel.ts"
import { openPost } from "../../../runtime/notify/post.ts"
import { listIncidents } from "../../../runtime/store/incidents.ts"
import type { LedgerShape } from "../../../runtime/store/ledger.ts"
import { listUndelivered } from "../../../runtime/store/outbox.ts"
import { openStateFolder } from "../../../runtime/store/state-folder.ts"
import { openHookServer, type PostedBody } from "../../support/hook-server.ts"
import { beginSealed, twoEnds } from "../../support/ledger-run.ts"
import { memoryStore } from "../../support/ledger-store.ts"

const late: Alert = {
  kind: "sla-breach",
  severity: "critical",
  text: "Run r1 missed its deadline <by an hour>.",
  detail: { lateMs: 3_600_000 },
  toConsumers: "Expected an hour late; 40 of 100 items are done."
}

const folderOf = Effect.flatMap(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "nightshift-notify-"))),
    (root) => Effect.sync(() => rmSync(root, { recursive: true, force: true }))
  ),
  openStateFolder
)

/** A run's session with a slack channel `ops` and a consumer's webhook `ticketing`; it ends when its scope is closed. */
const openSession = Effect.fnUntraced(function* (
  folder: Effect.Success<typeof folderOf>,
  url: string,
  ledger: Pick<LedgerShape, "alerts" | "raiseAlert">
) {
  const scope = yield* Scope.make()
  const alerts = yield* Effect.provideService(
    Effect.gen(function* () {
      const post = yield* openPost
      const operators = [openChannel({ name: "ops", kind: "slack", url: Redacted.make(`${url}?ops`) }, post)]
      const consumers = [openChannel({ name: "ticketing", kind: "webhook", url: Redacted.make(`${url}?ticketing`) }, post)]
      const tell = yield* openNotifier({
        folder,
        run: "r1",
        job: "two-ends",
        place: { env: null, folder: "/jobs" },
        operators,
        consumers,
        ledger
      })
      return Alerts.on(ledger, tell)
    }),
    Scope.Scope,
    scope
  )
  return { alerts, end: Scope.close(scope, Exit.void) }
})

const setting = Effect.gen(function* () {
  const store = yield* memoryStore
  const ledger = yield* store.open(twoEnds)
  yield* beginSealed(ledger, 2)
  return { folder: yield* folderOf, hook: yield* openHookServer, ledger, store }
})

/** Both posts, in the order of their paths: they are sent side by side. */
const twoPosts = (next: Effect.Effect<{ readonly path: string; readonly body: PostedBody }>) =>
  Effect.map(Effect.all([next, next]), (posts) => posts.toSorted((a, b) => (a.path < b.path ? -1 : 1)))

describe("what a run tells", () => {
  it.effect("[OPS-3] [SLA-2] operators hear what happened and what to type, consumers what it means for them, each once", () =>
    Effect.gen(function* () {
      const { folder, hook, ledger, store } = yield* setting
      const first = yield* openSession(folder, hook.url, ledger)
      yield* first.alerts.raise(late)
      const [toOps, toConsumer] = yield* twoPosts(hook.next)
      expect(toOps!.body.text).toContain("Run r1 missed its deadline &lt;by an hour&gt;.")
      expect(toOps!.body.text).toContain("runtime incidents ack inc-1")
      expect(toConsumer!.body).toMatchObject({
        audience: "consumers",
        run: "r1",
        kind: "sla-breach",
        text: late.toConsumers,
        incident: null
      })
      expect(JSON.stringify(toConsumer!.body)).not.toContain("runtime ")
      yield* first.end
      yield* store.crash
      const again = yield* store.open(twoEnds)
      yield* beginSealed(again, 2)
      // A restart finds the alert among those of before, and knows that it was told.
      const second = yield* openSession(folder, hook.url, again)
      yield* second.alerts.raise(late)
      yield* second.alerts.raise({ ...late, kind: "other", opensIncident: false })
      expect((yield* twoPosts(hook.next)).map(({ body }) => body.kind ?? body.text.includes("inc-1"))).toEqual([false, "other"])
      yield* second.end
      expect(Queue.sizeUnsafe(hook.posts)).toBe(0)
      expect((yield* listIncidents(folder, { run: null, job: null, isOpen: true })).map(({ incident, kind }) => [incident, kind])).toEqual([
        ["inc-1", "sla-breach"]
      ])
    })
  )

  it.effect("[OPS-3] an alert that a killed process had raised and not passed on is passed on by the next one", () =>
    Effect.gen(function* () {
      const { folder, hook, ledger } = yield* setting
      yield* Alerts.on(ledger).raise(late)
      const session = yield* openSession(folder, hook.url, ledger)
      yield* twoPosts(hook.next)
      yield* session.end
      expect(yield* listIncidents(folder, { run: "r1", job: null, isOpen: true })).toHaveLength(1)
    })
  )

  it.effect("[OPS-3] a webhook that answers 500 is tried less and less often, and the message arrives when it is well again", () =>
    Effect.gen(function* () {
      const { folder, hook, ledger } = yield* setting
      hook.server.answer = 500
      const session = yield* openSession(folder, hook.url, ledger)
      yield* session.alerts.raise(late)
      yield* twoPosts(hook.next)
      // The round that notes how it ended is awaited by what it leaves.
      const noted = Effect.repeat(listUndelivered(folder), {
        until: (left) => left.length === 2 && left.every(({ problem }) => problem !== null)
      })
      expect((yield* noted).map(({ problem }) => problem)).toEqual(["it answered HTTP 500", "it answered HTTP 500"])
      hook.server.answer = 200
      yield* TestClock.adjust("4 seconds")
      expect(Queue.sizeUnsafe(hook.posts)).toBe(0)
      yield* TestClock.adjust("2 seconds")
      yield* twoPosts(hook.next)
      yield* Effect.repeat(listUndelivered(folder), { until: (left) => left.length === 0 })
      yield* session.end
    })
  )

  it.effect("[OPS-3] a webhook that never answers delays the end of a run by seconds, and leaves the message for a later command", () =>
    Effect.gen(function* () {
      const { folder, hook, ledger } = yield* setting
      hook.server.answer = "never"
      const session = yield* openSession(folder, hook.url, ledger)
      yield* session.alerts.raise(late)
      yield* twoPosts(hook.next)
      yield* session.end
      expect((yield* listUndelivered(folder)).map(({ channel, waiting }) => [channel, waiting]).toSorted()).toEqual([
        ["ops", 1],
        ["ticketing", 1]
      ])
      expect(yield* listIncidents(folder, { run: "r1", job: null, isOpen: true })).toHaveLength(1)
    })
  )
})
