/** The fake provider in real time, as the vendors' own SDKs see it. */
import { spawn } from "node:child_process"
import { once } from "node:events"

import { calcPrice } from "@pydantic/genai-prices"
import * as AnthropicStructuredOutput from "effect/ai/AnthropicStructuredOutput"
import * as OpenAiStructuredOutput from "effect/ai/OpenAiStructuredOutput"
import * as Schema from "effect/Schema"
import { afterAll, beforeEach, describe, expect, it } from "vitest"

import { knownModels, type Tokens, usdOf } from "./fake-provider/catalog.ts"
import { anthropicOf, labelSchema, openaiOf } from "./fake-provider/clients.ts"
import { goDuration } from "./fake-provider/rate-limits.ts"
import { startFakeProvider } from "./fake-provider/start.ts"

const fake = await startFakeProvider({ keepRequests: 10 })
const openai = openaiOf(fake)
const anthropic = anthropicOf(fake)
beforeEach(() => fake.reset())
afterAll(() => fake.close())

const respond = (input: string, more: Readonly<Record<string, unknown>> = {}) =>
  openai.responses.create({ model: "gpt-5-mini", input, max_output_tokens: 64, stream: false, ...more })
const chat = (content: string) =>
  openai.chat.completions.create({ model: "gpt-4.1-mini", messages: [{ role: "user", content }], max_completion_tokens: 64 })
const message = (content: string, more: Readonly<Record<string, unknown>> = {}) =>
  anthropic.messages.create({ model: "claude-haiku-4-5", max_tokens: 64, messages: [{ role: "user", content }], stream: false, ...more })

describe("answers", () => {
  it("a response fits the schema of its request, is the same for the same item and another for another", async () => {
    const text = { format: { type: "json_schema", name: "out", schema: labelSchema, strict: true } }
    const answers = await Promise.all(
      ["mail one", "mail one", ...Array.from({ length: 12 }, (_, n) => `mail ${n}`)].map((input) => respond(input, { text }))
    )
    const [first, second, ...others] = answers.map(({ output_text }) => output_text)
    expect(JSON.parse(first ?? "")).toEqual({ label: expect.stringMatching(/^(spam|list|personal)$/), confidence: expect.any(Number) })
    expect(second).toBe(first)
    expect(new Set(others.map((other) => JSON.parse(other).label)).size).toBe(3)
    expect(answers[0]).toMatchObject({ status: "completed", model: "gpt-5-mini-2025-08-07", text })
    // Reasoning models put an item of their own before the message.
    expect(answers[0]?.output.map(({ type }) => type)).toEqual(["reasoning", "message"])
  })

  it("chat and messages fit theirs too", async () => {
    const completion = await openai.chat.completions.create({
      model: "gpt-4.1-mini",
      messages: [{ role: "user", content: "a mail" }],
      response_format: { type: "json_schema", json_schema: { name: "out", schema: labelSchema, strict: true } }
    })
    expect(JSON.parse(completion.choices[0]?.message.content ?? "")).toHaveProperty("label")
    expect(completion.choices[0]?.finish_reason).toBe("stop")
    const reply = await message("a mail", { output_config: { format: { type: "json_schema", schema: labelSchema } } })
    expect(reply).toMatchObject({ stop_reason: "end_turn", content: [{ type: "text", text: expect.stringContaining('"label"') }] })
  })

  const Odd = Schema.Struct({
    topic: Schema.Literals(["a", "b"]),
    stars: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
    share: Schema.Finite.check(Schema.isBetween({ minimum: -1, maximum: 1 })),
    name: Schema.NonEmptyString.check(Schema.isMaxLength(9)),
    code: Schema.String.check(Schema.isPattern(/^[A-Z]{2}-\d{3}(x|yz)?$/)),
    due: Schema.DateFromString,
    note: Schema.NullOr(Schema.String),
    hint: Schema.optionalKey(Schema.String),
    parts: Schema.NonEmptyArray(Schema.Struct({ quote: Schema.String, isFirm: Schema.Boolean })),
    either: Schema.Union([
      Schema.Struct({ kind: Schema.Literal("x"), a: Schema.String }),
      Schema.Struct({ kind: Schema.Literal("y"), b: Schema.Finite })
    ])
  })

  it("every kind of field decodes in both dialects, for fifty items each", async () => {
    const items = Array.from({ length: 50 }, (_, n) => `clause ${n} of the contract of sale between the parties`)
    const ofOpenAi = OpenAiStructuredOutput.toCodecOpenAI(Odd)
    const ofAnthropic = AnthropicStructuredOutput.toCodecAnthropic(Odd)
    const texts = await Promise.all(
      items.map((item) =>
        respond(item, {
          max_output_tokens: 4000,
          text: { format: { type: "json_schema", name: "o", schema: ofOpenAi.jsonSchema, strict: true } }
        })
      )
    )
    for (const { output_text } of texts) Schema.decodeUnknownSync(ofOpenAi.codec)(JSON.parse(output_text))
    const replies = await Promise.all(
      items.map((item) =>
        message(item, { max_tokens: 4000, output_config: { format: { type: "json_schema", schema: ofAnthropic.jsonSchema } } })
      )
    )
    const decoded = replies.map(({ content: [block] }) =>
      Schema.decodeUnknownSync(ofAnthropic.codec)(JSON.parse(block?.type === "text" ? block.text : ""))
    )
    // What an answer quotes stands in the item.
    for (const [index, { parts }] of decoded.entries()) for (const { quote } of parts) expect(items[index]).toContain(quote)
    expect(new Set(decoded.map(({ note }) => note === null)).size).toBe(2)
    expect(new Set(decoded.map(({ either }) => either.kind)).size).toBe(2)
  })

  it("an author's answers come before the schema's", async () => {
    await using own = await startFakeProvider({ answer: ({ text }) => (text === "mine" ? { label: "mine" } : undefined) })
    const ask = async (content: string) =>
      (await openaiOf(own).chat.completions.create({ model: "m", messages: [{ role: "user", content }] })).choices[0]?.message.content
    expect(await ask("mine")).toBe('{"label":"mine"}')
    expect(await ask("other")).toContain("other")
  })

  it("a schema or parameter that the vendor doesn't take is refused in the vendor's words", async () => {
    const open = { ...labelSchema, additionalProperties: true }
    await expect(
      respond("a", { text: { format: { type: "json_schema", name: "out", schema: open, strict: true } } })
    ).rejects.toMatchObject({
      status: 400,
      code: "invalid_json_schema",
      param: "text.format.schema"
    })
    await expect(message("a", { output_config: { format: { type: "json_schema", schema: open } } })).rejects.toThrow(
      "'additionalProperties' must be explicitly set to false"
    )
    await expect(respond("a", { temperature: 0 })).rejects.toMatchObject({ status: 400, code: "unsupported_parameter" })
    await expect(respond("a", { max_output_tokens: 8 })).rejects.toMatchObject({ code: "integer_below_min_value" })
    await expect(message("a", { max_tokens: 0 })).rejects.toMatchObject({ status: 400, type: "invalid_request_error" })
    expect(fake.stats()).toMatchObject({ calls: 5, paidCalls: 0, byStatus: { 400: 5 } })
  })

  it("an answer is never longer than the request allows", async () => {
    const long = await openai.chat.completions.create({
      model: "m",
      messages: [{ role: "user", content: "words ".repeat(50) }],
      max_completion_tokens: 5
    })
    expect(long.choices[0]?.finish_reason).toBe("length")
    expect(long.usage?.completion_tokens).toBe(5)
  })
})

