/** Works on one line of a batch: no latency, no rate limit, otherwise the fates of real time. */
import { answerOf, tokensIn } from "./answer.ts"
import type { Batch } from "./batch.ts"
import type { FaultKind } from "./faults.ts"
import { type Problem, problemBody, problemOf } from "./problem.ts"
import { isJson, isProblem, type Json } from "./question.ts"
import type { World } from "./world.ts"

export interface WorkedLine {
  readonly customId: string
  readonly status: number
  /** The response's or the error's body as JSON text. */
  readonly body: string
}

export const parseLine = (text: string): Json | undefined => {
  try {
    const line: unknown = JSON.parse(text)
    return isJson(line) ? line : undefined
  } catch {
    return undefined
  }
}

/** What has no meaning without a connection shows as a failure of the server. */
const offline = (kind: FaultKind): FaultKind =>
  kind === "hang" || kind === "reset" || kind === "reset-paid" || kind === "429" ? "500" : kind

export const workLine = (world: World, batch: Batch, line: Json): WorkedLine => {
  const { dialect } = batch
  const { vendor } = dialect
  const customId = String(line["custom_id"])
  const refuse = (problem: Problem): WorkedLine => ({
    customId,
    status: problem.status,
    body: problemBody(vendor, problem, world.newId("req_"))
  })
  const body = line[vendor === "openai" ? "body" : "params"]
  const question = dialect.read(isJson(body) ? body : {}, world.schemas)
  if (isProblem(question)) return refuse(question)
  const faults = world.box.steady
  if (faults.models.length > 0 && !faults.models.includes(question.model)) {
    return refuse(problemOf(vendor, "model-missing", question.model) ?? { status: 404, message: question.model })
  }
  const attempt = world.ledger.attempt(question.item)
  const kind = offline(world.box.fateOf({ seed: faults.seed, key: question.item, attempt }, question.prompt))
  if (kind !== "ok") world.ledger.byFault[kind] = (world.ledger.byFault[kind] ?? 0) + 1
  const problem = problemOf(vendor, kind, question.model)
  if (problem !== undefined) return refuse(problem)
  if (kind === "error-200") {
    return { ...refuse({ status: 500, message: "The server had an error while processing your request." }), status: 200 }
  }
  const answer = answerOf({
    question,
    kind,
    id: world.newId(dialect.idPrefix),
    faults,
    cache: world.cache,
    author: world.author,
    isBatch: true
  })
  world.ledger.pay({
    item: question.item,
    model: question.model,
    tier: "batch",
    attempt,
    customId,
    batch: batch.id,
    tokens: tokensIn(answer)
  })
  batch.usage.input += answer.input
  batch.usage.cached += answer.cached.read
  batch.usage.output += answer.output
  batch.usage.reasoning += answer.reasoning
  return { customId, status: 200, body: dialect.render(question, answer) }
}
