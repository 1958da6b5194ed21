/** What goes wrong with the fake provider when it is told to, as the vendors' own SDKs see it. */
import * as Anthropic from "@anthropic-ai/sdk"
import * as OpenAI from "openai"
import { afterAll, beforeEach, describe, expect, it } from "vitest"

import { anthropicOf, labelSchema, openaiOf } from "./fake-provider/clients.ts"
import { type FaultKind, faultKinds } from "./fake-provider/faults.ts"
import { startFakeProvider } from "./fake-provider/start.ts"

const fake = await startFakeProvider()
const openai = openaiOf(fake)
const anthropic = anthropicOf(fake)
beforeEach(() => fake.reset())
afterAll(() => fake.close())

const format = { type: "json_schema" as const, name: "out", schema: labelSchema, strict: true }
const respond = (input = "a mail", client = openai) =>
  client.responses.create({ model: "gpt-5-mini", input, max_output_tokens: 200, text: { format } })
const chat = (content = "a mail", client = openai) =>
  client.chat.completions.create({
    model: "gpt-4.1-mini",
    messages: [{ role: "user", content }],
    max_completion_tokens: 200,
    response_format: { type: "json_schema", json_schema: { name: "out", schema: labelSchema, strict: true } }
  })
const message = (content = "a mail", client = anthropic) =>
  client.messages.create({
    model: "claude-haiku-4-5",
    max_tokens: 200,
    messages: [{ role: "user", content }],
    output_config: { format: { type: "json_schema", schema: labelSchema } }
  })
const next = (...kinds: ReadonlyArray<FaultKind>) => fake.faults({ next: kinds })
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => Promise.reject(new Error("it succeeded")),
    (error: unknown) => error
  )

type Class = new (...args: Array<never>) => Error

describe("refusals", () => {
  const cases: ReadonlyArray<readonly [FaultKind, object, object, Class, Class]> = [
    [
      "500",
      { status: 500, type: "server_error" },
      { status: 500, type: "api_error" },
      OpenAI.InternalServerError,
      Anthropic.InternalServerError
    ],
    ["503", { status: 503 }, { status: 503 }, OpenAI.InternalServerError, Anthropic.APIError],
    ["529", { status: 503 }, { status: 529, type: "overloaded_error" }, OpenAI.InternalServerError, Anthropic.APIError],
    [
      "401",
      { status: 401, code: "invalid_api_key" },
      { status: 401, type: "authentication_error" },
      OpenAI.AuthenticationError,
      Anthropic.AuthenticationError
    ],
    ["403", { status: 403 }, { status: 403, type: "permission_error" }, OpenAI.PermissionDeniedError, Anthropic.PermissionDeniedError],
    [
      "model-missing",
      { status: 404, code: "model_not_found" },
      { status: 404, type: "not_found_error" },
      OpenAI.NotFoundError,
      Anthropic.NotFoundError
    ],
    [
      "context",
      { status: 400, code: "context_length_exceeded" },
      { status: 400, type: "invalid_request_error" },
      OpenAI.BadRequestError,
      Anthropic.BadRequestError
    ],
    [
      "quota",
      { status: 429, code: "insufficient_quota" },
      { status: 400, type: "invalid_request_error" },
      OpenAI.RateLimitError,
      Anthropic.BadRequestError
    ],
    [
      "429",
      { status: 429, code: "rate_limit_exceeded" },
      { status: 429, type: "rate_limit_error" },
      OpenAI.RateLimitError,
      Anthropic.RateLimitError
    ]
  ]

  it.each(cases)(
    "[case 16] [case 23] [case 45] %s is what the SDKs know it as, and costs nothing",
    async (kind, ofOpenAi, ofAnthropic, openaiError, anthropicError) => {
      next(kind, kind, kind)
      for (const ask of [respond, chat]) {
        const error = await failure(ask())
        expect(error).toBeInstanceOf(openaiError)
        expect(error).toMatchObject({ ...ofOpenAi, requestID: expect.stringMatching(/^req_/) })
      }
      const error = await failure(message())
      expect(error).toBeInstanceOf(anthropicError)
      expect(error).toMatchObject({ ...ofAnthropic, requestID: expect.stringMatching(/^req_/) })
      expect(fake.stats()).toMatchObject({ calls: 3, paidCalls: 0 })
      await respond()
      expect(fake.stats().paidCalls).toBe(1)
    }
  )

  it("[case 11] Anthropic says in words that the credit balance is too low", async () => {
    next("quota")
    await expect(message()).rejects.toThrow("Your credit balance is too low")
  })

  it("[case 16] a text in the prompt picks the requests that are too long, the others go on", async () => {
    fake.faults({ markers: { "war and peace": "context" } })
    const answers = await Promise.allSettled(["a", "b", "war and peace", "d", "e"].map((text) => respond(text)))
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled", "fulfilled"])
  })

  it("keys are rotated while it runs", async () => {
    fake.faults({ keys: ["key-2"] })
    for (const ask of [respond, chat, message]) expect(await failure(ask())).toMatchObject({ status: 401 })
    await respond("a", openaiOf(fake, "key-2"))
    await message("a", anthropicOf(fake, "key-2"))
    fake.faults({ keys: ["key-1", "key-2"] })
    await respond()
    expect(fake.stats()).toMatchObject({ paidCalls: 3, byStatus: { 401: 3 } })
  })

  it("models that aren't listed don't exist", async () => {
    fake.faults({ models: ["gpt-5-mini"] })
    await respond()
    await expect(chat()).rejects.toMatchObject({ status: 404, code: "model_not_found" })
    await expect(message()).rejects.toMatchObject({ status: 404, type: "not_found_error" })
  })
})

