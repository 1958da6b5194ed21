/** The fake provider's batches and files, as the vendors' own SDKs see them. */
import * as Anthropic from "@anthropic-ai/sdk"
import * as OpenAI from "openai"
import { afterAll, beforeEach, describe, expect, it } from "vitest"

import { anthropicOf, anthropicRequest, chatLine, linesIn, openaiBatch, openaiOf, uploadLines } from "./fake-provider/clients.ts"
import { startFakeProvider } from "./fake-provider/start.ts"

const fake = await startFakeProvider()
const openai = openaiOf(fake)
const anthropic = anthropicOf(fake)
beforeEach(() => fake.reset())
afterAll(() => fake.close())

const names = (count: number) => Array.from({ length: count }, (_, n) => `item-${n}`)
const lines = (count: number) => names(count).map((name) => chatLine(name, `the text of ${name}`))
const requests = (count: number) => names(count).map((name) => anthropicRequest(name, `the text of ${name}`))
const idsOf = (rows: ReadonlyArray<{ custom_id?: unknown }>) => rows.map(({ custom_id }) => String(custom_id)).toSorted()
const settled = async (id: string) => {
  let batch = await openai.batches.retrieve(id)
  await expect
    .poll(async () => (batch = await openai.batches.retrieve(id)).status, { timeout: 20_000, interval: 10 })
    .toMatch(/^(completed|failed|expired|cancelled)$/)
  return batch
}
const outputOf = (batch: OpenAI.OpenAI.Batch) => (batch.output_file_id ? linesIn(openai, batch.output_file_id) : [])
const errorsOf = (batch: OpenAI.OpenAI.Batch) => (batch.error_file_id ? linesIn(openai, batch.error_file_id) : [])
const resultsOf = async (id: string) => {
  const rows: Array<Anthropic.Anthropic.Messages.MessageBatchIndividualResponse> = []
  for await (const row of await anthropic.messages.batches.results(id)) rows.push(row)
  return rows
}

