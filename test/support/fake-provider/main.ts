/** The fake provider as a process, for benches, examples and shells. */
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"

import type { Author } from "./answer.ts"
import { faultKinds, type FaultsPatch, mergeFaults, noFaults } from "./faults.ts"
import { startFakeProvider } from "./start.ts"

/** Flag, default, what it does. */
const flags = {
  port: ["0", "port on 127.0.0.1; 0 is a free one, told in the line of JSON on stdout"],
  "latency-ms": ["20", "N, or lognormal:MEDIAN,SIGMA"],
  seed: ["1", "seed of all fates"],
  rpm: ["0", "requests a minute; 0 is no limit"],
  tpm: ["0", "tokens a minute; 0 is no limit"],
  "burst-s": ["1", "seconds of rate that the limits' buckets hold"],
  rates: ["", `shares of attempts that go wrong: KIND=SHARE,… with KIND of ${faultKinds.join(" ")}`],
  "fault-attempts": ["0", "rates strike the first N attempts of an item; 0 is all"],
  "batch-ms": ["1000", "from a batch's creation to its end"],
  "cache-min-tokens": ["0", "shortest prefix that is cached; 0 is the model's own"],
  keys: ["", "accepted keys, separated by commas; none is any"],
  faults: ["", "any faults as JSON (as GET /__faults prints them), over the flags above"],
  answers: ["", "module whose default export answers ({ model, prompt, text }); undefined leaves it to the schema"]
} as const

const { values } = parseArgs({
  options: {
    ...Object.fromEntries(Object.entries(flags).map(([name, [value]]) => [name, { type: "string" as const, default: value }])),
    bare: { type: "boolean" as const, default: false },
    help: { type: "boolean" as const, short: "h", default: false }
  }
})

// The flags' own names are lost on their way through `fromEntries`.
const given: Readonly<Record<string, unknown>> = values
const text = (name: keyof typeof flags): string => String(given[name])
const number = (name: keyof typeof flags): number => {
  const value = Number(text(name))
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name}: want a number from 0, got ${text(name)}`)
  return value
}

const latency = (): Pick<FaultsPatch, "latencyMs" | "latencySigma"> => {
  const spread = /^lognormal:([\d.]+),([\d.]+)$/.exec(text("latency-ms"))
  return spread === null ? { latencyMs: number("latency-ms") } : { latencyMs: Number(spread[1]), latencySigma: Number(spread[2]) }
}

const rates = Object.fromEntries(
  text("rates")
    .split(",")
    .filter((pair) => pair !== "")
    .map((pair) => [pair.slice(0, pair.lastIndexOf("=")), Number(pair.slice(pair.lastIndexOf("=") + 1))])
)

const help = (): string => {
  const lines = Object.entries(flags).map(
    ([name, [value, what]]) => `  --${name.padEnd(18)} ${what}${value === "" ? "" : ` (default ${value})`}`
  )
  return [
    "node test/support/fake-provider/main.ts [flags]",
    "",
    "A model provider on 127.0.0.1 that speaks OpenAI's and Anthropic's APIs, goes wrong on demand and keeps books.",
    "",
    ...lines,
    `  --${"bare".padEnd(18)} speak as a server of open models: Chat Completions alone, no rate headers, files, batches or keys`,
    "",
    "Control: GET /__stats, /__ledger, /__batches, /__faults; POST /__faults (JSON merge), /__reset"
  ].join("\n")
}

/** A module that a person named: its default export is called, and what it returns is answered. */
const author = async (path: string): Promise<Author> => {
  const module: { readonly default?: unknown } = await import(pathToFileURL(path).href)
  const answer = module.default
  if (typeof answer !== "function") throw new Error(`--answers ${path}: want a function as the default export`)
  return (question) => answer(question)
}

if (values["help"] === true) console.log(help())
else {
  const base: FaultsPatch = {
    ...latency(),
    seed: number("seed"),
    limits: { rpm: number("rpm"), tpm: number("tpm"), burstSeconds: number("burst-s") },
    rates,
    faultAttempts: number("fault-attempts"),
    cacheMinTokens: number("cache-min-tokens"),
    keys: text("keys")
      .split(",")
      .filter((key) => key !== ""),
    batch: { ms: number("batch-ms") }
  }
  const faults = mergeFaults(mergeFaults(noFaults, base), text("faults") === "" ? {} : JSON.parse(text("faults")))
  const answers = text("answers")
  const provider = await startFakeProvider({
    port: number("port"),
    isBare: values["bare"] === true,
    faults,
    ...(answers === "" ? {} : { answer: await author(answers) })
  })
  console.log(JSON.stringify({ port: provider.port, openaiUrl: provider.openaiUrl, anthropicUrl: provider.anthropicUrl, pid: process.pid }))
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void provider.close().then(() => process.exit(0)))
}
