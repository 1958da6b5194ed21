/** Plays a night to its end, and judges it. */
import { createHash } from "node:crypto"

import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"

import { compile } from "../../../dsl/index.ts"
import { makeGraph } from "../../../runtime/execute/graph.ts"
import type { Budget } from "../../../runtime/guard/budget.ts"
import { MemoryLedger } from "../../../runtime/store/ledger-memory.ts"
import { MemoryDisk } from "../../../runtime/store/memory-disk.ts"
import { StoreError } from "../../../runtime/store/store-error.ts"
import { jobOf } from "./job.ts"
import { judgeNight, type Night } from "./judge.ts"
import { ScriptedProvider, unitUsd } from "./provider.ts"
import { scriptOf, type Script } from "./script.ts"
import { playSession, type SessionOptions } from "./session.ts"
import { Stuck, VirtualTime } from "./virtual-time.ts"

const sessionsMax = 40
const hourMs = 3_600_000

export interface NightOptions {
  readonly seed: number
  /** The most items of a night. Default 1,000. */
  readonly itemsMax?: number
  /** Faults of the product itself, planted to see that the judge finds them. */
  readonly planted?: {
    readonly openBudget?: typeof Budget.make
    readonly provider?: (provider: ScriptedProvider) => ScriptedProvider
    readonly forgets?: boolean
  }
}

export interface Verdict {
  readonly script: Script
  readonly violations: ReadonlyArray<string>
  /** Equal for equal nights. */
  readonly digest: string
  readonly sessions: number
  /** What happened: accidents, gates, dispositions. */
  readonly traits: ReadonlySet<string>
}

export const playNight = ({ seed, itemsMax = 1_000, planted = {} }: NightOptions): Verdict => {
  const script = scriptOf(seed, itemsMax)
  const job = jobOf(script)
  const plan = compile(job)
  const time = new VirtualTime()
  const provider = planted.provider?.(new ScriptedProvider(script)) ?? new ScriptedProvider(script)
  const night: Night = {
    script,
    plan,
    provider,
    disk: new MemoryDisk(),
    alerts: [],
    sessions: 0,
    accidents: [],
    overspentUnits: 0,
    gateCalls: 0,
    end: "none",
    leftUsd: 0
  }
  provider.onBill = () => {
    const added = night.disk.money.gates.reduce((sum, { decision, addUsd }) => sum + (decision === "approved" ? (addUsd ?? 0) : 0), 0)
    night.overspentUnits = Math.max(night.overspentUnits, provider.billedUnits - script.budgetUnits - added / unitUsd)
  }
  const violations: Array<string> = []
  try {
    const exit = time.run(Effect.provideService(sessions(night, makeGraph(job), planted), References.MinimumLogLevel, "None"), {
      seed,
      untilMs: 30 * 24 * hourMs,
      turnsMax: 20_000_000
    })
    if (Exit.isFailure(exit)) violations.push(`the night failed: ${String(exit.cause)}`)
  } catch (error) {
    if (!(error instanceof Stuck)) throw error
    violations.push(error.message)
  }
  violations.push(...judgeNight(night))
  const digest = createHash("sha256").update(JSON.stringify([provider.calls, night.disk.commits.length, night.end, night.alerts]))
  return { script, violations, digest: digest.digest("hex"), sessions: night.sessions, traits: traitsOf(night) }
}

const traitsOf = ({ disk, accidents, end }: Night): ReadonlySet<string> => {
  const settled = disk.commits.flat()
  return new Set([
    end,
    ...accidents,
    ...disk.money.gates.map(({ kind }) => kind),
    ...settled.flatMap(({ checkpoints }) => checkpoints.flatMap(({ disposition }) => disposition ?? [])),
    ...(settled.some(({ retries }) => retries.length > 0) ? ["retries"] : [])
  ])
}

/** Session after session, as an operator or a supervisor would start them. */
const sessions = Effect.fnUntraced(function* (
  night: Night,
  graph: ReturnType<typeof makeGraph>,
  planted: NonNullable<NightOptions["planted"]>
) {
  const { script, provider, plan } = night
  let gatesSeen = 0
  for (; night.sessions < sessionsMax;) {
    provider.session = ++night.sessions
    const accident = script.accidents[night.sessions - 1]
    const process = { open: null as MemoryLedger | null }
    const fulls = new Map(script.fullDisk)
    const fault = (commit: number) => {
      const left = fulls.get(commit) ?? 0
      fulls.set(commit, left - 1)
      return left > 0 && night.sessions === 1
        ? new StoreError({ reason: "full", path: "state", detail: "no space", holderPid: null })
        : null
    }
    const work = Effect.scoped(
      Effect.gen(function* () {
        const ledger = yield* MemoryLedger.open({ plan, hashKey, disk: night.disk, fault })
        process.open = ledger
        const options: SessionOptions = {
          script,
          plan,
          graph,
          ledger: planted.forgets === true ? forgetful(ledger) : ledger,
          provider,
          onAlert: (kind) => void night.alerts.push(kind),
          ...(planted.openBudget === undefined ? {} : { openBudget: planted.openBudget })
        }
        return yield* playSession(options)
      })
    )
    const fiber = yield* Effect.forkChild(work)
    if (accident !== undefined) {
      yield* Effect.raceFirst(Effect.asVoid(Fiber.await(fiber)), Effect.sleep(accident.afterMs))
      if (fiber.pollUnsafe() === undefined) {
        night.accidents.push(accident.kind)
        if (accident.kind === "kill") process.open?.crash()
        yield* Fiber.interrupt(fiber)
      }
    }
    const exit = yield* Fiber.await(fiber)
    if (Exit.isFailure(exit)) {
      if (accident === undefined) return yield* Effect.failCause(exit.cause)
      continue
    }
    night.end = exit.value.kind
    night.leftUsd = Math.max(night.leftUsd, exit.value.leftUsd)
    if (exit.value.kind !== "waits") return
    const before = provider.calls.length
    const decision = script.decisions[gatesSeen++] ?? { kind: gatesSeen > 12 ? ("reject" as const) : ("approve" as const), afterMs: 1_000 }
    yield* Effect.sleep(decision.kind === "never" ? 3 * hourMs : decision.afterMs)
    if (provider.calls.length > before) night.gateCalls += provider.calls.length - before
    if (decision.kind !== "never") decide(night, decision.kind === "approve" ? "approved" : "rejected")
  }
  return yield* Effect.die(new Error(`no end after ${sessionsMax} sessions`))
})

const decide = ({ disk, script }: Night, decision: "approved" | "rejected"): void => {
  const addUsd = script.boundUnits * unitUsd * Math.max(1, Math.ceil(script.fates.length / 3))
  disk.money.gates = disk.money.gates.map((gate) =>
    gate.decision === null ? { ...gate, decision, addUsd: gate.kind === "budget" && decision === "approved" ? addUsd : null } : gate
  )
}

/** Loses each twentieth settlement: planted. */
const forgetful = (ledger: MemoryLedger) => {
  let count = 0
  return new Proxy(ledger, {
    get: (target, name) => {
      if (name === "settle")
        return (settlement: Parameters<MemoryLedger["settle"]>[0]) => (++count % 20 === 0 ? Effect.void : target.settle(settlement))
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === "function" ? value.bind(target) : value
    }
  })
}

const hashKey = (key: string): Buffer => createHash("sha256").update(key).digest()