describe("OpenAI's batches", () => {
  it("[EXE-5] go from validating to completed, with every answer once, in another order, at half the price", async () => {
    fake.faults({ batch: { hold: true } })
    const created = await openaiBatch(openai, lines(40), { run: "r1" })
    expect(created).toMatchObject({ object: "batch", status: "validating", metadata: { run: "r1" }, endpoint: "/v1/chat/completions" })
    expect(await openai.batches.retrieve(created.id)).toMatchObject({
      status: "in_progress",
      request_counts: { total: 40, completed: 0, failed: 0 }
    })
    fake.faults({ batch: { hold: false } })
    const batch = await settled(created.id)
    expect(batch).toMatchObject({ status: "completed", model: "gpt-4.1-mini", request_counts: { total: 40, completed: 40, failed: 0 } })
    expect(batch.error_file_id).toBeNull()
    const output = await outputOf(batch)
    expect(idsOf(output)).toEqual(names(40).toSorted())
    expect(output.map(({ custom_id }) => custom_id)).not.toEqual(names(40))
    expect(output[0]).toMatchObject({
      error: null,
      response: { status_code: 200, request_id: expect.any(String), body: { object: "chat.completion" } }
    })
    await openai.chat.completions.create({
      model: "gpt-4.1-mini",
      max_completion_tokens: 64,
      messages: [{ role: "user", content: "the text of item-0" }]
    })
    const paid = fake.ledger().filter(({ item }) => item === fake.ledger().at(-1)?.item)
    expect(paid.map(({ tier }) => tier)).toEqual(["batch", "realtime"])
    expect(paid[0]?.usd).toBeCloseTo((paid[1]?.usd ?? 0) / 2, 12)
    expect(fake.stats()).toMatchObject({ paidCalls: 41, paidTwice: 1, batches: { created: 1 }, files: { uploaded: 1, deleted: 0 } })
  })

  it("answer Responses lines too", async () => {
    const file = await uploadLines(openai, [
      { custom_id: "a", method: "POST", url: "/v1/responses", body: { model: "gpt-5-mini", input: "hello", max_output_tokens: 64 } }
    ])
    const created = await openai.batches.create({ input_file_id: file.id, endpoint: "/v1/responses", completion_window: "24h" })
    const [row] = await outputOf(await settled(created.id))
    expect(row).toMatchObject({ custom_id: "a", response: { body: { object: "response", status: "completed" } } })
  })

  it("[case 29] a text with U+2028 stays one line", async () => {
    const created = await openaiBatch(openai, [chatLine("a", "one\u2028two"), chatLine("b", "three")])
    expect((await settled(created.id)).request_counts).toMatchObject({ total: 2, completed: 2 })
  })

  it("are found again by listing, newest first, page by page", async () => {
    const ids: Array<string> = []
    for (let n = 0; n < 5; n++) ids.push((await openaiBatch(openai, lines(1), { token: String(n) })).id)
    const found: Array<OpenAI.OpenAI.Batch> = []
    for await (const batch of openai.batches.list({ limit: 2 })) found.push(batch)
    expect(found.map(({ id }) => id)).toEqual(ids.toReversed())
    expect(found[1]?.metadata).toEqual({ token: "3" })
    expect(fake.stats().byFault).toEqual({})
  })

  it.each([
    ["empty_file", []],
    ["invalid_json_line", ["not a request"]],
    ["duplicate_custom_id", [chatLine("a", "1"), chatLine("a", "2")]],
    ["url_mismatch", [chatLine("a", "1", { url: "/v1/responses" })]],
    ["model_mismatch", [chatLine("a", "1"), chatLine("b", "2", { body: { model: "gpt-5-mini", messages: [] } })]],
    ["too_many_tasks", Array.from({ length: 50_001 }, (_, n) => chatLine(`i${n}`, "x"))]
  ] as const)("end as failed with %s, and cost nothing", async (code, rows) => {
    const created = await openaiBatch(openai, rows)
    expect(created.status).toBe("validating")
    const batch = await settled(created.id)
    expect(batch).toMatchObject({ status: "failed", errors: { object: "list", data: [{ code }] }, request_counts: { total: 0 } })
    expect(fake.stats().paidCalls).toBe(0)
  })

  it("[case 9] the third of three that the queue holds two of ends as failed with token_limit_exceeded", async () => {
    fake.faults({ limits: { enqueuedBatches: 2 }, batch: { hold: true } })
    const three = [await openaiBatch(openai, lines(2)), await openaiBatch(openai, lines(2)), await openaiBatch(openai, lines(2))]
    for (const { id } of three) await openai.batches.retrieve(id)
    const statuses = await Promise.all(three.map(({ id }) => openai.batches.retrieve(id)))
    expect(statuses.map(({ status }) => status)).toEqual(["in_progress", "in_progress", "failed"])
    expect(statuses[2]?.errors?.data?.[0]).toMatchObject({ code: "token_limit_exceeded", message: expect.stringContaining("gpt-4.1-mini") })
    fake.faults({ batch: { hold: false } })
    await Promise.all(three.slice(0, 2).map(({ id }) => settled(id)))
    expect((await settled((await openaiBatch(openai, lines(2))).id)).status).toBe("completed")
  })

  it("[case 9] tokens of live batches of a model count, not those of others", async () => {
    fake.faults({ limits: { enqueuedTokens: 200 }, batch: { hold: true } })
    const first = await openaiBatch(openai, lines(3))
    const status = async (id: string) => (await openai.batches.retrieve(id)).status
    expect(await status(first.id)).toBe("in_progress")
    expect(await status((await openaiBatch(openai, lines(3))).id)).toBe("failed")
    const other = [chatLine("a", "x", { body: { model: "gpt-5-mini", messages: [{ role: "user", content: "x" }] } })]
    expect(await status((await openaiBatch(openai, other)).id)).toBe("in_progress")
  })

  it("[case 6] expire with what was done paid and delivered, and the rest named as expired", async () => {
    fake.faults({ batch: { outcome: "expired", processed: 1 } })
    const batch = await settled((await openaiBatch(openai, lines(10))).id)
    expect(batch).toMatchObject({ status: "expired", expired_at: expect.any(Number) })
    const [output, errors] = [await outputOf(batch), await errorsOf(batch)]
    expect(output).toHaveLength(1)
    expect(errors).toHaveLength(9)
    expect(errors[0]).toMatchObject({ response: null, error: { code: "batch_expired" } })
    expect(idsOf([...output, ...errors])).toEqual(names(10).toSorted())
    expect(fake.stats().paidCalls).toBe(1)
  })

  it("are cancelled with what was done by then", async () => {
    fake.faults({ batch: { hold: true, processed: 3, cancelMs: 40 } })
    const created = await openaiBatch(openai, lines(10))
    await openai.batches.retrieve(created.id)
    expect((await openai.batches.cancel(created.id)).status).toBe("cancelling")
    const batch = await settled(created.id)
    expect(batch).toMatchObject({ status: "cancelled", request_counts: { total: 10, completed: 3, failed: 0 } })
    expect(await outputOf(batch)).toHaveLength(3)
    await expect(openai.batches.cancel(created.id)).rejects.toBeInstanceOf(OpenAI.ConflictError)
    expect(fake.stats()).toMatchObject({ paidCalls: 3, batches: { created: 1, cancelled: 1 } })
  })

  it("fail half-way and keep what was done", async () => {
    fake.faults({ batch: { outcome: "failed", processed: 2, failCode: "billing_hard_limit_reached" } })
    const batch = await settled((await openaiBatch(openai, lines(5))).id)
    expect(batch).toMatchObject({ status: "failed", errors: { data: [{ code: "billing_hard_limit_reached" }] } })
    expect(await outputOf(batch)).toHaveLength(2)
  })

  it("[case 3] [case 4] put failed lines into the error file, and have no output file where all failed", async () => {
    fake.faults({ markers: { "of item-1": "context" } })
    const mixed = await settled((await openaiBatch(openai, lines(3))).id)
    expect(mixed.request_counts).toEqual({ total: 3, completed: 2, failed: 1 })
    expect(idsOf(await outputOf(mixed))).toEqual(["item-0", "item-2"])
    expect(await errorsOf(mixed)).toMatchObject([
      { custom_id: "item-1", error: null, response: { status_code: 400, body: { error: { code: "context_length_exceeded" } } } }
    ])
    fake.faults({ rates: { quota: 1 }, markers: { "of item-1": null } })
    const none = await settled((await openaiBatch(openai, lines(2))).id)
    expect(none).toMatchObject({ status: "completed", output_file_id: null })
    expect(await errorsOf(none)).toMatchObject([{ response: { status_code: 429 } }, { response: { status_code: 429 } }])
  })

  it("[case 5] may put a line with error null and status 400 into the output file", async () => {
    fake.faults({ markers: { "of item-1": "context" }, batch: { errorsInOutput: true } })
    const batch = await settled((await openaiBatch(openai, lines(3))).id)
    expect((await outputOf(batch)).filter(({ response }) => JSON.stringify(response).includes('"status_code":400'))).toMatchObject([
      { custom_id: "item-1", error: null }
    ])
    expect(batch.error_file_id).toBeNull()
  })

  it("[case 7] may leave a line out of both files, unpaid", async () => {
    fake.faults({ batch: { missing: 1 } })
    const batch = await settled((await openaiBatch(openai, lines(10))).id)
    expect(batch.status).toBe("completed")
    expect([...(await outputOf(batch)), ...(await errorsOf(batch))]).toHaveLength(9)
    expect(fake.stats().paidCalls).toBe(9)
  })

  it.each(["drop", "late-500", "hang"] as const)(
    "[case 13] [case 14] a create whose answer is lost (%s) has taken effect all the same",
    async (fault) => {
      const client = new OpenAI.OpenAI({ baseURL: fake.openaiUrl, apiKey: "k", maxRetries: 0, timeout: 300 })
      fake.faults({ chores: { create: [fault] } })
      await expect(openaiBatch(client, lines(2), { token: "r1.1" })).rejects.toBeInstanceOf(OpenAI.APIError)
      const { data } = await openai.batches.list()
      expect(data.map(({ metadata }) => metadata)).toEqual([{ token: "r1.1" }])
      expect(fake.stats().batches.created).toBe(1)
      // The control: refused before it took effect.
      fake.faults({ chores: { create: ["refuse-500"] } })
      await expect(openaiBatch(client, lines(2))).rejects.toMatchObject({ status: 500 })
      fake.faults({ chores: { create: ["refuse-quota"] } })
      await expect(openaiBatch(client, lines(2))).rejects.toMatchObject({ status: 429, code: "insufficient_quota" })
      expect(fake.stats().batches.created).toBe(1)
    }
  )

  it("refuse what the document refuses", async () => {
    const file = await uploadLines(openai, lines(1))
    const create = (more: object) =>
      openai.batches.create({ input_file_id: file.id, endpoint: "/v1/responses", completion_window: "24h", ...more })
    await expect(create({ input_file_id: "file-none" })).rejects.toMatchObject({ status: 400 })
    await expect(create({ endpoint: "/v1/nothing" })).rejects.toMatchObject({ status: 400, param: "endpoint" })
    await expect(create({ completion_window: "1h" })).rejects.toMatchObject({ status: 400, param: "completion_window" })
    await expect(create({ metadata: { a: "x".repeat(513) } })).rejects.toMatchObject({ status: 400, param: "metadata" })
    await expect(openai.batches.retrieve("batch_none")).rejects.toMatchObject({ status: 404 })
    expect(fake.stats().batches.created).toBe(0)
  })
})