describe("rate limits", () => {
  it("a bucket that is empty refuses until it has filled, and says in how long", async () => {
    fake.faults({ limits: { rpm: 6, burstSeconds: 20 } })
    await respond()
    await respond()
    const error = await failure(respond())
    expect(error).toMatchObject({
      status: 429,
      code: "rate_limit_exceeded",
      type: "requests",
      message: expect.stringContaining("Limit 6")
    })
    const headers = error instanceof OpenAI.APIError ? error.headers : undefined
    const waitMs = Number(headers?.get("retry-after-ms"))
    expect(waitMs).toBeGreaterThan(0)
    expect(waitMs).toBeLessThanOrEqual(10_000)
    expect(headers?.get("retry-after")).toBe(String(Math.ceil(waitMs / 1000)))
    expect(headers?.get("x-ratelimit-remaining-requests")).toBe("0")
  })

  it("tokens count with what the answer may become", async () => {
    fake.faults({ limits: { tpm: 600, burstSeconds: 100 } })
    const settled = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => respond(`mail ${n}`)))
    const refused = settled.filter(({ status }) => status === "rejected")
    // 1,000 tokens in the bucket, more than 200 a request.
    expect(refused.length).toBeGreaterThanOrEqual(6)
    expect(refused[0]).toMatchObject({ reason: { status: 429, type: "tokens" } })
    await expect(Promise.all(Array.from({ length: 10 }, (_, n) => message(`mail ${n}`)))).rejects.toThrow("output tokens per minute")
  })

  it("[case 39] every third call is a 429", async () => {
    fake.faults({ every429: 3 })
    const settled: Array<string> = []
    for (let n = 0; n < 6; n++)
      settled.push(
        await chat(`mail ${n}`).then(
          () => "ok",
          (error: { code: string }) => error.code
        )
      )
    expect(settled).toEqual(["ok", "ok", "rate_limit_exceeded", "ok", "ok", "rate_limit_exceeded"])
  })

  const inMinutes = (seconds: string | null) => Math.round((Date.parse(seconds ?? "") - Date.now()) / 60_000)

  it.each([
    ["seconds", 1_800_000, (seconds: string | null) => seconds === "1800", null],
    ["seconds", 0, (seconds: string | null) => seconds === "0", null],
    ["seconds", -1, (seconds: string | null) => seconds === "1", null],
    ["ms", 250, (seconds: string | null) => seconds === null, "250"],
    ["date", 600_000, (seconds: string | null) => inMinutes(seconds) === 10, null],
    ["past-date", 0, (seconds: string | null) => inMinutes(seconds) === -1, null],
    ["none", 0, (seconds: string | null) => seconds === null, null],
    ["auto", 250, (seconds: string | null) => seconds === "1", "250"]
  ] as const)("[case 21] Retry-After as %s of %d ms", async (form, ms, isRight, millis) => {
    fake.faults({ retryAfter: { form, ms }, next: ["429"] })
    const error = await failure(chat())
    const headers = error instanceof OpenAI.APIError ? error.headers : undefined
    expect(headers?.get("retry-after") ?? null).toSatisfy(isRight)
    expect(headers?.get("retry-after-ms") ?? null).toEqual(millis)
  })
})

