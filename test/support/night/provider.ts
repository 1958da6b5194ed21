/** A provider that keeps to a night's script, and to its own books. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { CallRequest, Provider, Reply } from "../../../runtime/provider/provider.ts"
import { providerError, type ProviderError, type ProviderReason } from "../../../runtime/provider/provider-error.ts"
import { noUsage } from "../../../runtime/provider/usage.ts"
import type { Fate, Script, Weather } from "./script.ts"

/** Amounts are whole numbers of this, so that sums of them are exact. */
export const unitUsd = 1 / 4_096
const timeoutMs = 60_000

/** What the script's model says of an item in the end. */
export const truthOf = (item: number): string => `topic-${item}`

export interface SeenCall {
  readonly item: number
  readonly model: string
  readonly attempt: number
  readonly atMs: number
  readonly session: number
}

export class ScriptedProvider {
  readonly #script: Script
  readonly calls: Array<SeenCall> = []
  billedUnits = 0
  /** Calls that came back with something that counts as a try. */
  answered = 0
  /** Set by whoever plays the night. */
  session = 0
  /** Told of every bill at once. */
  onBill: () => void = () => undefined

  constructor(script: Script) {
    this.#script = script
  }

  readonly call: Provider["Service"]["call"] = (request) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const item = Number(request.messages.flatMap(({ data }) => data)[0])
      const fate = this.#script.fates[item]
      if (fate === undefined) return Effect.die(new Error(`there is no item ${item}`))
      this.calls.push({ item, model: request.model.name, attempt: request.attempt, atMs: now, session: this.session })
      const weather = this.#script.weather.find(({ fromMs, toMs }) => now >= fromMs && now < toMs)
      return weather === undefined ? this.#answer(request, item, fate) : this.#inWeather(request, item, fate, weather, now)
    })

  #inWeather(request: CallRequest, item: number, fate: Fate, { kind, retryAfterMs, toMs }: Weather, now: number) {
    switch (kind) {
      case "slow":
        return Effect.andThen(
          Effect.sleep(20_000),
          Effect.suspend(() => this.#answer(request, item, fate))
        )
      case "limited":
        return this.#fail(request, "rate-limited", 20, { requests: null, tokens: null, retryAt: Math.min(now + retryAfterMs, toMs) })
      case "hanging":
        // It may have been worked on: it is billed, though nobody hears of it.
        return Effect.andThen(
          Effect.sync(() => this.#bill(fate)),
          this.#fail(request, "timeout", timeoutMs, null, null)
        )
      case "down":
        return this.#fail(request, "server-error", 100)
      case "overloaded":
        return this.#fail(request, "overloaded", 50)
    }
  }

  #answer(request: CallRequest, item: number, fate: Fate): Effect.Effect<Reply, ProviderError> {
    const { model, attempt } = request
    const isBad = attempt <= fate.times
    if (fate.kind === "failing" && isBad) return this.#fail(request, "server-error", fate.latencyMs)
    // What is sent is billed, whoever listens when the answer comes.
    this.#bill(fate)
    const costUsd = fate.costUnits * unitUsd
    if (fate.kind === "refused") return this.#fail(request, "refused", fate.latencyMs, null, costUsd)
    if (fate.kind === "truncated" && isBad) return this.#fail(request, "truncated", fate.latencyMs, null, costUsd)
    const isUnsure = this.#script.isCascade && model.name === "cheap" && item % 3 === 0
    const topic =
      fate.kind === "asked-again" && isBad
        ? "?"
        : fate.kind === "dead-by-rule"
          ? `dead ${truthOf(item)}`
          : fate.kind === "review"
            ? `review ${truthOf(item)}`
            : truthOf(item)
    const output = fate.kind === "misfit" && isBad ? { tpic: topic } : { topic, sure: isUnsure && topic !== "?" ? 0 : 1 }
    const reply = {
      output,
      raw: null,
      repaired: false,
      modelVersion: "v",
      usage: { ...noUsage, inputTokens: 10, outputTokens: 5 },
      costUsd,
      signals: null
    }
    return Effect.map(Effect.sleep(fate.latencyMs), () => {
      this.answered++
      return reply
    })
  }

  #bill({ costUnits }: Fate): void {
    this.billedUnits += costUnits
    this.onBill()
  }

  #fail(
    { model }: CallRequest,
    reason: ProviderReason,
    afterMs: number,
    signals: ProviderError["signals"] = null,
    costUsd: number | null = 0
  ): Effect.Effect<never, ProviderError> {
    return Effect.andThen(
      Effect.sleep(afterMs),
      Effect.suspend(() => Effect.fail(providerError({ reason, model: model.name, account: model.account, detail: "", signals, costUsd })))
    )
  }
}