describe("OpenAI's files", () => {
  it("are uploaded, looked at, downloaded and deleted, byte for byte, small and large", async () => {
    for (const size of [3, 9 * 2 ** 20]) {
      const bytes = Buffer.alloc(size, "0123456789\r\n--x\n")
      const file = await openai.files.create({ file: await OpenAI.toFile(bytes, "a b.jsonl"), purpose: "batch" })
      expect(file).toMatchObject({ object: "file", bytes: size, filename: "a b.jsonl", purpose: "batch", status: "processed" })
      expect((await openai.files.retrieve(file.id)).bytes).toBe(size)
      expect(Buffer.from(await (await openai.files.content(file.id)).arrayBuffer()).equals(bytes)).toBe(true)
      expect(await openai.files.delete(file.id)).toEqual({ id: file.id, object: "file", deleted: true })
      await expect(openai.files.retrieve(file.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
      await expect(openai.files.delete(file.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
    }
    expect(fake.stats().files).toEqual({ begun: 2, uploaded: 2, deleted: 2 })
  })

  it("an input file may be deleted while its batch works on it", async () => {
    fake.faults({ batch: { hold: true } })
    const created = await openaiBatch(openai, lines(5))
    await openai.files.delete(created.input_file_id)
    fake.faults({ batch: { hold: false } })
    expect((await settled(created.id)).request_counts?.completed).toBe(5)
  })

  it("a download is cut off half-way once, and whole the next time", async () => {
    const batch = await settled((await openaiBatch(openai, lines(300))).id)
    fake.faults({ chores: { content: ["cut"] } })
    await expect(outputOf(batch)).rejects.toThrow(/terminated|aborted|other side|reset/i)
    expect(await outputOf(batch)).toHaveLength(300)
  })

  it("an upload is slow, or its answer is lost", async () => {
    fake.faults({ uploadBytesPerSecond: 2 ** 24 })
    const impatient = new OpenAI.OpenAI({ baseURL: fake.openaiUrl, apiKey: "k", maxRetries: 0, timeout: 100 })
    const large = async () =>
      impatient.files.create({ file: await OpenAI.toFile(Buffer.alloc(2 ** 24, "a\n"), "slow.jsonl"), purpose: "batch" })
    await expect(large()).rejects.toBeInstanceOf(OpenAI.APIConnectionTimeoutError)
    await expect.poll(() => fake.stats().aborted, { timeout: 20_000 }).toBe(1)
    expect((await openai.files.list()).data).toEqual([])
    fake.faults({ uploadBytesPerSecond: 0, chores: { upload: ["drop"] } })
    await expect(uploadLines(openai, lines(1))).rejects.toBeInstanceOf(OpenAI.APIConnectionError)
    expect((await openai.files.list()).data).toHaveLength(1)
  })
})

describe("large batches", () => {
  it("are worked on in slices: other calls are answered in between, and nothing is lost", async () => {
    const created = await openaiBatch(openai, lines(6000))
    await openai.chat.completions.create({ model: "gpt-4.1-mini", messages: [{ role: "user", content: "in between" }] })
    expect((await openai.batches.retrieve(created.id)).status).not.toBe("completed")
    const batch = await settled(created.id)
    expect(batch.request_counts).toEqual({ total: 6000, completed: 6000, failed: 0 })
    expect(new Set((await outputOf(batch)).map(({ custom_id }) => custom_id)).size).toBe(6000)
  })

  it("Anthropic's requests are told apart whatever their texts hold", async () => {
    const texts = ['"}],{"', '\\"', "[[{", "\u2028é\n}", "}]}", '{"requests":[']
    const many = names(3000).map((name, n) => anthropicRequest(name, `${name} ${texts[n % texts.length]} ${"x".repeat(n % 97)}`))
    const { id } = await anthropic.messages.batches.create({ requests: many })
    await expect.poll(async () => (await anthropic.messages.batches.retrieve(id)).processing_status, { timeout: 20_000 }).toBe("ended")
    const rows = await resultsOf(id)
    expect(rows.every(({ result }) => result.type === "succeeded")).toBe(true)
    expect(idsOf(rows)).toEqual(names(3000).toSorted())
  })
})

describe("Anthropic's batches", () => {
  const create = (count: number) => anthropic.messages.batches.create({ requests: requests(count) })

  it("[EXE-5] go from in_progress to ended, with every kind of result, at half the price", async () => {
    fake.faults({ batch: { hold: true }, markers: { "of item-1": "500" } })
    const created = await create(4)
    expect(created).toMatchObject({
      type: "message_batch",
      processing_status: "in_progress",
      request_counts: { processing: 4 },
      results_url: null
    })
    await expect(anthropic.messages.batches.results(created.id)).rejects.toThrow("results_url")
    await expect(anthropic.messages.batches.delete(created.id)).rejects.toMatchObject({ status: 400 })
    fake.faults({ batch: { hold: false } })
    expect(await anthropic.messages.batches.retrieve(created.id)).toMatchObject({
      processing_status: "ended",
      request_counts: { processing: 0, succeeded: 3, errored: 1, canceled: 0, expired: 0 }
    })
    const rows = await resultsOf(created.id)
    expect(idsOf(rows)).toEqual(names(4))
    expect(rows.find(({ custom_id }) => custom_id === "item-1")?.result).toMatchObject({
      type: "errored",
      error: { type: "error", error: { type: "api_error" } }
    })
    expect(rows.find(({ custom_id }) => custom_id === "item-0")?.result).toMatchObject({
      type: "succeeded",
      message: { type: "message", usage: { service_tier: "batch" } }
    })
    expect(fake.ledger().map(({ tier }) => tier)).toEqual(["batch", "batch", "batch"])
    expect(await anthropic.messages.batches.delete(created.id)).toEqual({ id: created.id, type: "message_batch_deleted" })
    await expect(anthropic.messages.batches.retrieve(created.id)).rejects.toBeInstanceOf(Anthropic.NotFoundError)
    expect(fake.stats().batches).toEqual({ created: 1, cancelled: 0, deleted: 1 })
  })

  it("[case 6] expire, or are cancelled, with what was done paid", async () => {
    fake.faults({ batch: { outcome: "expired", processed: 1 } })
    const expired = await create(10)
    expect((await resultsOf(expired.id)).map(({ result }) => result.type).toSorted()).toEqual([
      ...Array.from({ length: 9 }, () => "expired"),
      "succeeded"
    ])
    fake.faults({ batch: { outcome: "completed", hold: true, processed: 2 } })
    const canceled = await create(5)
    await anthropic.messages.batches.retrieve(canceled.id)
    expect((await anthropic.messages.batches.cancel(canceled.id)).processing_status).toBe("canceling")
    expect(await anthropic.messages.batches.retrieve(canceled.id)).toMatchObject({
      processing_status: "ended",
      cancel_initiated_at: expect.any(String),
      request_counts: { succeeded: 2, canceled: 3 }
    })
    expect((await resultsOf(canceled.id)).filter(({ result }) => result.type === "canceled")).toHaveLength(3)
    expect(fake.stats().paidCalls).toBe(3)
  })

  it("[case 11] every line may say that the credit balance is too low", async () => {
    fake.faults({ rates: { quota: 1 } })
    const { id } = await create(2)
    for (const { result } of await resultsOf(id)) expect(JSON.stringify(result)).toContain("credit balance is too low")
  })

  it("a request that is wrong in itself is an errored result, not a refused batch", async () => {
    const odd = { custom_id: "odd", params: { ...anthropicRequest("odd", "x").params, max_tokens: 0 } }
    const { id } = await anthropic.messages.batches.create({ requests: [anthropicRequest("fine", "x"), odd] })
    const rows = new Map((await resultsOf(id)).map(({ custom_id, result }) => [custom_id, result]))
    expect(rows.get("fine")?.type).toBe("succeeded")
    expect(rows.get("odd")).toMatchObject({ type: "errored", error: { error: { type: "invalid_request_error" } } })
  })

  it("[case 1] refuse ids that are long, odd or there twice", async () => {
    const of = (...ids: ReadonlyArray<string>) =>
      anthropic.messages.batches.create({ requests: ids.map((id) => anthropicRequest(id, "x")) })
    for (const ids of [["x".repeat(65)], ["row/1"], ["é 1"], ["a", "a"], []]) {
      await expect(of(...ids)).rejects.toBeInstanceOf(Anthropic.BadRequestError)
    }
    expect(fake.stats().batches.created).toBe(0)
  })

  it("[case 14] a create whose answer is lost has taken effect; only its results tell whose it is", async () => {
    fake.faults({ chores: { create: ["drop"] } })
    await expect(create(2)).rejects.toBeInstanceOf(Anthropic.APIConnectionError)
    const { data } = await anthropic.messages.batches.list()
    expect(data).toHaveLength(1)
    expect(idsOf(await resultsOf(data[0]?.id ?? ""))).toEqual(names(2))
  })

  it("[case 9] a queue that is full refuses with a rate limit", async () => {
    fake.faults({ limits: { enqueuedBatches: 1 }, batch: { hold: true } })
    await anthropic.messages.batches.retrieve((await create(1)).id)
    await expect(create(1)).rejects.toBeInstanceOf(Anthropic.RateLimitError)
  })

  it("are listed newest first, page by page", async () => {
    const ids: Array<string> = []
    for (let n = 0; n < 5; n++) ids.push((await create(1)).id)
    const found: Array<string> = []
    for await (const { id } of anthropic.messages.batches.list({ limit: 2 })) found.push(id)
    expect(found).toEqual(ids.toReversed())
    const before = await anthropic.messages.batches.list({ limit: 2, before_id: ids[0] ?? "" })
    expect(before.data.map(({ id }) => id)).toEqual([ids[2], ids[1]])
  })
})
