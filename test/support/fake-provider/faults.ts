/** What can go wrong, as plain JSON that a test or a shell changes while the fake runs. */

/** What can happen to one request. A share in `rates`, a text in `markers` or a place in `next` names one. */
export const faultKinds = [
  "ok",
  /** Never answered, never billed. */
  "hang",
  /** The connection is reset; not billed. */
  "reset",
  /** Billed, then the connection is reset. */
  "reset-paid",
  "500",
  "503",
  /** Anthropic's `overloaded_error`; OpenAI says 503. */
  "529",
  /** A rate limit, with Retry-After as `retryAfter` says. */
  "429",
  "401",
  "403",
  "model-missing",
  /** 400 `context_length_exceeded`, or Anthropic's "prompt is too long". */
  "context",
  /** `insufficient_quota`, or Anthropic's credit balance that is too low. */
  "quota",
  /** The answer's JSON is cut in half, though the model says it's done. */
  "bad-json",
  /** A ```json fence around the answer. */
  "fenced",
  /** "Here you go:" before the answer. */
  "prose",
  /** A number of the answer is NaN. */
  "nan",
  /** Cut off at the token limit. */
  "truncated",
  "refusal",
  "filter",
  /** All but one token of the limit was reasoning, and nothing was said. */
  "empty-reasoning",
  /** 200 with `choices: []`, an empty `output` or `content`. */
  "no-choices",
  /** 200 with an error body. */
  "error-200"
] as const

export type FaultKind = (typeof faultKinds)[number]

/** The calls that aren't inference, each with a list of what happens to the next ones. */
export const chores = ["upload", "file", "content", "create", "retrieve", "list", "cancel", "delete"] as const

export type Chore = (typeof chores)[number]

/** `ok`, or what happens to one chore. Those of `refuse-…` take no effect, all others do. */
export const choreFaults = [
  "ok",
  "drop",
  "hang",
  "late-500",
  "cut",
  "refuse-429",
  "refuse-500",
  "refuse-503",
  "refuse-quota",
  "refuse-reset"
] as const

export type ChoreFault = (typeof choreFaults)[number]

export interface Faults {
  readonly seed: number
  readonly latencyMs: number
  /** Log-normal spread of the latency; 0 is fixed. */
  readonly latencySigma: number
  readonly limits: {
    /** Requests a minute; 0 is no limit. */
    readonly rpm: number
    /** Tokens a minute: the prompt's and `max_tokens` (OpenAI), or each of input and output (Anthropic); 0 is no limit. */
    readonly tpm: number
    /** Seconds of rate that the buckets hold. */
    readonly burstSeconds: number
    /** Tokens that live batches of one model may hold; 0 is no limit. */
    readonly enqueuedTokens: number
    /** Batches that may be live at once; 0 is no limit. */
    readonly enqueuedBatches: number
  }
  /** How 429s say when to come back. `auto` is what the provider does. `ms` -1 means: as long as the bucket needs. */
  readonly retryAfter: { readonly form: "auto" | "seconds" | "ms" | "date" | "past-date" | "none"; readonly ms: number }
  /** Shares of attempts, from 0 to 1, together at most 1. */
  readonly rates: Readonly<Partial<Record<FaultKind, number>>>
  /** Requests whose prompt holds a text. */
  readonly markers: Readonly<Record<string, FaultKind>>
  /** `rates` and `markers` strike the first so many attempts of an item; 0 is all. */
  readonly faultAttempts: number
  /** The next requests in order of arrival, before all rates and markers; used up as they come. */
  readonly next: ReadonlyArray<FaultKind>
  /** Every so many-th request is a 429; 0 is none. */
  readonly every429: number
  /** `on` holds until it is turned off; otherwise from `fromMs` to `fromMs + forMs` after start or reset. */
  readonly outage: {
    readonly on: boolean
    readonly fromMs: number
    readonly forMs: number
    readonly mode: "500" | "503" | "529" | "reset"
  }
  /** Keys that are accepted; empty accepts any key, but not none. */
  readonly keys: ReadonlyArray<string>
  /** Refusals repeat the key that was sent, in their message and in a header, as careless proxies do. */
  readonly echoKey: boolean
  /** Models that exist; empty is any. */
  readonly models: ReadonlyArray<string>
  /** Reasoning that every answer spends besides what it says. */
  readonly reasoningTokens: number
  /** Overrides the shortest cached prefix of the models; 0 is the models' own. */
  readonly cacheMinTokens: number
  readonly batch: {
    /** From creation to the end. */
    readonly ms: number
    /** Live until turned off, however long ago created. */
    readonly hold: boolean
    /** How long a cancelled batch works on. */
    readonly cancelMs: number
    /** How batches created from now on end. */
    readonly outcome: "completed" | "expired" | "failed"
    /** OpenAI: why a batch failed, where its outcome is `failed`. */
    readonly failCode: string
    /** Requests that are worked on before a batch expires, fails, is held or is cancelled; -1 is as time allows. */
    readonly processed: number
    /** Requests of a batch that come back in no file at all. */
    readonly missing: number
    /** OpenAI: lines that failed stand in the output file, with `error: null` and their status. */
    readonly errorsInOutput: boolean
  }
  readonly chores: Readonly<Record<Chore, ReadonlyArray<ChoreFault>>>
  /** Uploads are read at this pace; 0 is full speed. */
  readonly uploadBytesPerSecond: number
}