describe("a server of open models", () => {
  it("speaks chat alone, without a key, rate headers, files or batches", async () => {
    await using bare = await startFakeProvider({ isBare: true })
    const client = openaiOf(bare)
    const { data, response } = await client.chat.completions
      .create({ model: "my-local-7b", messages: [{ role: "user", content: "hi" }], max_tokens: 16 })
      .withResponse()
    expect(data.choices[0]?.message.content).toContain("hi")
    expect([...response.headers.keys()].filter((name) => /ratelimit|request-id/.test(name))).toEqual([])
    await expect(client.responses.create({ model: "m", input: "a" })).rejects.toMatchObject({ status: 404 })
    await expect(client.batches.list()).rejects.toMatchObject({ status: 404 })
    await expect(client.files.list()).rejects.toMatchObject({ status: 404 })
    expect(bare.stats()).toMatchObject({ paidCalls: 1, paidUsd: 0, models: { "my-local-7b": { unpriced: 1 } } })
  })

  it("the vendors' servers ask for a key and list their models", async () => {
    await expect(fetch(`${fake.openaiUrl}/models`).then(({ status }) => status)).resolves.toBe(401)
    expect((await openai.models.list()).data.map(({ id }) => id)).toContain("gpt-5-mini")
    expect((await anthropic.models.list()).data.map(({ id }) => id)).toEqual(["claude-haiku-4-5", "claude-sonnet-4-5"])
  })
})

