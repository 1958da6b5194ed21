/** What a batch leaves behind: the lines of its files, in the vendors' forms. */
import { parseLine, type WorkedLine } from "./batch-line.ts"
import type { Batch, BatchEnd } from "./batch.ts"
import { problemBody } from "./problem.ts"
import type { World } from "./world.ts"

/** Writes a line that was worked on where the vendor puts it. */
export const writeWorked = (world: World, batch: Batch, { customId, status, body }: WorkedLine): void => {
  const isFine = status === 200
  if (isFine) batch.completed++
  else batch.failed++
  const id = JSON.stringify(customId)
  if (batch.dialect.vendor === "anthropic") {
    const result = isFine ? `{"type":"succeeded","message":${body}}` : `{"type":"errored","error":${body}}`
    batch.output.appendLine(`{"custom_id":${id},"result":${result}}`)
    return
  }
  const line =
    `{"id":"${world.newId("batch_req_")}","custom_id":${id},` +
    `"response":{"status_code":${status},"request_id":"${world.newId("req_")}","body":${body}},"error":null}`
  if (isFine || batch.plan.errorsInOutput) batch.output.appendLine(line)
  else batch.failures.appendLine(line)
}

/** Writes what is said of the lines that were never worked on, and shelves OpenAI's files. */
export const writeRest = (world: World, batch: Batch, end: BatchEnd): void => {
  const isAnthropic = batch.dialect.vendor === "anthropic"
  // OpenAI says nothing of what a cancelled or failed batch didn't get to.
  if (isAnthropic || end === "expired") {
    for (let turn = batch.done; turn < batch.total; turn++) {
      const customId = parseLine(batch.nextLine(turn))?.["custom_id"]
      if (isAnthropic) writeAnthropicRest(world, batch, end, JSON.stringify(customId))
      else {
        batch.failures.appendLine(
          `{"id":"${world.newId("batch_req_")}","custom_id":${JSON.stringify(customId)},"response":null,"error":` +
            `{"code":"batch_expired","message":"This request could not be executed before the completion window expired."}}`
        )
      }
    }
  }
  const file = (name: string, spool: Batch["output"]) =>
    spool.seal().bytes === 0 ? null : world.files.put(`${batch.id}_${name}.jsonl`, "batch_output", spool).id
  if (isAnthropic) batch.output.seal()
  else {
    batch.outputFile = file("output", batch.output)
    batch.errorFile = file("error", batch.failures)
  }
}

const writeAnthropicRest = (world: World, batch: Batch, end: BatchEnd, id: string): void => {
  if (end === "failed") {
    batch.failed++
    const error = problemBody("anthropic", { status: 500, message: "Internal server error" }, world.newId("req_"))
    batch.output.appendLine(`{"custom_id":${id},"result":{"type":"errored","error":${error}}}`)
    return
  }
  if (end === "expired") batch.expired++
  else batch.canceled++
  batch.output.appendLine(`{"custom_id":${id},"result":{"type":"${end === "expired" ? "expired" : "canceled"}"}}`)
}
