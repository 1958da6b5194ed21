/** One request for an answer, in real time. */
import type { IncomingMessage, ServerResponse } from "node:http"

import { answerOf, tokensIn } from "./answer.ts"
import { latencyOf } from "./chance.ts"
import type { FaultKind } from "./faults.ts"
import { problemBody, problemOf, rateLimited } from "./problem.ts"
import { type Dialect, isJson, isProblem, type Question } from "./question.ts"
import { retryAfterOf } from "./rate-limits.ts"
import { keyProblem } from "./keys.ts"
import { isReset, resetConnection, sendProblem, sendText } from "./wire.ts"
import type { World } from "./world.ts"

/** How long a 429 that has no bucket behind it asks to wait. */
const plainWaitMs = 1000

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Reads, judges and answers. */
export const complete = (world: World, dialect: Dialect, req: IncomingMessage, res: ServerResponse, text: string): void => {
  const { ledger } = world
  const { vendor } = dialect
  ledger.calls++
  ledger.byPath[dialect.path] = (ledger.byPath[dialect.path] ?? 0) + 1
  if (++ledger.inFlight > ledger.maxInFlight) ledger.maxInFlight = ledger.inFlight
  res.once("close", () => {
    ledger.inFlight--
    if (!res.writableFinished && !isReset(res)) ledger.aborted++
  })
  if (world.keepRequests > 0) world.keep({ path: dialect.path, headers: req.headers, body: text })

  const outage = world.outage()
  if (outage === "reset") return resetConnection(res)
  if (outage !== undefined) return sendProblem(world, res, vendor, problemOf(vendor, outage, "") ?? { status: 503, message: "outage" })
  const refused = keyProblem(world, vendor, req)
  if (refused !== undefined) return sendProblem(world, res, vendor, refused)

  const body = parse(text)
  if (!isJson(body)) return sendProblem(world, res, vendor, { status: 400, message: "We could not parse the JSON body of your request." })
  const question = dialect.read(body, world.schemas)
  if (isProblem(question)) return sendProblem(world, res, vendor, question)
  const { models } = world.box.steady
  if (models.length > 0 && !models.includes(question.model)) return refuse(world, dialect, res, question.model, "model-missing")
  return judge(world, dialect, res, question)
}

const refuse = (world: World, dialect: Dialect, res: ServerResponse, model: string, kind: FaultKind): void => {
  const problem = problemOf(dialect.vendor, kind, model)
  if (problem !== undefined) sendProblem(world, res, dialect.vendor, problem)
}

const judge = (world: World, dialect: Dialect, res: ServerResponse, question: Question): void => {
  const { vendor } = dialect
  const faults = world.box.steady
  const scripted = world.box.scripted()
  const isNth = faults.every429 > 0 && ++world.judged % faults.every429 === 0
  const limit = world.limits.admit(vendor, question.inputTokens, question.maxTokens ?? 16)
  const headers = world.isBare ? [] : limit.headers
  if (limit.waitMs > 0 || isNth || scripted === "429") {
    const waitMs = limit.waitMs || plainWaitMs
    const problem = rateLimited(vendor, question.model, limit.unit || "requests", limit.limit, waitMs)
    return sendProblem(world, res, vendor, problem, [...headers, ...retryAfterOf(vendor, faults.retryAfter, waitMs)])
  }
  const attempt = world.ledger.attempt(question.item)
  const draw = { seed: faults.seed, key: question.item, attempt }
  const kind = scripted ?? world.box.fateOf(draw, question.prompt)
  if (kind !== "ok") world.ledger.byFault[kind] = (world.ledger.byFault[kind] ?? 0) + 1
  const delayMs = latencyOf(draw, faults.latencyMs, faults.latencySigma)
  const after = (act: () => void): void => {
    if (delayMs === 0) act()
    else setTimeout(act, delayMs).unref()
  }
  if (kind === "hang") {
    world.ledger.hung++
    return
  }
  if (kind === "reset") return after(() => resetConnection(res))
  if (kind === "429") {
    const problem = rateLimited(vendor, question.model, "requests", 0, plainWaitMs)
    return after(() => sendProblem(world, res, vendor, problem, [...headers, ...retryAfterOf(vendor, faults.retryAfter, plainWaitMs)]))
  }
  const problem = problemOf(vendor, kind, question.model)
  if (problem !== undefined) return after(() => sendProblem(world, res, vendor, problem, headers))
  if (kind === "error-200") {
    const text = problemBody(
      vendor,
      { status: 500, message: "The server had an error while processing your request." },
      world.newId("req_")
    )
    return after(() => sendText(world, res, { vendor, status: 200, text, headers }))
  }
  const text = pay(world, dialect, question, kind, attempt)
  if (kind === "reset-paid") return after(() => resetConnection(res))
  return after(() => sendText(world, res, { vendor, status: 200, text, headers }))
}

/** From here on the request costs money, whatever becomes of its client. */
const pay = (world: World, dialect: Dialect, question: Question, kind: FaultKind, attempt: number): string => {
  const answer = answerOf({
    question,
    kind,
    id: world.newId(dialect.idPrefix),
    faults: world.box.steady,
    cache: world.cache,
    author: world.author,
    isBatch: false
  })
  world.ledger.pay({
    item: question.item,
    model: question.model,
    tier: "realtime",
    attempt,
    customId: null,
    batch: null,
    tokens: tokensIn(answer)
  })
  return dialect.render(question, answer)
}
