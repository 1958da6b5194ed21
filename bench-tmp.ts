import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as fs from "node:fs"
import { aggregate, compile, count, infer, job, jsonl, local, partition, report, system, usd, user, canonicalJson } from "./dsl/index.ts"
import { buildManifest } from "./runtime/execute/manifest.ts"
import { workThrough } from "./runtime/execute/work.ts"
import { makeGraph } from "./runtime/execute/graph.ts"
import { Dispatcher } from "./runtime/execute/dispatcher.ts"
import { Provider } from "./runtime/provider/provider.ts"
import { localProvider } from "./runtime/provider/local.ts"
import { PromptVersions } from "./runtime/execute/prompt-version.ts"
import { VariantCache } from "./runtime/execute/ask.ts"
import { summarise } from "./runtime/execute/summarise.ts"
import { makeItemReader } from "./runtime/source/item-reader.ts"
import { openDuckLedger } from "./runtime/store/ledger-duckdb.ts"
import { openStateFolder } from "./runtime/store/state-folder.ts"
import * as Context from "effect/Context"
const Item = Schema.Struct({ id: Schema.NonEmptyString, text: Schema.String, size: Schema.Finite })
const Out = Schema.Struct({ label: Schema.Literals(["a", "b"]), score: Schema.Finite })
const items = jsonl(process.argv[2]!, { schema: Item, key: (i) => i.id })
const parts = partition(items, {})
const noop = local("noop", () => ({ label: "a", score: 0.5 }))
const labels = infer(parts, { model: noop, prompt: (i) => [system`Label this.`, user`${i.text}`], output: Out, confidence: (o) => o.score })
const total = aggregate(labels, { total: count })
const j = job("bench", { owner: "x", purpose: "y", classification: "internal", budget: usd(1), steps: { items, parts, labels, total, r: report(total, ({ total }) => `${total}`) } })
const plan = compile(j), graph = makeGraph(j)
fs.rmSync("/tmp/bench/state", { recursive: true, force: true })
const lap = (() => { let t = performance.now(); return (what: string, n: number) => { const d = performance.now() - t; t = performance.now(); console.log(what, (d / 1000).toFixed(2) + "s", Math.round(n / d * 1000) + "/s", "rss", process.memoryUsage().rss >> 20, "heap", process.memoryUsage().heapUsed >> 20) } })()
await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
  const folder = yield* openStateFolder("/tmp/bench/state")
  const ledger = yield* openDuckLedger({ folder: folder.run("r1"), plan, hashKey: folder.hashKey })
  const d = new Date()
  yield* ledger.begin({ run: "r1", job: "bench", owner: "x", purpose: "y", classification: "internal", consumers: [], logicalTime: d, interval: { start: d, end: d }, itemLimit: null, planDigest: plan.digest, plan: canonicalJson(plan), budgetUsd: 1, jobModule: "x", params: "{}" }, { codeVersion: "c", planDigest: plan.digest, pid: process.pid })
  lap("begin", 1)
  const m = yield* buildManifest(ledger, { graph, context: { date: "2026-01-01", interval: { start: d, end: d }, params: {} }, itemLimit: null, layout: { itemsPerMinute: 6000, workers: 8 }, onRows: () => Effect.void }) as any
  lap("manifest", (m as any).items); console.log(m)
  const services = Context.empty() as any
  const provider = yield* Effect.provide(Provider, localProvider(services))
  const reader = makeItemReader(graph.source.definition)
  const source = { fromBody: reader.fromBody, fromReference: (r: string) => reader.fromReference(JSON.parse(r)) as any }
  const watch = yield* Effect.forkScoped(Effect.forever(Effect.gen(function* () { yield* Effect.sleep(2000); const t = yield* ledger.tally; console.log("  ", t.committed, "rss", process.memoryUsage().rss >> 20) })))
  yield* workThrough(ledger, { run: "r1", workers: 4, environment: { graph, provider, services, versions: new PromptVersions(), codeVersion: "c", now: () => Date.now(), variants: new VariantCache() }, source })
  lap("work", (m as any).items)
  console.log(yield* ledger.completeness)
  lap("completeness", (m as any).items)
  yield* summarise(ledger, { run: "r1", graph, services, source })
  lap("summarise", (m as any).items)
  yield* ledger.close("done", null)
  lap("close", 1)
}).pipe(Effect.provide(Dispatcher.local))) as any)
lap("end", 1)