describe("headers", () => {
  it("limits are told in each vendor's form, and no limit as a very high one", async () => {
    fake.faults({ limits: { rpm: 600, tpm: 60_000, burstSeconds: 60 } })
    const { response } = await chat("a").withResponse()
    const header = (name: string) => response.headers.get(name)
    expect(header("x-ratelimit-limit-requests")).toBe("600")
    expect(header("x-ratelimit-remaining-requests")).toBe("599")
    expect(header("x-ratelimit-reset-requests")).toBe("100ms")
    expect(header("x-ratelimit-limit-tokens")).toBe("60000")
    expect(Number(header("x-ratelimit-remaining-tokens"))).toBeLessThan(60_000 - 64)
    expect(header("x-request-id")).toMatch(/^req_/)
    const reply = await message("a").withResponse()
    expect(reply.request_id).toMatch(/^req_/)
    expect(reply.response.headers.get("anthropic-ratelimit-requests-limit")).toBe("600")
    expect(reply.response.headers.get("anthropic-ratelimit-tokens-limit")).toBe("60000")
    expect(reply.response.headers.get("anthropic-ratelimit-output-tokens-remaining")).toBe(String(60_000 - 64))
    expect(reply.response.headers.get("anthropic-ratelimit-input-tokens-reset")).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    fake.reset()
    expect(Number((await chat("a").withResponse()).response.headers.get("x-ratelimit-limit-requests"))).toBeGreaterThan(1e6)
  })
})

describe("durations", () => {
  it.each([
    [0, "0ms"],
    [11.2, "12ms"],
    [1000, "1s"],
    [8640, "8.64s"],
    [360_000, "6m0s"],
    [3_601_000, "1h0m1s"]
  ])("%d ms until a limit resets are told as %s", (ms, text) => expect(goDuration(ms)).toBe(text))
})

describe("prompt caching", () => {
  const long = "A rule that never changes. ".repeat(700)

  it("[case 34] OpenAI reads a long first message from the cache by itself, from the second time on", async () => {
    const ask = (n: number, instructions: string) => respond(`mail ${n}`, { instructions })
    const cached = (answer: Awaited<ReturnType<typeof respond>>) => answer.usage?.input_tokens_details.cached_tokens
    expect(cached(await ask(1, long))).toBe(0)
    expect(cached(await ask(2, long))).toBe(Math.floor(long.length / 4 / 128) * 128)
    await ask(1, "short")
    expect(cached(await ask(2, "short"))).toBe(0)
  })

  it("[case 34] Anthropic reads and writes it where it is marked, and not where it isn't or is too short", async () => {
    const ask = async (content: string, system: string, ttl?: "1h") =>
      (
        await message(content, {
          system: [
            {
              type: "text",
              text: system,
              ...(ttl === undefined ? { cache_control: { type: "ephemeral" } } : { cache_control: { type: "ephemeral", ttl } })
            }
          ]
        })
      ).usage
    const first = await ask("mail 1", long)
    expect(first.cache_creation).toMatchObject({
      ephemeral_1h_input_tokens: 0,
      ephemeral_5m_input_tokens: first.cache_creation_input_tokens
    })
    expect(first.cache_creation_input_tokens).toBeGreaterThan(4096)
    const second = await ask("mail 2", long)
    expect(second).toMatchObject({ cache_read_input_tokens: first.cache_creation_input_tokens, cache_creation_input_tokens: 0 })
    expect(second.input_tokens).toBeLessThan(20)
    expect((await ask("mail 3", `${long} More.`, "1h")).cache_creation?.ephemeral_1h_input_tokens).toBeGreaterThan(4096)
    await ask("mail 4", "short")
    expect(await ask("mail 5", "short")).toMatchObject({ cache_read_input_tokens: 0, cache_creation_input_tokens: 0 })
    const plain = await message("mail 6", { system: long })
    expect(plain.usage).toMatchObject({ cache_read_input_tokens: 0, cache_creation_input_tokens: 0 })
  })

  const ofTable = ({ input, cacheRead, cacheWrite5m, cacheWrite1h, output }: Tokens) => ({
    input_tokens: input,
    cache_read_tokens: cacheRead,
    cache_write_tokens: cacheWrite5m + cacheWrite1h,
    cache_write_1h_tokens: cacheWrite1h,
    output_tokens: output
  })

  it.each(knownModels)("[CST-1] %s costs what the maintained table says, short or long, cached or not", (model) => {
    const none = { input: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 0, reasoning: 0 }
    const isAnthropic = model.startsWith("claude")
    for (const tokens of [
      { ...none, input: 1000, output: 500 },
      { ...none, input: 17_111, cacheRead: 17_102, output: 5 },
      { ...none, input: 300_000, output: 7 },
      { ...none, input: 9000, cacheWrite5m: isAnthropic ? 3000 : 0, cacheWrite1h: isAnthropic ? 2000 : 0, output: 1 }
    ]) {
      const told = calcPrice(ofTable(tokens), model, { providerId: isAnthropic ? "anthropic" : "openai" })
      expect(usdOf(model, tokens, false)).toBeCloseTo(told?.total_price ?? Number.NaN, 9)
      expect(usdOf(model, tokens, true)).toBeCloseTo((told?.total_price ?? Number.NaN) / 2, 9)
    }
  })

  it("the books price what was cached", async () => {
    await respond("mail 1", { instructions: long })
    await respond("mail 2", { instructions: long })
    const [fresh, cached] = fake.ledger()
    const usd = ({ input, cacheRead, output }: { input: number; cacheRead: number; output: number }) =>
      ((input - cacheRead) * 0.25 + cacheRead * 0.025 + output * 2) / 1e6
    expect(fresh?.usd).toBeCloseTo(usd(fresh?.tokens ?? { input: 0, cacheRead: 0, output: 0 }), 12)
    expect(cached?.tokens.cacheRead).toBeGreaterThan(1024)
    expect(cached?.usd).toBeCloseTo(usd(cached?.tokens ?? { input: 0, cacheRead: 0, output: 0 }), 12)
    expect(fake.stats().paidUsd).toBeCloseTo((fresh?.usd ?? 0) + (cached?.usd ?? 0), 12)
  })
})