describe("answers that are paid and no good", () => {
  const texts = async () => {
    const [response, completion, reply] = [await respond(), await chat(), await message()]
    const [block] = reply.content
    return [response.output_text, completion.choices[0]?.message.content ?? "", block?.type === "text" ? block.text : ""]
  }

  it("[case 25] fenced, after prose, cut in half, with NaN", async () => {
    next("fenced", "fenced", "fenced")
    for (const text of await texts()) expect(text).toMatch(/^```json\n\{.*\}\n```$/)
    next("prose", "prose", "prose")
    for (const text of await texts()) expect(text).toMatch(/^Here you go:\n\{.*\}$/)
    next("bad-json", "bad-json", "bad-json")
    for (const text of await texts()) expect(() => JSON.parse(text)).toThrow(SyntaxError)
    next("nan", "nan", "nan")
    for (const text of await texts()) expect(text).toContain(":NaN")
    for (const text of await texts()) expect(JSON.parse(text)).toHaveProperty("label")
    expect(fake.stats()).toMatchObject({ paidCalls: 15, paidItems: 3, paidTwice: 3 })
  })

  it("[case 26] cut off at the limit, with all of it used up", async () => {
    next("truncated", "truncated", "truncated")
    const [response, completion, reply] = [await respond(), await chat(), await message()]
    expect(response).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      usage: { output_tokens: 200 }
    })
    expect(completion).toMatchObject({ choices: [{ finish_reason: "length" }], usage: { completion_tokens: 200 } })
    expect(reply).toMatchObject({ stop_reason: "max_tokens", usage: { output_tokens: 200 } })
    expect(() => JSON.parse(response.output_text)).toThrow(SyntaxError)
  })

  it("[case 27] empty after reasoning", async () => {
    next("empty-reasoning", "empty-reasoning", "empty-reasoning")
    const [response, completion, reply] = [await respond(), await chat(), await message()]
    expect(response).toMatchObject({ output_text: "", usage: { output_tokens: 200, output_tokens_details: { reasoning_tokens: 199 } } })
    expect(completion).toMatchObject({
      choices: [{ message: { content: "" }, finish_reason: "length" }],
      usage: { completion_tokens: 200, completion_tokens_details: { reasoning_tokens: 199 } }
    })
    expect(reply.content.map(({ type }) => type)).toEqual(["thinking"])
    expect(fake.stats().models["gpt-5-mini"]?.tokens).toMatchObject({ output: 200, reasoning: 199 })
  })

  it("refused and filtered", async () => {
    next("refusal", "refusal", "refusal")
    expect((await respond()).output.at(-1)).toMatchObject({ content: [{ type: "refusal" }] })
    expect(await chat()).toMatchObject({ choices: [{ message: { content: null, refusal: expect.any(String) }, finish_reason: "stop" }] })
    expect(await message()).toMatchObject({ stop_reason: "refusal", stop_details: { type: "refusal" }, content: [] })
    next("filter", "filter", "filter")
    expect(await respond()).toMatchObject({ status: "incomplete", incomplete_details: { reason: "content_filter" } })
    expect(await chat()).toMatchObject({ choices: [{ finish_reason: "content_filter" }] })
    await expect(message()).rejects.toThrow("Output blocked by content filtering policy")
  })

  it("[case 24] 200 with nothing in it is paid, 200 with an error in it isn't", async () => {
    next("no-choices", "no-choices", "no-choices")
    expect((await respond()).output).toEqual([])
    expect((await chat()).choices).toEqual([])
    expect((await message()).content).toEqual([])
    expect(fake.stats().paidCalls).toBe(3)
    next("error-200", "error-200", "error-200")
    for (const answer of [await respond(), await chat(), await message()])
      expect(answer).toMatchObject({ error: { message: expect.any(String) } })
    expect(fake.stats()).toMatchObject({ paidCalls: 3, byStatus: { 200: 6 } })
  })

  it("reasoning is paid for, and leaves less of the limit to say something with", async () => {
    fake.faults({ reasoningTokens: 195 })
    expect(await respond()).toMatchObject({
      status: "incomplete",
      usage: { output_tokens: 200, output_tokens_details: { reasoning_tokens: 195 } }
    })
  })
})