/** All is well: answers at once, batches that end as soon as their work is done. */
export const noFaults: Faults = {
  seed: 1,
  latencyMs: 0,
  latencySigma: 0,
  limits: { rpm: 0, tpm: 0, burstSeconds: 1, enqueuedTokens: 0, enqueuedBatches: 0 },
  retryAfter: { form: "auto", ms: -1 },
  rates: {},
  markers: {},
  faultAttempts: 0,
  next: [],
  every429: 0,
  outage: { on: false, fromMs: 0, forMs: 0, mode: "503" },
  keys: [],
  echoKey: false,
  models: [],
  reasoningTokens: 0,
  cacheMinTokens: 0,
  batch: {
    ms: 0,
    hold: false,
    cancelMs: 0,
    outcome: "completed",
    failCode: "server_error",
    processed: -1,
    missing: 0,
    errorsInOutput: false
  },
  chores: { upload: [], file: [], content: [], create: [], retrieve: [], list: [], cancel: [], delete: [] },
  uploadBytesPerSecond: 0
}

type Patch<T> =
  T extends ReadonlyArray<unknown>
    ? T
    : T extends object
      ? { readonly [K in keyof T]?: Patch<T[K]> | (string extends keyof T ? null : never) }
      : T

/** A change of the faults: what it doesn't name stays; in `rates` and `markers` null takes a fault away. */
export type FaultsPatch = Patch<Faults>

const choices: Readonly<Record<string, ReadonlyArray<string>>> = {
  "retryAfter.form": ["auto", "seconds", "ms", "date", "past-date", "none"],
  "outage.mode": ["500", "503", "529", "reset"],
  "batch.outcome": ["completed", "expired", "failed"],
  next: faultKinds,
  "markers.*": faultKinds,
  "chores.*": choreFaults
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const merge = (old: unknown, patch: unknown, path: string): unknown => {
  const options = choices[path] ?? choices[path.replace(/\.[^.]*$/s, ".*")]
  if (Array.isArray(old)) {
    if (!Array.isArray(patch) || !patch.every((entry) => typeof entry === "string" && (options === undefined || options.includes(entry)))) {
      throw new Error(`${path}: want a list of ${options === undefined ? "texts" : options.join(", ")}`)
    }
    return [...patch]
  }
  if (isRecord(old)) return mergeRecord(old, patch, path)
  if (typeof patch !== typeof old) throw new Error(`${path}: want a ${typeof old}, got ${JSON.stringify(patch)}`)
  if (options !== undefined && !options.includes(String(patch))) throw new Error(`${path}: want one of ${options.join(", ")}`)
  return patch
}

const mergeRecord = (old: Readonly<Record<string, unknown>>, patch: unknown, path: string): unknown => {
  if (!isRecord(patch)) throw new Error(`${path || "faults"}: want an object`)
  const merged: Record<string, unknown> = { ...old }
  for (const [name, value] of Object.entries(patch)) {
    const at = path === "" ? name : `${path}.${name}`
    if (path === "rates" || path === "markers") {
      if (path === "rates" && !faultKinds.some((kind) => kind === name)) throw new Error(`rates: there is no fault "${name}"`)
      if (value === null) delete merged[name]
      else merged[name] = merge(path === "rates" ? 0 : "", value, at)
    } else if (name in old) merged[name] = merge(old[name], value, at)
    else throw new Error(`there is no fault "${at}"`)
  }
  return merged
}

/** The faults after a patch, which may come from outside: an unknown name or a wrong kind of value throws, so that a typo can't pass for calm. */
export const mergeFaults = (faults: Faults, patch: unknown): Faults => {
  // `merge` keeps every field's kind and every literal's choices, so the result has the shape of `faults`.
  const merged = merge(faults, patch, "") as Faults
  const sum = Object.values(merged.rates).reduce((total, rate) => total + rate, 0)
  if (sum > 1 + 1e-9 || Object.values(merged.rates).some((rate) => rate < 0)) throw new Error("rates: want shares that add up to at most 1")
  return merged
}
