import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { afterAll, beforeEach, describe, expect } from "vitest"

import { anthropic, openai, openaiCompatible, type Model } from "../../../dsl/index.ts"
import { openHttp } from "../../../runtime/provider/http.ts"
import { providerError } from "../../../runtime/provider/provider-error.ts"
import { remoteProvider } from "../../../runtime/provider/remote.ts"
import { structuredOutput } from "../../../runtime/provider/structured-output.ts"
import { startFakeProvider } from "../../support/fake-provider/start.ts"
import { accountOf, requestOf as mailRequest } from "../../support/provider-batch.ts"

const fake = await startFakeProvider({ keepRequests: 100 })
// A server of open models: Chat Completions alone, no keys, no headers of limits.
const bare = await startFakeProvider({ isBare: true, keepRequests: 100 })
beforeEach(() => {
  fake.reset()
  bare.reset()
})
afterAll(async () => {
  await fake.close()
  await bare.close()
})

const models = {
  responses: openai("gpt-5-mini", { account: "desk" }),
  chat: openai("gpt-4.1-mini", { account: "desk", api: "chat" }),
  anthropic: anthropic("claude-haiku-4-5", { account: "desk" }),
  compatible: openaiCompatible("llama", { account: "box", baseUrl: bare.openaiUrl, price: { inputUsd: 1, outputUsd: 2 } })
}
const names = ["responses", "chat", "anthropic", "compatible"] as const
type Name = (typeof names)[number]
const serverOf = (name: Name) => (name === "compatible" ? bare : fake)

const Label = Schema.Struct({ label: Schema.Literals(["spam", "list", "personal"]) })
const requestOf = (model: Model, text = "a mail") => mailRequest(model, text, Label)

const open = (name: Name) =>
  Effect.gen(function* () {
    const baseUrl = name === "anthropic" ? fake.anthropicUrl : serverOf(name).openaiUrl
    const local = {
      call: () => Effect.fail(providerError({ reason: "model-failed", model: "none", account: "local", detail: "not here" }))
    }
    return yield* remoteProvider({ agent: yield* openHttp, accounts: accountOf({ baseUrl }), local })
  })

describe("a model over the wire", () => {
  it.live.each(names)("[EXE-4] answers in its own dialect, and what it cost is what it billed (%s)", (name) =>
    Effect.gen(function* () {
      const { call } = yield* open(name)
      const reply = yield* call(requestOf(models[name]))
      expect(structuredOutput(Label, models[name].engine).decode(reply.output)).toMatchObject({ label: expect.any(String) })
      expect(reply.usage.inputTokens).toBeGreaterThan(0)
      expect(reply.usage.outputTokens).toBeGreaterThan(0)
      const { inputTokens, outputTokens } = reply.usage
      expect(reply.costUsd).toBeCloseTo(name === "compatible" ? (inputTokens + 2 * outputTokens) / 1e6 : fake.stats().paidUsd, 12)
      expect(serverOf(name).stats().calls).toBe(1)
    })
  )

  it.live.each(names)("[EXE-8] is told what never changes before what is the item's own (%s)", (name) =>
    Effect.gen(function* () {
      const { call } = yield* open(name)
      yield* call(requestOf(models[name], "mail one"))
      yield* call(requestOf(models[name], "mail two"))
      const [first = "", second = ""] = serverOf(name)
        .requests()
        .map(({ body }) => body)
      const prefixOf = (body: string): string => body.slice(0, body.indexOf("mail "))
      expect(prefixOf(first)).toContain("Name the label.")
      expect(prefixOf(first)).toBe(prefixOf(second))
    })
  )

  it.live.each(names)("[case 62] is let go of at the socket when its call is interrupted (%s)", (name) =>
    Effect.gen(function* () {
      const server = serverOf(name)
      server.faults({ latencyMs: 600_000 })
      const { call } = yield* open(name)
      const fiber = yield* Effect.forkChild(call(requestOf(models[name])))
      yield* Effect.promise(() => expect.poll(() => server.stats().inFlight, { interval: 5, timeout: 5_000 }).toBe(1))
      expect(server.stats().aborted).toBe(0)
      yield* Fiber.interrupt(fiber)
      yield* Effect.promise(() => expect.poll(() => server.stats().aborted, { interval: 5, timeout: 5_000 }).toBe(1))
      expect(server.stats()).toMatchObject({ calls: 1, inFlight: 0 })
    })
  )

  it.live.each(names)("[case 66] is asked once, whatever it says (%s)", (name) =>
    Effect.gen(function* () {
      const server = serverOf(name)
      const { call } = yield* open(name)
      for (const fault of ["500", "503", "429", "reset"] as const) {
        server.reset({ next: [fault] })
        yield* Effect.flip(call(requestOf(models[name])))
        expect({ fault, calls: server.stats().calls }).toEqual({ fault, calls: 1 })
      }
    })
  )

  it.live.each(names)("[case 24] [CST-3] that answers nothing is paid for what it says it used (%s)", (name) =>
    Effect.gen(function* () {
      serverOf(name).faults({ next: ["no-choices"] })
      const { call } = yield* open(name)
      const error = yield* Effect.flip(call(requestOf(models[name])))
      expect(error).toMatchObject({ reason: "no-answer", raw: expect.stringContaining("usage") })
      if (name === "compatible") expect(error.costUsd).toBeGreaterThan(0)
      else expect(error.costUsd).toBeCloseTo(fake.stats().paidUsd, 12)
    })
  )
})