describe("silence", () => {
  const impatient = new OpenAI.OpenAI({ baseURL: fake.openaiUrl, apiKey: "k", maxRetries: 0, timeout: 50 })

  it("a call that hangs costs nothing and holds its place until its client gives up", async () => {
    next("hang")
    expect(await failure(respond("a", impatient))).toBeInstanceOf(OpenAI.APIConnectionTimeoutError)
    await expect.poll(() => fake.stats()).toMatchObject({ hung: 1, inFlight: 0, aborted: 1, paidCalls: 0 })
  })

  it("a connection breaks before the call is paid, or after", async () => {
    next("reset", "reset-paid")
    expect(await failure(respond())).toBeInstanceOf(OpenAI.APIConnectionError)
    expect(fake.stats().paidCalls).toBe(0)
    expect(await failure(respond())).toBeInstanceOf(OpenAI.APIConnectionError)
    await expect.poll(() => fake.stats()).toMatchObject({ paidCalls: 1, byStatus: {}, aborted: 0, inFlight: 0 })
  })

  it("[case 45] an outage holds until it is over, and is timed from the start", async () => {
    fake.faults({ outage: { on: true, mode: "529" } })
    expect(await failure(message())).toMatchObject({ status: 529, type: "overloaded_error" })
    expect(await failure(openai.models.list())).toMatchObject({ status: 503 })
    fake.faults({ outage: { on: true, mode: "reset" } })
    expect(await failure(message())).toBeInstanceOf(Anthropic.APIConnectionError)
    fake.faults({ outage: { on: false } })
    await message()
    fake.reset({ outage: { fromMs: 0, forMs: 60_000, mode: "503" } })
    expect(await failure(respond())).toMatchObject({ status: 503 })
    fake.reset({ outage: { fromMs: 60_000, forMs: 60_000 } })
    await respond()
  })
})

describe("chance", () => {
  const items = Array.from({ length: 300 }, (_, n) => `mail ${n}`)
  const fates = async (order: ReadonlyArray<string>) => {
    const settled = await Promise.all(
      order.map((item) =>
        chat(item).then(
          ({ choices: [choice] }) => choice?.message.content ?? "",
          (error: { status: number }) => String(error.status)
        )
      )
    )
    return new Map(order.map((item, index) => [item, settled[index]]))
  }

  it("fates depend on seed, item and attempt, never on the order of arrival", async () => {
    const rates = { "500": 0.1, "bad-json": 0.1 }
    fake.reset({ rates })
    const first = await fates(items)
    const again = await fates(items)
    fake.reset({ rates })
    const backwards = await fates(items.toReversed())
    expect(new Map([...backwards].toReversed())).toEqual(first)
    expect(again).not.toEqual(first)
    fake.reset({ rates, seed: 2 })
    expect(await fates(items)).not.toEqual(first)
    const failed = [...first.values()].filter((text) => text === "500").length
    expect(failed).toBeGreaterThan(15)
    expect(failed).toBeLessThan(50)
  })

  it("faults may be kept to an item's first attempts", async () => {
    fake.reset({ rates: { "503": 1 }, faultAttempts: 2 })
    expect([await fates(["a"]), await fates(["a"])].map((map) => map.get("a"))).toEqual(["503", "503"])
    expect((await fates(["a"])).get("a")).toContain("label")
  })

  it("shares add up to one, and every kind can be one", () => {
    expect(() => fake.faults({ rates: { "500": 0.6, hang: 0.5 } })).toThrow("at most 1")
    for (const kind of faultKinds) expect(fake.faults({ rates: { [kind]: 0.01 } }).rates[kind]).toBe(0.01)
  })
})