describe("the books", () => {
  it("an item is the same in real time, whatever its limits, and another with other content", async () => {
    await chat("one")
    await openai.chat.completions.create({ model: "gpt-4.1-mini", messages: [{ role: "user", content: "one" }], max_completion_tokens: 99 })
    await chat("two")
    expect(fake.stats()).toMatchObject({ calls: 3, paidCalls: 3, paidItems: 2, paidTwice: 1, paidExtra: 1, byStatus: { 200: 3 } })
    expect(fake.ledger().map(({ attempt }) => attempt)).toEqual([0, 1, 0])
  })

  it("a client that goes away is counted, and what it asked for is paid all the same", async () => {
    fake.faults({ latencyMs: 60_000 })
    const aborter = new AbortController()
    const lost = openai.responses.create({ model: "gpt-5-mini", input: "a" }, { signal: aborter.signal })
    await expect.poll(() => fake.stats().inFlight).toBe(1)
    aborter.abort()
    await expect(lost).rejects.toThrow("aborted")
    await expect.poll(() => fake.stats()).toMatchObject({ aborted: 1, inFlight: 0, paidCalls: 1 })
  })

  it("the control calls say the same as the functions, and a typo among faults is refused", async () => {
    await chat("one")
    const get = async (path: string) => (await fetch(`${fake.url}${path}`)).json()
    expect(await get("/__stats")).toMatchObject({ paidCalls: 1 })
    expect(await get("/__ledger")).toEqual(fake.ledger())
    expect(await get("/__requests")).toMatchObject([{ path: "/v1/chat/completions", headers: { authorization: "Bearer key-1" } }])
    const post = (path: string, body: unknown) => fetch(`${fake.url}${path}`, { method: "POST", body: JSON.stringify(body) })
    await post("/__faults", { rates: { "500": 1 } })
    await expect(chat("two")).rejects.toMatchObject({ status: 500 })
    await post("/__faults", { rates: { "500": null } })
    await chat("two")
    expect(await (await post("/__faults", { rates: { "501": 1 } })).json()).toEqual({ error: 'rates: there is no fault "501"' })
    expect((await post("/__faults", { latncy: 1 })).status).toBe(400)
    await post("/__reset", {})
    expect(fake.stats()).toMatchObject({ calls: 0, paidCalls: 0 })
    expect(fake.faults().rates).toEqual({})
  })
})

describe("as a process", () => {
  const start = (...flags: ReadonlyArray<string>) =>
    spawn(process.execPath, [new URL("fake-provider/main.ts", import.meta.url).pathname, ...flags], { stdio: ["ignore", "pipe", "pipe"] })

  it("tells its port in one line of JSON, takes faults as flags and ends when told", async () => {
    const child = start("--latency-ms", "0", "--rates", "500=1", "--fault-attempts", "1")
    const [line] = await once(child.stdout.setEncoding("utf8"), "data")
    const { openaiUrl, pid } = JSON.parse(String(line))
    expect(pid).toBe(child.pid)
    const client = openaiOf({ ...fake, openaiUrl })
    const ask = () => client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hello" }] })
    await expect(ask()).rejects.toMatchObject({ status: 500 })
    expect((await ask()).choices[0]?.message.content).toContain("hello")
    child.kill("SIGTERM")
    expect(await once(child, "close")).toEqual([0, null])
  })

  it("explains itself, and refuses flags that it doesn't know", async () => {
    const helped = start("--help")
    const [text] = await once(helped.stdout.setEncoding("utf8"), "data")
    expect(text).toContain("--latency-ms")
    expect(await once(helped, "close")).toEqual([0, null])
    expect(await once(start("--latncy-ms", "1"), "close")).toEqual([1, null])
  })
})
